"""One silent call: the prompt rewritten, sent once, its answer drained and assembled.

There is no second attempt and no fallback, so the answer is that model's own, and what the model
wants called is never called. What its end means for the pair is `verdicts`' to say.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from understudy.server.domain.completion import Completion
from understudy.server.domain.costs import Cost
from understudy.server.domain.mirroring import SilentCall
from understudy.server.endings import salvage
from understudy.server.errors import Reason, UpstreamError
from understudy.server.mirror.copies import Copy
from understudy.server.mirror.rewriting import rewrite
from understudy.server.ports import Dialect, Exchange, HttpRequest, Reader, Upstream
from understudy.server.pricing.attempts import cost_of_answer, cost_of_failure
from understudy.server.pricing.estimating import estimate_prompt, measure_piece

# The upstream keeps the deadline by itself; this long after, the call ends all the same.
_BACKSTOP = 0.2  # seconds


class Performance:
    """A copy's call, and what is known of it so far."""

    def __init__(
        self,
        copy: Copy,
        *,
        dialect: Callable[[str], Dialect],
        upstream: Upstream,
        timeout: float,
        max_response_bytes: int,
        clock: Callable[[], float],
        calendar: Callable[[], int],
    ) -> None:
        self.headers: Mapping[str, str] = {}
        self._copy = copy
        self._dialect = dialect
        self._upstream = upstream
        self._timeout = timeout
        self._max_bytes = max_response_bytes
        self._clock = clock
        self._calendar = calendar
        self._request: HttpRequest | None = None
        self._prompt_tokens = 0  # about
        self._started = 0.0
        self._at = 0
        self._first_delta: float | None = None
        self._status = 0
        self._received = 0
        self._heard: int | None = None  # bytes of text, of a stream

    async def run(self) -> Completion:
        """Make the call. Raises UnderstudyError; cancelled, it closes the connection at once."""
        deployment = self._copy.target.deployment
        dialect = self._dialect(deployment.provider)
        chat = rewrite(self._copy.take_chat(), self._copy.target)
        stream = chat.stream
        # What the silent dialect cannot carry is dropped and named, as LiteLLM's drop_params does.
        request = dialect.encode(chat, replace(deployment, drop_params=True))
        self._prompt_tokens = estimate_prompt(chat)
        del chat  # a slow call need not hold the prompt twice
        self._request = request
        self._heard = 0 if stream else None
        self._started, self._at = self._clock(), self._calendar()
        deadline = asyncio.get_running_loop().time() + self._timeout
        try:
            async with asyncio.timeout_at(deadline + _BACKSTOP):
                async with self._upstream.exchange(request, deadline) as exchange:
                    self._status, self.headers = exchange.status, exchange.headers
                    reader = dialect.reader(stream, exchange.status, exchange.headers)
                    return await self._read(exchange, reader)
        except TimeoutError:
            raise UpstreamError(
                Reason.UPSTREAM_READ_TIMEOUT, "the silent model took longer than it may"
            ) from None

    def describe(self, reason: str, completion: Completion | None) -> SilentCall | None:
        """Return the call for its record, None if nothing was ever sent."""
        if self._request is None:
            return None
        deployment, ended = self._copy.target.deployment, self._clock()
        cost = self._price(reason, completion, round((ended - self._started) * 1_000_000))
        return SilentCall(
            deployment=deployment.id,
            provider=deployment.provider,
            model=deployment.model,
            started=self._started,
            ended=ended,
            first_delta=self._first_delta,
            reason=str(reason),
            status=self._status,
            request_bytes=len(self._request.body),
            response_bytes=self._received,
            completion=completion,
            warnings=self._request.warnings + (completion.warnings if completion else ()),
            cost=cost,
        )

    def _price(self, reason: str, completion: Completion | None, latency: int) -> Cost:
        price = self._copy.target.deployment.price
        if completion is not None:
            return cost_of_answer(completion, self._count_prompt, price, self._at, latency)
        return cost_of_failure(
            reason, self._status, self._count_prompt, price, self._at, latency, self._heard
        )

    def _count_prompt(self) -> int:
        return self._prompt_tokens

    async def _read(self, exchange: Exchange, reader: Reader) -> Completion:
        try:
            async for chunk in exchange.chunks():
                self._received += len(chunk)
                if self._received > self._max_bytes:
                    # Before the reader sees it: what is not read need not be skipped either.
                    raise _TooLargeError(self._status, self._max_bytes)
                deltas = reader.feed(chunk)
                if deltas and self._first_delta is None:
                    self._first_delta = self._clock()
                if self._heard is not None:
                    self._heard += sum(map(measure_piece, deltas))
                if reader.done:
                    exchange.hurry()
            return reader.finish()
        except _TooLargeError:
            raise
        except UpstreamError as error:
            return salvage(reader, exchange.status, error)


class _TooLargeError(UpstreamError):
    """The answer is beyond the cap, so that there is nothing to salvage."""

    def __init__(self, status: int, most: int) -> None:
        super().__init__(
            Reason.UPSTREAM_RESPONSE_TOO_LARGE,
            f"the silent model sent more than {most} bytes",
            status=status,
        )

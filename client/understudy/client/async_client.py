"""The client for event loops. All that needs no I/O is elsewhere: `terms`, `requests`, `replies`.

Its twin for threads, with the same methods, is `sync_client`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Literal, Self, TypeVar, Unpack, overload

import grpc

from understudy.client import forking
from understudy.client.async_history import AsyncHistory
from understudy.client.async_stream import AsyncStream, Opened, is_being_cancelled
from understudy.client.errors import NO_SERVER
from understudy.client.lines import AsyncLine, LoopLines
from understudy.client.notices import Notices
from understudy.client.parameters import CallParameters, MessageInput, Parameters
from understudy.client.requests import name_split
from understudy.client.settings import Tls, read_settings
from understudy.client.terms import MODELS_PER_PAGE, Terms, tell_closed, warn_of_plaintext
from understudy.v1.completion_pb2 import (
    CreateCompletionRequest,
    CreateCompletionResponse,
    ListModelsRequest,
    Model,
    StreamCompletionResponse,
)

T = TypeVar("T")


class AsyncClient(AsyncHistory):
    """A connection to Understudy, for use by any number of tasks and event loops.

    What is not given is taken from UNDERSTUDY_TARGET, UNDERSTUDY_API_KEY, UNDERSTUDY_CA_FILE and
    UNDERSTUDY_TIMEOUT; the target is `localhost:50051` otherwise.

    Args:
        target: `host:port`, a comma list of them, `dns:///host:port` or `unix:/path`. Calls go
            round all healthy addresses. Names in a list are looked up once, and again when none
            of their addresses answers; prefer `dns:///` where addresses come and go.
        api_key: Sent as `authorization: Bearer KEY`.
        tls: `True`, or `Tls(ca_file=…, cert_file=…, key_file=…)`, or a dict of the same.
        timeout: Seconds for a call that does not say, repeats and pieces included.
        insecure: Says that sending the key unencrypted beyond this machine is meant.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        api_key: str | None = None,
        tls: bool | Tls | Mapping[str, str] | None = None,
        timeout: float | None = None,
        insecure: bool = False,
    ) -> None:
        settings = read_settings(target, api_key, tls, timeout, os.environ)
        self._terms = Terms(settings)
        self._lines = LoopLines(settings)
        self._notices = Notices()
        if not insecure:
            warn_of_plaintext(settings)

    def __repr__(self) -> str:
        return f"AsyncClient({self._terms.settings.target.text!r})"

    @overload
    def completion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: Literal[False] = False,
        **parameters: Unpack[Parameters],
    ) -> Coroutine[object, None, CreateCompletionResponse]: ...
    @overload
    def completion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: Literal[True],
        **parameters: Unpack[Parameters],
    ) -> AsyncStream: ...
    @overload
    def completion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: bool,
        **parameters: Unpack[Parameters],
    ) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream: ...
    def completion(
        self,
        model: str | None = None,
        messages: Iterable[MessageInput] = (),
        *,
        stream: bool = False,
        **parameters: Unpack[Parameters],
    ) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream:
        """Answer a prompt: `await` this; with `stream`, `async for` over it, awaited or not.

        An awaited stream has its first piece: an error before that is raised there. Raises
        UnderstudyError; TypeError or ValueError, at once, for arguments that have no meaning.
        """
        request, timeout = self._terms.write_request(model, messages, parameters)
        return self._complete(request, timeout, stream)

    @overload
    def completion_with_split_tests(
        self,
        models: Mapping[str, float] | None = None,
        messages: Iterable[MessageInput] = (),
        use_client: bool = False,
        override_client: bool = False,
        id: str | None = None,
        *,
        stream: Literal[False] = False,
        **parameters: Unpack[CallParameters],
    ) -> Coroutine[object, None, CreateCompletionResponse]: ...
    @overload
    def completion_with_split_tests(
        self,
        models: Mapping[str, float] | None = None,
        messages: Iterable[MessageInput] = (),
        use_client: bool = False,
        override_client: bool = False,
        id: str | None = None,
        *,
        stream: Literal[True],
        **parameters: Unpack[CallParameters],
    ) -> AsyncStream: ...
    @overload
    def completion_with_split_tests(
        self,
        models: Mapping[str, float] | None = None,
        messages: Iterable[MessageInput] = (),
        use_client: bool = False,
        override_client: bool = False,
        id: str | None = None,
        *,
        stream: bool,
        **parameters: Unpack[CallParameters],
    ) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream: ...
    def completion_with_split_tests(
        self,
        models: Mapping[str, float] | None = None,
        messages: Iterable[MessageInput] = (),
        use_client: bool = False,
        override_client: bool = False,
        id: str | None = None,
        *,
        stream: bool = False,
        **parameters: Unpack[CallParameters],
    ) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream:
        """Answer a prompt with one of several models, drawn by the server by their weights.

        With `use_client` the live experiment `id` decides, and is registered from `models` by the
        first call; with `override_client` it is `models` again that counts. Otherwise as
        `completion`. Warns once, by ExperimentWarning, when the experiment's split is not what
        `models` says, or cannot be followed yet.
        """
        target = name_split(models, use_client, override_client, id)
        request, timeout = self._terms.write_request(None, messages, {**parameters, **target})
        return self._complete(request, timeout, stream)

    async def list_models(self, *, timeout: float | None = None) -> list[Model]:
        """List the model groups and aliases that a caller may name."""
        seconds = self._terms.timeout(timeout)
        models: list[Model] = []
        page = ListModelsRequest(page_size=MODELS_PER_PAGE)
        while True:
            reply = await self._repeat(
                seconds,
                lambda line, left: line.stub.ListModels(
                    page, timeout=left, metadata=self._terms.metadata
                ),
            )
            models.extend(reply.models)
            if not reply.next_page_token:
                return models
            page.page_token = reply.next_page_token

    async def raw_stub(self, kind: Callable[[grpc.aio.Channel], T]) -> T:
        """Return a generated stub on this client's channel, such as `ExperimentServiceStub`.

        It is gRPC's own: it raises `grpc.RpcError`, repeats nothing, and sends the key only with
        `metadata=client.raw_metadata`. It belongs to the running loop. Ask again after a fork.
        """
        with forking.under_way():
            return kind((await self._lines.line()).channel)

    @property
    def raw_metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata for calls of a `raw_stub`. Holds the key: do not log it."""
        return self._terms.metadata

    async def close(self) -> None:
        """Close the connection; calls under way on this loop raise Cancelled."""
        await self._lines.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _complete(
        self, request: CreateCompletionRequest, timeout: float, stream: bool
    ) -> Coroutine[object, None, CreateCompletionResponse] | AsyncStream:
        if stream:
            return AsyncStream(
                lambda: self._repeat(
                    timeout, lambda line, left: self._open_stream(line, request, left)
                ),
                lambda error: self._terms.tell(error, timeout),
                lambda piece: self._notices.heed(request.experiment, piece.warnings),
            )
        return self._answer(request, timeout)

    async def _answer(
        self, request: CreateCompletionRequest, timeout: float
    ) -> CreateCompletionResponse:
        answer: CreateCompletionResponse = await self._repeat(
            timeout,
            lambda line, left: line.stub.CreateCompletion(
                request, timeout=left, metadata=self._terms.metadata
            ),
        )
        self._notices.heed(request.experiment, answer.warnings)
        return answer

    async def _open_stream(
        self, line: AsyncLine, request: CreateCompletionRequest, left: float
    ) -> Opened:
        call = line.stub.StreamCompletion(request, timeout=left, metadata=self._terms.metadata)
        line.streams.add(call)
        try:
            first = await call.read()
        except BaseException:
            call.cancel()
            raise
        return Opened(
            call,
            first if isinstance(first, StreamCompletionResponse) else None,
            asyncio.get_running_loop(),
            forking.begin(),
            line.generation,
        )

    async def _repeat(
        self, timeout: float, attempt: Callable[[AsyncLine, float], Awaitable[T]]
    ) -> T:
        """Make attempts until one succeeds or its error is final."""
        patience = self._terms.patience(timeout)
        while True:
            try:
                with forking.under_way():
                    return await attempt(await self._lines.line(), patience.remaining())
            except asyncio.CancelledError as error:
                if self._lines.closed and not is_being_cancelled():
                    raise tell_closed() from error
                raise
            except grpc.RpcError as error:
                told = self._terms.tell(error, timeout)
                if told.reason == NO_SERVER:
                    self._lines.forget()
                wait = patience.wait_after(told)
                if wait is None:
                    try:
                        raise told from error
                    finally:
                        del told  # or the error and this frame would keep each other, and the call
            await asyncio.sleep(wait)

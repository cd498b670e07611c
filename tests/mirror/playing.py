"""A mirror between a stub and a journal, for tests: what is offered, and what is seen of it."""

import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count

from msgspec import UNSET

from understudy.server.config.settings import MirrorSettings
from understudy.server.domain.chat import ChatCall, JsonValue, Message
from understudy.server.domain.completion import Choice, Completion
from understudy.server.domain.deployment import Deployment, Endpoint
from understudy.server.domain.mirroring import Offer, PrimaryEnd, SilentEnd, SilentTarget
from understudy.server.events import CallEvent, SilentEnded
from understudy.server.mirror import ThreadedMirror
from understudy.server.ports import Dialect, Upstream
from understudy.server.providers import dialect
from understudy.server.upstream import HttpUpstream
from understudy.server.upstream.egress import TlsContexts

from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub

_TLS = TlsContexts()
_NUMBERS = count()


class Notes:
    """A journal that remembers how copies ended, and in which threads that was noted."""

    def __init__(self) -> None:
        self.ends: list[SilentEnd] = []
        self.threads: set[str] = set()

    def note(self, event: CallEvent) -> None:
        """Take an event."""
        assert isinstance(event, SilentEnded)
        self.threads.add(threading.current_thread().name)
        self.ends.append(event.end)

    @property
    def outcomes(self) -> Counter[str]:
        """How many copies ended how."""
        return Counter(end.outcome.value for end in self.ends)

    @property
    def reasons(self) -> Counter[str]:
        """How many copies ended why."""
        return Counter(end.reason for end in self.ends)

    async def wait_for(self, number: int, within: float = 5.0) -> Sequence[SilentEnd]:
        """Return the ends, once there are so many."""
        await eventually(lambda: len(self.ends) >= number, within=within)
        return self.ends


def chat(text: str = "hi", *, stream: bool = False, **params: JsonValue) -> ChatCall:
    """A prompt with one message."""
    return ChatCall((Message("user", content=text),), params, stream=stream)


def answer(text: str = "Hello.") -> Completion:
    """A whole answer."""
    return Completion((Choice(0, Message("assistant", content=text), "stop"),))


def deployment(origin: str, mode: str = "ok", group: str = "silent") -> Deployment:
    """A deployment that a stub at the origin plays in the given mode."""
    headers = (("authorization", "Bearer sk-silent"), ("content-type", "application/json"))
    return Deployment(
        id=f"{group}-{mode}",
        group=group,
        provider="openai",
        model=mode,
        endpoint=Endpoint(f"{origin}/v1/chat/completions", headers),
    )


def target(
    stub: FaultStub | str,
    mode: str = "ok",
    group: str = "silent",
    *,
    timeout: float | None = None,
    system_prompt: str | None = None,
    params: Mapping[str, JsonValue] | None = None,
) -> SilentTarget:
    """A silent model that the stub plays in the given mode."""
    origin = stub if isinstance(stub, str) else stub.url
    return SilentTarget(
        group,
        deployment(origin, mode, group),
        timeout=timeout,
        system_prompt=system_prompt,
        params=params or {},
    )


def offer(*targets: SilentTarget, prompt: ChatCall | None = None, size: int = 100) -> Offer:
    """A prompt of a new pair, for its silent models."""
    return Offer(f"pair-{next(_NUMBERS)}", prompt or chat(), size, targets)


def answered(one: Offer, text: str = "Hello.") -> PrimaryEnd:
    """The primary's end of an offer: an answer."""
    return PrimaryEnd(one.pair_id, answer(text))


def failed(one: Offer) -> PrimaryEnd:
    """The primary's end of an offer: none."""
    return PrimaryEnd(one.pair_id, None)


def cancelled(one: Offer) -> PrimaryEnd:
    """The primary's end of an offer: its caller gave up."""
    return PrimaryEnd(one.pair_id, None, cancelled=True)


def open_http(**options: object) -> Callable[[], AbstractAsyncContextManager[Upstream]]:
    """What opens an upstream in each thread."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Upstream]:
        async with HttpUpstream(tls=_TLS, **options) as upstream:  # type: ignore[arg-type]
            yield upstream

    return opened


@asynccontextmanager
async def mirroring(
    journal: Notes,
    settings: MirrorSettings | None = None,
    upstream: Callable[[], AbstractAsyncContextManager[Upstream]] | None = None,
    grace: float = 0.0,
    speak: Callable[[str], Dialect] = dialect,
) -> AsyncGenerator[ThreadedMirror]:
    """Run a mirror; in the end it is drained, and its ledger must balance with the journal."""
    mirror = ThreadedMirror(
        settings or MirrorSettings(),
        dialect=speak,
        upstream=upstream or open_http(),
        journal=journal,
    )
    await mirror.start()
    try:
        yield mirror
    finally:
        await mirror.drain(grace)
    check_balance(mirror, journal)


def check_balance(mirror: ThreadedMirror, journal: Notes) -> None:
    """Hold the ledger of a drained mirror against the journal: M-24."""
    state = mirror.state
    assert (state.queued, state.queued_bytes, state.in_flight, state.unsettled) == (0, 0, 0, 0)
    keys = [(end.pair_id, end.silent_model) for end in journal.ends]
    assert len(keys) == len(set(keys)), "a copy ended twice"
    for one in state.silent_models:
        own = [end for end in journal.ends if end.silent_model == one.silent_model]
        assert one.figures.open == 0
        assert one.figures.offered == len(own)
        assert one.figures.outcomes == Counter(end.outcome for end in own)
        assert one.figures.shed == Counter(e.reason for e in own if e.outcome == "SHED")


def text_of(completion: Completion | None) -> str:
    """What an answer says."""
    assert completion is not None
    content = completion.choices[0].message.content
    assert content is not UNSET
    assert isinstance(content, str)
    return content

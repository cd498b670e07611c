"""The seams: what the story of one call needs from the world, one or two methods each.

Implementations live at the edge (`upstream`, `gate`, `simulated`, `sinks`) and meet the completer
in `app` only. Instants are seconds of the event loop's monotonic clock.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from understudy.server.domain.chat import ChatCall
from understudy.server.domain.completion import Completion, Delta, Warning
from understudy.server.domain.deployment import Deployment, Endpoint
from understudy.server.domain.mirroring import Disposition, Offer, PrimaryEnd
from understudy.server.domain.spending import Lease, Spending, Window
from understudy.server.domain.tellings import Telling
from understudy.server.errors import Reason, RefusedError
from understudy.server.events import CallEvent


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A POST. The credential is in the endpoint; `warnings` is what the dialect had to drop."""

    endpoint: Endpoint
    body: bytes
    stream: bool = False
    warnings: tuple[Warning, ...] = ()


class Reader(Protocol):
    """Turns one reply's bytes into an answer. Fed at any boundary; holds no more than its cap."""

    @property
    def done(self) -> bool:
        """Whether the reply itself has said that it is over, whatever still follows."""
        ...

    def feed(self, data: bytes) -> Sequence[Delta]:
        """Take the next bytes; return the deltas that they complete, none for a whole answer.

        Raises UpstreamError as soon as the reply is known to be no answer.
        """
        ...

    def finish(self) -> Completion:
        """Return the whole answer, the reply being over.

        Raises UpstreamError if the reply is a failure, malformed, or ended early.
        """
        ...


class Dialect(Protocol):
    """What a provider speaks. Pure: no socket, no clock."""

    def encode(self, call: ChatCall, deployment: Deployment) -> HttpRequest:
        """Write a prompt in the provider's language.

        Raises RequestError for what the dialect cannot carry, unless `drop_params` says to drop.
        """
        ...

    def reader(self, stream: bool, status: int, headers: Mapping[str, str]) -> Reader:
        """Return what reads the reply that begins with this status and these headers."""
        ...


class Exchange(Protocol):
    """A reply that has begun. Headers are found by their names in lower case."""

    status: int
    headers: Mapping[str, str]

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises UpstreamError; bounded in bytes and in time."""
        ...

    def hurry(self) -> None:
        """Give the rest of the body a moment, so that the connection can be kept, and then end.

        For a reply that has said that it is over: some servers hold the connection open after it.
        """
        ...


class Upstream(Protocol):
    """The network, or a stand-in for it. One for each event loop."""

    def exchange(
        self, request: HttpRequest, deadline: float, silence: float | None = None
    ) -> AbstractAsyncContextManager[Exchange]:
        """Send a request; leaving the context closes the connection unless the reply was whole.

        `silence` is the longest time without a byte, in seconds. Raises UpstreamError, classified
        by cause; on the deadline and after too long a silence with UPSTREAM_READ_TIMEOUT.
        """
        ...


class Purpose(Enum):
    """Why a deployment is asked. Each purpose has seats and breakers of its own."""

    PRIMARY = auto()
    SILENT = auto()


class Permit(Protocol):
    """A seat. Left exactly once, whatever happens."""

    def leave(self, reason: Reason | None, retry_after: float | None = None) -> None:
        """Give the seat back and say how it went. Never blocks, never raises.

        `None` is an answer; CANCELLED, a caller that gave up, says nothing of the deployment.
        `retry_after` is what the provider asked for, in seconds.
        """
        ...


class Gate(Protocol):
    """Who may ask a deployment now."""

    def enter(
        self, deployment: Deployment, purpose: Purpose, *, replaceable: bool = False
    ) -> Permit | RefusedError:
        """Return a seat, or why there is none. Never blocks, never raises.

        `replaceable` says that another deployment of the same tier can be asked instead.
        """
        ...


class Mirror(Protocol):
    """Plays prompts to silent models. What crosses is immutable, so that it may be a process."""

    def offer(self, offer: Offer) -> tuple[Disposition, ...]:
        """Take a prompt for its silent models; say of each whether it was taken.

        Costs the caller at most 50 µs. Never blocks, never raises: a full mirror sheds.
        """
        ...

    def settle(self, end: PrimaryEnd) -> None:
        """Take the primary's end of a pair that was offered. Never blocks, never raises."""
        ...

    def count_refusals(self, dispositions: Iterable[Disposition]) -> None:
        """Count what was not offered, for reasons that others found. Never blocks, never raises."""
        ...

    def note_headroom(self, deployment: Deployment, headers: Mapping[str, str]) -> None:
        """Take what a primary's reply says of its limits. Never blocks, never raises."""
        ...


class Treasury(Protocol):
    """Where what silent models cost is written down, for all processes that share it.

    Each method blocks, and raises RefusedError if the store is away.
    """

    def hold(self, lease: Lease, decide: Callable[[Spending], int]) -> tuple[int, Spending]:
        """Write a lease down, and grant it as much in all as `decide` says.

        `decide` is told what all others have taken, who can take nothing more until this is
        written. Returns what was granted, and what it was told.
        """
        ...

    def end(self, lease: Lease) -> None:
        """Write down that a lease has ended: what it has not spent others may have."""
        ...

    def look(self, window: Window) -> Mapping[str, Spending]:
        """Return what all have taken in a window, by silent model."""
        ...


class Registrar(Protocol):
    """Takes experiments that callers bring along, where the operator lets them."""

    async def register(
        self, experiment_id: str, models: Mapping[str, float], *, control: str, actor: str
    ) -> None:
        """Create and start an experiment, unless there is one; it serves when this returns.

        Raises RefusedError while that cannot be done, RequestError for what may not be.
        """
        ...


class Journal(Protocol):
    """Whoever wants to know what happened: logs, and what keeps records and tells the sinks."""

    def note(self, event: CallEvent) -> None:
        """Take an event, from any thread. Never blocks, never raises."""
        ...


class Sink(Protocol):
    """Somebody else's tool that wants to hear of calls: traces, logs in a bucket, metrics.

    Told in one thread, which is not the serving one, before the same calls are written to the
    store. Told again never.
    """

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Take what has happened. Raises nothing; may take a moment, but waits for no network."""
        ...

    def close(self, timeout: float) -> None:
        """Hand on what is left, for so many seconds at most, and end. Blocks."""
        ...

"""Keeps gRPC usable on both sides of a fork.

gRPC survives `os.fork` only while none of its threads is at work: otherwise it skips its own fork
handlers, and the child hangs or crashes in its first call. And a child must not use a channel of
its parent: the two would write into one connection. So before a fork the idle asyncio channels
are let go, because each keeps a thread of gRPC busy; after it every client of the child opens a
channel of its own; and where a fork could not be made safe, calls in the child are refused with
an error that says so. `GRPC_ENABLE_FORK_SUPPORT` need not be set; where it is set to 0, no fork
after the first call is safe. What others in the process do with gRPC cannot be seen from here.
"""

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Protocol
from weakref import WeakSet

import grpc

from understudy.client.errors import FORKED, Failure, Unavailable

_SWITCHED_OFF: Final = frozenset({"0", "f", "false", "n", "no"})


class Resting(Protocol):
    """A holder of channels that can do without them while nothing is under way."""

    def rest(self) -> bool:
        """Let idle channels go; return whether none is left. Never blocks, never raises."""
        ...


class _State:
    """What this process knows. One for each process; a child starts with a new one."""

    def __init__(self, generation: int, fault: str) -> None:
        self.generation = generation
        self.fault = fault
        self.fault_of_child = ""
        # Reentrant, because a signal handler may fork while this very thread opens a channel.
        self.lock = threading.RLock()
        # A set, because adding to it is one step for every thread, which counting is not.
        self.under_way: set[object] = set()


_state = _State(0, "")
_holders: WeakSet[Resting] = WeakSet()
_inherited: list[object] = []
# A channel that is never used nor closed. Without any, gRPC shuts itself down in a thread of its
# own, and a child forked meanwhile waits forever for that to end.
_anchor: grpc.Channel | None = None


def generation() -> int:
    """Return a number that differs between a process and its children."""
    return _state.generation


def let_rest(holder: Resting) -> None:
    """Have a holder asked to rest before each fork, for as long as it lives."""
    with _state.lock:
        _holders.add(holder)


@contextmanager
def opening() -> Generator[None]:
    """Keep forks away, and other threads, while a channel is opened."""
    global _anchor
    with _state.lock:
        if _anchor is None:
            _anchor = grpc.insecure_channel("localhost")
        yield


def leave_alone(inherited: object) -> None:
    """Keep a parent's channel or call untouched: ending it here could end it there too."""
    _inherited.append(inherited)


def check() -> None:
    """Raise Unavailable if gRPC cannot be used here."""
    if _state.fault:
        raise Unavailable(Failure(reason=FORKED, message=_state.fault, code="UNAVAILABLE"))


def begin() -> object:
    """Note that a call begins; return what `end` wants. Raises as `check`."""
    with _state.lock:  # not between the look before a fork and the fork
        check()
        token = object()
        _state.under_way.add(token)
        return token


def end(token: object) -> None:
    """Note that a call is over. May be said twice, and in a child of its process."""
    _state.under_way.discard(token)


@contextmanager
def under_way() -> Generator[None]:
    """Note a call for as long as the block lasts."""
    token = begin()
    try:
        yield
    finally:
        end(token)


def _before() -> None:
    _state.lock.acquire()
    _state.fault_of_child = _state.fault or _find_fault()


def _find_fault() -> str:
    if _anchor is None:
        return ""
    if os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "").lower() in _SWITCHED_OFF:
        return (
            "this process was forked from one that had used gRPC, whose fork support is switched "
            "off; unset GRPC_ENABLE_FORK_SUPPORT"
        )
    if _state.under_way or False in {holder.rest() for holder in _holders}:
        return (
            "this process was forked while its parent had calls under way, or an event loop "
            "connected in another thread, which gRPC does not survive; fork before the first "
            "call or between calls, or spawn"
        )
    return ""


def _after_in_parent() -> None:
    _state.lock.release()


def _after_in_child() -> None:
    global _state
    _state = _State(_state.generation + 1, _state.fault_of_child)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )

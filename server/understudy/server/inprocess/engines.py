"""Keeps one engine for each process: begun by the first call, begun anew in a child after a fork.

A child must leave its parent's engine as it is, sockets and all: the two would share them.
"""

import threading
import weakref
from concurrent.futures import Future
from dataclasses import dataclass, field

from understudy.client import forking
from understudy.server.config import Config
from understudy.server.inprocess.background import Background, tell_closed


@dataclass(slots=True)
class _Home:
    """What one process has."""

    # Reentrant, because a signal handler may call while this very thread begins an engine.
    lock: threading.RLock = field(default_factory=threading.RLock)
    background: Background | None = None


class Engines:
    """The engines of one configuration, one for each process that asks. Ended when forgotten."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._closed = False
        # By generation. A parent's stays, so that nothing of it is collected in a child.
        self._homes: dict[int, _Home] = {}
        weakref.finalize(self, _stop_own, self._homes).atexit = False

    def background(self) -> Background:
        """Return this process's. Raises Cancelled after `close`."""
        home = _own(self._homes)
        with home.lock:
            if self._closed:
                raise tell_closed()
            if home.background is None:
                home.background = Background(self._config)
            return home.background

    def close(self) -> Future[None]:
        """Take no more calls, cancel those under way; return what is done at the end of it all."""
        home = _own(self._homes)
        with home.lock:
            self._closed = True
            if home.background is None:
                nothing: Future[None] = Future()
                nothing.set_result(None)
                return nothing
            home.background.stop()
            return home.background.ended


def _own(homes: dict[int, _Home]) -> _Home:
    generation = forking.generation()
    return homes.get(generation) or homes.setdefault(generation, _Home())


def _stop_own(homes: dict[int, _Home]) -> None:
    """Stop, without waiting: whichever thread collects garbage comes here, the engine's too."""
    background = _own(homes).background
    if background is not None:
        background.stop()

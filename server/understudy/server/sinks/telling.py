"""All sinks as one: each told what its `capture` allows, at the same time, and none by another's
leave."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from understudy.server.capturing import Levels, Redactor
from understudy.server.domain.tellings import Telling
from understudy.server.ports import Sink
from understudy.server.sinks.figures import SinkFigures
from understudy.server.sinks.hearing import Ear

_LOG = logging.getLogger(__name__)

PATIENCE: Final = 1.0  # seconds until a batch must be heard, or is waited for no longer


class Sinks:
    """A sink made of several, to be told in one thread. Without any it is false.

    `own` are of the service itself, and nothing that an operator named. They count and keep no
    word, so that they are told all of it, and at once: a thread and a copy would cost more than
    they do.
    """

    def __init__(
        self,
        ears: Sequence[Ear],
        redactor: Redactor,
        *,
        own: Sequence[Sink] = (),
        patience: float = PATIENCE,
    ) -> None:
        self._ears = tuple(ears)
        self._own = tuple(own)
        self._redactor = redactor
        self._patience = patience

    def __bool__(self) -> bool:
        return bool(self._ears or self._own)

    @property
    def with_words(self) -> bool:
        """Whether any of them wants prompts and answers."""
        return any(
            ear.capture == "content" or (ear.capture == "redacted" and bool(self._redactor))
            for ear in self._ears
        )

    @property
    def figures(self) -> tuple[SinkFigures, ...]:
        """How each of those is that an operator named."""
        return tuple(ear.figures for ear in self._ears)

    @property
    def slow(self) -> int:
        """How often one of them took too long."""
        return sum(ear.slow for ear in self._ears)

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Tell all of them, and wait a moment until they have heard. Raises nothing."""
        for sink in self._own:
            _attempt(partial(sink.tell, tellings))
        if not self._ears:
            return
        levels = Levels(tuple(tellings), self._redactor)
        numbers = [(ear, ear.put(levels.at(ear.capture))) for ear in self._ears]
        deadline = time.monotonic() + self._patience
        for ear, number in numbers:
            ear.wait(number, deadline)

    def close(self, timeout: float) -> None:
        """Have all of them at once hand on what is left, for so many seconds. Blocks."""
        deadline = time.monotonic() + timeout
        for sink in self._own:
            _attempt(partial(sink.close, timeout))
        for ear in self._ears:
            ear.begin_end(deadline)
        for ear in self._ears:
            ear.join()


def _attempt(work: Callable[[], None]) -> None:
    """Do what a sink says that it can do without raising anything, and may err in that."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - one sink must harm nobody
        # Without the error's own text: that may quote a prompt.
        _LOG.error("a sink of our own failed: %s", type(error).__name__)

"""Passes the journal's events on to everybody who reads it."""

from understudy.server.events import CallEvent
from understudy.server.ports import Journal


class Fanout:
    """A journal made of several. Each takes events from any thread, and neither blocks nor raises."""

    def __init__(self, *journals: Journal) -> None:
        self._journals = journals

    def note(self, event: CallEvent) -> None:
        """Pass an event on."""
        for journal in self._journals:
            journal.note(event)

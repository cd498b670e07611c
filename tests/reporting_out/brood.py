"""The processes in which a test's reports are computed, those that nobody has waited for included."""

import os

from ..workers.crew import children

_others: set[int] = set()


def forget() -> None:
    """Take all that there are now for others'."""
    _others.clear()
    _others.update(children(os.getpid()))


def processes() -> list[int]:
    """Return those that have been started since."""
    return [one for one in children(os.getpid()) if one not in _others]

"""Ids of pairs: a call and the copies of it."""

import os
import time
from typing import Final

_BYTES: Final = 10  # of chance in an id
_AT_ONCE: Final = 256  # ids' worth of it; to ask the system each time costs as much as routing


def new_pair_id() -> str:
    """Return 32 hexadecimal digits that sort by time: milliseconds, then 80 random bits.

    From any thread. A process that was forked off makes ids of its own.
    """
    try:
        chance = _left.pop()
    except IndexError:
        digits = os.urandom(_BYTES * _AT_ONCE).hex()
        chance, *more = (
            digits[begin : begin + 2 * _BYTES] for begin in range(0, len(digits), 2 * _BYTES)
        )
        _left.extend(more)
    return f"{time.time_ns() // 1_000_000:012x}{chance}"


_left: Final[list[str]] = []
if hasattr(os, "register_at_fork"):
    # Or parent and child would both use what is left.
    os.register_at_fork(after_in_child=_left.clear)

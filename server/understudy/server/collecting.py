"""Keeps the collector of cyclic garbage out of the way of callers who wait for an answer."""

import gc
from typing import Final

_FULL_EVERY: Final = 1000  # collections of the middle generation, not ten


def settle() -> None:
    """Leave alone what there is by now: call when all is loaded, and before much is served.

    A full collection looks through everything, and for tens of milliseconds no thread runs
    meanwhile. What was loaded stays anyway, and few cycles live long enough to be found by it.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _FULL_EVERY)

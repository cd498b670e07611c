"""Keeps the collector of cyclic garbage out of the way of callers who wait for an answer."""

import gc
from typing import Final

_YOUNG: Final = 10_000  # objects more than there were, not 700: nearly all die without a collection
_FULL_EVERY: Final = 100  # collections of the middle generation, not ten


def settle() -> None:
    """Leave alone what there is by now: call when all is loaded, and before much is served.

    A full collection looks through everything, and for tens of milliseconds no thread runs
    meanwhile. What was loaded stays anyway, and few cycles live long enough to be found by it.
    """
    gc.collect()
    gc.freeze()
    _, middle, _ = gc.get_threshold()
    gc.set_threshold(_YOUNG, middle, _FULL_EVERY)

"""Finds the keys that carry a large share of an experiment's requests. Pure, in bounded memory.

Where one caller is much of the traffic, the split of requests is not that of callers, and what is
measured is measured by few.
"""

from typing import Final

SHARE: Final = 0.1
LEAST: Final = 1_000  # requests, below which a share says little
WINDOW: Final = 100_000  # requests, after which counting begins anew: what was is not what is
COUNTERS: Final = 128


class HeavyKeys:
    """Counts requests by key as Misra and Gries do: at most `COUNTERS` keys, each too low if at all.

    So a key that is found heavy is; one is missed only if its share exceeds `SHARE` by less than
    one in `COUNTERS`.
    """

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self.total = 0

    def count(self, key: str) -> bool:
        """Count a request, its key empty if it has none; return whether the key is heavy."""
        if self.total >= WINDOW:
            self._counts.clear()
            self.total = 0
        self.total += 1
        if not key:
            return False
        counts = self._counts
        count = counts.get(key, 0) + 1
        if count == 1 and len(counts) >= COUNTERS:
            # Not counting this one, and one less of each: as many requests go as came for it.
            self._counts = {one: left - 1 for one, left in counts.items() if left > 1}
            return False
        counts[key] = count
        return self.total >= LEAST and count > self.total * SHARE

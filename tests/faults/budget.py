"""How long a fuzz runs, and with what chance: 15 s in all by default, 10 minutes under `proof`.

`UNDERSTUDY_FUZZ_SECONDS` is for all fuzzes together. A failure names its seed; the same one in
`UNDERSTUDY_FUZZ_SEED` plays that round first.
"""

import os
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from random import Random

_SHARES = 3  # how many fuzzes share the time
SHORT = 15.0  # seconds
LONG = 600.0


def rounds(seconds: float) -> Iterator[tuple[str, Random]]:
    """Yield seeds, and chance made from each, until this fuzz's share of the time is over."""
    given = os.environ.get("UNDERSTUDY_FUZZ_SEED")
    if given is not None:
        yield given, Random(given)
    most = float(os.environ.get("UNDERSTUDY_FUZZ_SECONDS", seconds)) / _SHARES
    # Each long run goes where none was; the short one is the same for everybody.
    begin = time.time_ns() if seconds == LONG else 0
    end = time.monotonic() + most
    number = begin
    while time.monotonic() < end:
        yield str(number), Random(str(number))
        number += 1


@contextmanager
def telling(seed: str, *what: object) -> Generator[None]:
    """Let whatever fails within tell its seed, and what it was about."""
    try:
        yield
    except Exception as error:
        told = " ".join(repr(one)[:2000] for one in what)
        raise AssertionError(f"UNDERSTUDY_FUZZ_SEED={seed}: {error!r} with {told}") from error

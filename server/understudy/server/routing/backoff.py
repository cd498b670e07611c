"""Says how long to wait before a deployment is asked again. Pure: callers bring the ticket."""

from math import inf

FIRST = 0.25  # seconds; doubled with each repeat
LONGEST = 8.0  # seconds
LONGEST_ASKED = 60.0  # seconds; a provider that asks for more is not waited for
_MOST_DOUBLINGS = 5  # which LONGEST cuts


def wait_before(
    repeat: int, ticket: float, asked: float | None, least: float, remaining: float = inf
) -> float | None:
    """Return the seconds to wait before the given repeat (from 1), or None if too long.

    Full jitter (Brooker, AWS Architecture Blog, 2015) over an exponential ceiling; never less
    than the provider `asked` for nor than the configured `least`, always less than `remaining`.
    """
    if asked is None:
        wait = max(least, ticket * min(LONGEST, FIRST * 2.0 ** min(repeat - 1, _MOST_DOUBLINGS)))
    elif asked > LONGEST_ASKED:
        return None
    else:
        wait = max(least, asked + ticket * FIRST)
    return wait if wait < remaining else None

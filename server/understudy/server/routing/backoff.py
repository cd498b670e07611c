"""Says how long to wait before a deployment is asked again. Pure: callers bring the ticket."""

FIRST = 0.25  # seconds; doubled with each repeat
LONGEST = 8.0  # seconds
LONGEST_ASKED = 60.0  # seconds; a provider that asks for more is not waited for


def wait_before(repeat: int, ticket: float, asked: float | None, least: float) -> float | None:
    """Return the seconds to wait before the given repeat (from 1), or None if too long.

    Full jitter (Brooker, AWS Architecture Blog, 2015) over an exponential ceiling; never less
    than the provider `asked` for nor than the configured `least`.
    """
    jittered = ticket * min(LONGEST, FIRST * 2.0 ** (repeat - 1))
    if asked is None:
        return max(least, jittered)
    if asked > LONGEST_ASKED:
        return None
    return max(least, asked + ticket * FIRST)

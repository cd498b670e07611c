"""Says why there is no figure. Pure."""

from typing import Final

from understudy.server.domain.estimates import Insufficient, Lack

_WORDS: Final = {
    Lack.TOO_FEW: "too little data",
    Lack.NEAR_ZERO: "what it is a share of is not clearly apart from zero",
    Lack.UNEVEN: "a few keys have most of the calls, and would decide",
}


def tell_briefly(found: Insufficient) -> str:
    """Return why in the words that a table has room for."""
    if found.why is Lack.TOO_FEW and found.needed is not None:
        return f"{found.n:,} of {found.needed:,} needed"
    return _WORDS[found.why]


def tell_lack(found: Insufficient) -> str:
    """Return why, and how many it takes where that is known."""
    told = _WORDS[found.why]
    if found.why is Lack.TOO_FEW and found.needed is not None:
        return f"{told}: {found.n:,} of {found.needed:,} needed"
    return f"{told} ({found.n:,} seen)" if found.n else told

"""Makes what others wrote fit to be stored: PostgreSQL has no place for a NUL, nobody for a novel."""

from collections.abc import Iterable, Mapping
from typing import Final

from understudy.server.domain.completion import Warning

LONGEST: Final = 512  # characters of a name, a label or a word of a provider's
MOST_WARNINGS: Final = 20


def clean(text: str) -> str:
    """Return a text without what no store takes, clipped."""
    clipped = text[:LONGEST]
    if clipped.isascii() and "\0" not in clipped:
        return clipped
    return clipped.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def clean_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return a caller's labels, each fit to be stored."""
    return {clean(key): clean(value) for key, value in labels.items()}


def clean_warnings(warnings: Iterable[Warning]) -> tuple[Warning, ...]:
    """Return warnings fit to be stored, and no more than anybody reads."""
    few = tuple(warnings)[:MOST_WARNINGS]
    return tuple(Warning(clean(one.reason), clean(one.message)) for one in few)

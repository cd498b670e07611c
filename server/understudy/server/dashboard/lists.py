"""What a list is asked by, as its address says it, and how its pages are turned.

A page is found again by its address: where it begins is a place in the order, not a number of
rows, so that what comes meanwhile moves nothing. What can be asked is `domain.record_queries`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

import msgspec

from understudy.server.dashboard.visit import Visit
from understudy.server.domain.record_queries import Condition, Found, Place, Query
from understudy.server.errors import AccessError, Reason, RequestError

T = TypeVar("T")

PAGE: Final = 50
MOST_WORDS: Final = 200  # characters
LOOKED_AT: Final = 20_000  # rows, for one page of a condition that no index answers
_LONGEST: Final = 1000  # characters of a place
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Sort:
    """An order that a list can have. `name` is empty for the one it has unasked."""

    name: str
    words: str
    order: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of a list says."""

    filter: str
    words: str
    sort: Sort
    after: Place | None = None
    before: Place | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the list's beginning."""
        return self.after is None and self.before is None

    def link(self, **others: str) -> str:
        """Return the part of an address that asks for this from its beginning, and for others."""
        said = {"filter": self.filter, "words": self.words, "sort": self.sort.name, **others}
        return urlencode({name: text for name, text in said.items() if text})


@dataclass(frozen=True, slots=True)
class Leaf(Generic[T]):
    """A page of a list. `newer` and `older` ask for the pages beside it, empty where none is.

    `reached` is there where the page ends before it is full.
    """

    items: tuple[tuple[T, Place], ...]
    newer: str = ""
    older: str = ""
    reached: Place | None = None


def read_asked(visit: Visit, sorts: Sequence[Sort]) -> Asked:
    """Return what the address says. Raises RequestError, and AccessError for a search in texts."""
    query = visit.query
    words = query.get("words", "")
    if words and not visit.sees_texts:
        raise AccessError(
            Reason.ROLE_MISSING, "prompts and answers are searched for the role `reader` only"
        )
    if len(words) > MOST_WORDS or "\0" in words:
        raise RequestError(f"search for at most {MOST_WORDS} characters, none of them NUL")
    wanted = query.get("sort", "")
    return Asked(
        query.get("filter", ""),
        words,
        next((one for one in sorts if one.name == wanted), sorts[0]),
        _read_place(query, "after"),
        _read_place(query, "before"),
    )


async def turn(
    visit: Visit, asked: Asked, condition: Condition, find: Callable[[Query], Found[T]]
) -> Leaf[T]:
    """Return the page that is asked for. Raises what `find` raises."""
    sort = asked.sort
    query = Query(
        condition,
        sort.order,
        sort.descending,
        asked.after,
        PAGE,
        asked.words,
        LOOKED_AT,
    )
    if asked.before is not None:
        back = msgspec.structs.replace(query, descending=not sort.descending, after=asked.before)
        found = await visit.read(lambda: find(back))
        if found.has_more or found.reached is not None:
            return _backward(asked, found)
        # So near to the beginning that this is the first page.
        query = msgspec.structs.replace(query, after=None)
    found = await visit.read(lambda: find(query))
    return _forward(asked, found, is_first=query.after is None)


def _forward(asked: Asked, found: Found[T], *, is_first: bool) -> Leaf[T]:
    first = found.items[0][1] if found.items else asked.after
    last = found.items[-1][1] if found.has_more else found.reached
    newer = "" if is_first or first is None else asked.link(before=_write_place(first))
    older = "" if last is None else asked.link(after=_write_place(last))
    return Leaf(found.items, newer, older, found.reached)


def _backward(asked: Asked, found: Found[T]) -> Leaf[T]:
    items = found.items[::-1]
    first = items[0][1] if found.has_more else found.reached
    last = items[-1][1] if items else asked.before
    newer = "" if first is None else asked.link(before=_write_place(first))
    older = "" if last is None else asked.link(after=_write_place(last))
    return Leaf(items, newer, older)


def _write_place(place: Place) -> str:
    return msgspec.json.encode(place).decode()


def _read_place(query: Mapping[str, str], name: str) -> Place | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        place = msgspec.json.decode(text, type=Place) if len(text) <= _LONGEST else None
    except (ValueError, msgspec.DecodeError):
        place = None
    if place is None or abs(place.value) > _LARGEST or "\0" in place.id + place.silent_model:
        raise RequestError("this address does not say where its page begins; go back to the first")
    return place

"""Divides 10,000 slots between variants, and finds the slot of a key. Pure arithmetic.

A table of slots is kept with its experiment, because it cannot be told from the weights alone: it
holds who came when. That is what lets a change of weights move only those who must move, and an
undone change bring back exactly those who had moved. What a key is, and who is asked for it, is
`routing.assignment`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from hashlib import sha256
from itertools import count, pairwise
from math import isfinite
from operator import attrgetter
from typing import Final

from understudy.server.domain.experiments import SLOTS, SlotRange
from understudy.server.errors import RequestError

Slots = tuple[SlotRange, ...]

_TAG: Final = b"understudy/v1\x1f"
_START: Final = attrgetter("start")
_TAKEN: Final = attrgetter("taken")


def find_slot(salt: str, key: str) -> int:
    """Return the slot of a key, the same everywhere and always: SHA-256, its first 53 bits."""
    digest = sha256(_TAG + salt.encode() + b"\x1f" + key.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) * SLOTS >> 53


def owner(slots: Sequence[SlotRange], slot: int) -> str:
    """Return the variant that a slot belongs to."""
    return slots[bisect_right(slots, slot, key=_START) - 1].variant


def allot(weights: Mapping[str, int]) -> Slots:
    """Return a fresh table: one range for each variant with a weight, in the order given."""
    _check(weights)
    slots: list[SlotRange] = []
    start = 0
    for variant, weight in weights.items():
        if weight:
            slots.append(SlotRange(start, start + weight, variant))
            start += weight
    return tuple(slots)


def reallot(slots: Sequence[SlotRange], weights: Mapping[str, int]) -> Slots:
    """Return the table for new weights, with as few slots moved as the weights allow.

    Last in, first out: a variant that loses gives up what it took last, from the end. Those that
    gain take what is freed, in the order given. A variant without a weight is gone.
    """
    _check(weights)
    stacks: dict[str, list[SlotRange]] = {variant: [] for variant in weights}
    for one in sorted(slots, key=_TAKEN):
        stacks.setdefault(one.variant, []).append(one)
    freed: list[SlotRange] = []
    for variant, stack in stacks.items():
        freed += _give_up(stack, _width(stack) - weights.get(variant, 0))
    freed.reverse()  # a stack, its next on top
    turn = count(max((one.taken for one in slots), default=0) + 1)
    for variant, weight in weights.items():
        stack = stacks[variant]
        missing = weight - _width(stack)
        while missing > 0:
            piece = freed.pop()
            most = min(piece.end, piece.start + missing)
            stack.append(SlotRange(piece.start, most, variant, next(turn)))
            missing -= most - piece.start
            if most < piece.end:
                freed.append(SlotRange(most, piece.end, piece.variant))
    merged = [one for stack in stacks.values() for one in _merge(stack)]
    return tuple(sorted(merged, key=_START))


def count_moved(old: Sequence[SlotRange], new: Sequence[SlotRange]) -> int:
    """Return how many slots have another owner; none if one of the tables is empty."""
    if not old or not new:
        return 0
    bounds = sorted({0, *(one.end for one in old), *(one.end for one in new)})
    return sum(
        end - start for start, end in pairwise(bounds) if owner(old, start) != owner(new, start)
    )


def largest_remainder(weights: Mapping[str, float]) -> dict[str, int]:
    """Return basis points for relative weights, summing to 10,000 exactly.

    Each is its share rounded down or up, but for one thing: whoever has any weight gets at least
    one basis point, at the cost of the heaviest, because 0 means never. The order of the weights
    changes nothing. Raises RequestError for what is no weight, and for a sum of 0.
    """
    for name, weight in weights.items():
        if not (isfinite(weight) and weight >= 0):
            raise RequestError(
                f"the weight of {name!r} is {weight}; it must be finite and not negative",
                field=f"models[{name!r}]",
            )
    exact = {name: Fraction(weight) for name, weight in weights.items()}
    total = sum(exact.values())
    if not total:
        raise RequestError("the weights sum to 0, so nothing can be drawn", field="models")
    if sum(1 for one in exact.values() if one) > SLOTS:
        raise RequestError(f"at most {SLOTS} models can share the traffic", field="models")
    shares = {name: one * SLOTS / total for name, one in exact.items()}
    points = {name: max(int(share), 1 if share else 0) for name, share in shares.items()}
    left = SLOTS - sum(points.values())
    for name in sorted(points, key=lambda name: (points[name] - shares[name], name))[
        : max(left, 0)
    ]:
        points[name] += 1
    for _ in range(-left):
        points[min(points, key=lambda name: (-points[name], name))] -= 1
    return points


def _check(weights: Mapping[str, int]) -> None:
    if any(weight < 0 for weight in weights.values()) or sum(weights.values()) != SLOTS:
        raise ValueError(f"weights are not negative and sum to {SLOTS}: {dict(weights)}")


def _width(ranges: Iterable[SlotRange]) -> int:
    return sum(one.end - one.start for one in ranges)


def _give_up(stack: list[SlotRange], surplus: int) -> list[SlotRange]:
    """Take what came last off a stack; return it in the order in which it had come."""
    given: list[SlotRange] = []
    while surplus > 0:
        last = stack.pop()
        cut = max(last.start, last.end - surplus)
        given.append(SlotRange(cut, last.end, last.variant))
        surplus -= last.end - cut
        if last.start < cut:
            stack.append(SlotRange(last.start, cut, last.variant, last.taken))
    given.reverse()
    return given


def _merge(stack: Iterable[SlotRange]) -> list[SlotRange]:
    """Return a stack with neighbours made one where that leaves its order as it is."""
    merged: list[SlotRange] = []
    for one in stack:
        if merged and merged[-1].end == one.start:
            one = SlotRange(merged[-1].start, one.end, one.variant, merged.pop().taken)
        merged.append(one)
    return merged

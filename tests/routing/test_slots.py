"""The same key has the same slot everywhere, and a change moves nobody who need not move."""

import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.experiments import SLOTS, SlotRange
from understudy.server.routing.slots import (
    allot,
    count_moved,
    find_slot,
    owner,
    reallot,
)

NAMES = ("a", "b", "c", "d", "e")

GOLDEN = [
    ("exp-1:7f3a", "user-1", 9753),
    ("exp-1:7f3a", "user-2", 3891),
    ("exp-2:7f3a", "user-1", 5835),
    ("exp-1:7f3a", "ключ", 4027),
    ("exp-1:7f3a", "", 6342),
]


def cut(points: Sequence[int], names: Sequence[str] = NAMES) -> dict[str, int]:
    """Return weights that sum to 10,000: the gaps between the points."""
    bounds = sorted((0, *points, SLOTS))
    return {name: high - low for name, (low, high) in zip(names, pairwise(bounds), strict=False)}


WEIGHTS = st.lists(st.integers(0, SLOTS), min_size=1, max_size=len(NAMES) - 1).map(cut)


def owners(slots: Sequence[SlotRange]) -> list[str]:
    found = [""] * SLOTS
    for one in slots:
        found[one.start : one.end] = [one.variant] * (one.end - one.start)
    return found


def widths(slots: Sequence[SlotRange]) -> dict[str, int]:
    return dict(Counter(owners(slots)))


def chi2_bound(freedom: int, z: float = 3.719) -> float:
    """Return what chi-square exceeds with the probability 1e-4, by Wilson and Hilferty."""
    part = 2 / (9 * freedom)
    return freedom * (1 - part + z * math.sqrt(part)) ** 3


@pytest.fixture(scope="module")
def crowd() -> list[int]:
    """How many of a million keys have each slot."""
    counts = [0] * SLOTS
    for number in range(1_000_000):
        counts[find_slot("exp-1:7f3a", f"user-{number}")] += 1
    return counts


@pytest.mark.parametrize(("salt", "key", "slot"), GOLDEN)
def test_a_key_has_the_slot_that_was_written_down(salt: str, key: str, slot: int) -> None:
    assert find_slot(salt, key) == slot


@pytest.mark.parametrize("seed", ["1", "2"])
def test_another_process_finds_the_same_slots(seed: str) -> None:
    code = (
        "from understudy.server.routing.slots import find_slot\n"
        f"print([find_slot(salt, key) for salt, key, _ in {GOLDEN!a}])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == str([slot for _, _, slot in GOLDEN])


def test_keys_are_spread_evenly_over_all_slots(crowd: list[int]) -> None:
    mean = sum(crowd) / SLOTS

    assert sum((one - mean) ** 2 / mean for one in crowd) < chi2_bound(SLOTS - 1)


@pytest.mark.parametrize("seed", range(20))
def test_shares_are_what_the_weights_say(crowd: list[int], seed: int) -> None:
    random = Random(seed)
    cuts = [random.randrange(1, SLOTS) for _ in range(random.randint(1, 4))]
    weights = cut([1, *cuts][: len(NAMES) - 1])  # the first has one in ten thousand
    slots = reallot(allot(cut([5000])), weights)

    chi2 = 0.0
    for name, weight in weights.items():
        drawn = sum(count for count, who in zip(crowd, owners(slots), strict=True) if who == name)
        mean = sum(crowd) * weight / SLOTS
        assert weight or not drawn
        chi2 += (drawn - mean) ** 2 / mean if weight else 0
    assert chi2 < chi2_bound(sum(1 for weight in weights.values() if weight) - 1)


@pytest.mark.parametrize("salts", [("exp-1:7f3a", "exp-2:7f3a"), ("a", "b"), ("", "0")])
def test_two_experiments_are_independent(salts: tuple[str, str]) -> None:
    keys = 100_000
    joint: Counter[tuple[int, int]] = Counter()
    for number in range(keys):
        one, other = (find_slot(salt, f"user-{number}") * 10 // SLOTS for salt in salts)
        joint[one, other] += 1
    rows, columns = Counter[int](), Counter[int]()
    for (row, column), count in joint.items():
        rows[row] += count
        columns[column] += count

    chi2 = sum(
        (joint[row, column] - mean) ** 2 / mean
        for row in rows
        for column in columns
        for mean in [rows[row] * columns[column] / keys]
    )
    assert chi2 < chi2_bound((len(rows) - 1) * (len(columns) - 1))


@given(WEIGHTS)
def test_a_fresh_table_has_each_variant_once(weights: dict[str, int]) -> None:
    slots = allot(weights)

    assert [one.variant for one in slots] == [name for name, weight in weights.items() if weight]
    assert widths(slots) == {name: weight for name, weight in weights.items() if weight}


@given(st.lists(WEIGHTS, min_size=2, max_size=6))
def test_a_change_moves_exactly_those_who_must_move(history: list[dict[str, int]]) -> None:
    slots = allot(history[0])
    for old, new in pairwise(history):
        before, slots = slots, reallot(slots, new)

        assert widths(slots) == {name: weight for name, weight in new.items() if weight}
        moved = [
            (was, now) for was, now in zip(owners(before), owners(slots), strict=True) if was != now
        ]
        least = sum(max(0, weight - old.get(name, 0)) for name, weight in new.items())
        assert len(moved) == least == count_moved(before, slots)
        for was, now in moved:
            assert new.get(was, 0) < old.get(was, 0)
            assert new[now] > old.get(now, 0)


@given(st.lists(WEIGHTS, min_size=1, max_size=6))
def test_a_table_covers_every_slot_once_and_in_order(history: list[dict[str, int]]) -> None:
    slots = allot(history[0])
    for weights in history[1:]:
        slots = reallot(slots, weights)

    assert slots[0].start == 0
    assert slots[-1].end == SLOTS
    assert all(one.end == other.start for one, other in pairwise(slots))
    assert all(one.start < one.end for one in slots)
    assert [owner(slots, slot) for slot in range(SLOTS)] == owners(slots)


@given(st.lists(st.integers(0, SLOTS), min_size=8, max_size=8), st.data())
def test_an_undone_change_brings_back_who_had_moved(points: list[int], data: st.DataObject) -> None:
    names = NAMES[: data.draw(st.integers(2, 5))]
    few = len(names) - 1
    slots = allot(cut(points[:few], names))
    for shift in range(1, data.draw(st.integers(1, 4))):
        slots = reallot(slots, cut(points[shift : shift + few], names))
    weights = {name: widths(slots).get(name, 0) for name in names}

    there = reallot(slots, cut(points[-few:], names))

    assert count_moved(slots, reallot(there, weights)) == 0


def test_a_ramp_keeps_the_first_to_come_until_the_last() -> None:
    table = start = allot({"control": 9000, "new": 1000})
    for share in (2000, 5000, 10_000):
        table = reallot(table, {"control": SLOTS - share, "new": share})
        assert all(owner(table, slot) == "new" for slot in range(9000, SLOTS))
    for share in (5000, 2000, 1000):
        table = reallot(table, {"control": SLOTS - share, "new": share})
        assert all(owner(table, slot) == "new" for slot in range(9000, SLOTS))

    assert count_moved(start, table) == 0


def test_ramping_up_and_down_does_not_shred_the_table() -> None:
    table = allot({"control": 9000, "new": 1000})
    for _ in range(200):
        table = reallot(table, {"control": 5000, "new": 5000})
        table = reallot(table, {"control": 9000, "new": 1000})

    assert table == allot({"control": 9000, "new": 1000})


def test_a_variant_comes_and_goes() -> None:
    start = allot({"a": 6000, "b": 4000})

    joined = reallot(start, {"a": 5000, "b": 4000, "c": 1000})
    assert widths(joined) == {"a": 5000, "b": 4000, "c": 1000}
    assert owners(reallot(joined, {"a": 6000, "b": 4000})) == owners(start)


def test_the_order_of_variants_moves_nobody() -> None:
    slots = reallot(allot({"a": 6000, "b": 4000}), {"a": 3000, "b": 5000, "c": 2000})

    assert reallot(slots, {"c": 2000, "a": 3000, "b": 5000}) == slots


def test_nobody_moves_where_there_was_no_table() -> None:
    assert count_moved((), allot({"a": SLOTS})) == 0


@pytest.mark.parametrize("weights", [{}, {"a": 9999}, {"a": 10_001, "b": -1}])
def test_weights_that_are_no_whole_are_refused(weights: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="sum to 10000"):
        allot(weights)
    with pytest.raises(ValueError, match="sum to 10000"):
        reallot((), weights)

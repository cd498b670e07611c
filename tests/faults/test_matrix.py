"""Every way to misbehave, as a primary and as a silent model: told by its row, in bounds, no leak.

`make faults` prints what is asserted here as a table.
"""

import sys

import pytest

from .cases import CASES, Case
from .furnishing import Side
from .house import House

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what it measures is in /proc")


def faults(house: House, case: Case, side: Side) -> list[str]:
    """What is wrong; too slow only if it was so three times, for the machine may be busy."""
    found: list[str] = []
    for _ in range(3):
        found = house.play(case, side).faults
        if not found or not all("took" in one for one in found):
            break
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_primary_may_misbehave(our_house: House, case: Case) -> None:
    assert faults(our_house, case, "primary") == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_silent_model_may_misbehave_unnoticed(our_house: House, case: Case) -> None:
    assert faults(our_house, case, "silent") == []


def test_what_is_under_way_is_seen_and_what_is_cancelled_is_not(our_house: House) -> None:
    """The rig itself: a leak would be found."""
    held, left = our_house.play_patiently()

    assert held["seats"] >= 1
    assert held["connections"] == 1
    assert any(name.startswith("task ") for name in held)
    assert left == {}

"""The collector of cyclic garbage, as a service sets it."""

import gc
from collections.abc import Generator
from weakref import ref

import pytest

from understudy.server.collecting import settle


@pytest.fixture(autouse=True)
def as_before() -> Generator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_what_was_loaded_is_not_looked_through_again() -> None:
    loaded: list[object] = [[]]

    settle()

    assert gc.is_tracked(loaded)
    assert not any(one is loaded for one in gc.get_objects())
    assert gc.get_freeze_count() > 0


def test_collections_become_rare_and_full_ones_more_so() -> None:
    young, middle, full = gc.get_threshold()

    settle()

    rarer_young, same_middle, rarer_full = gc.get_threshold()
    assert rarer_young > young
    assert same_middle == middle
    assert rarer_full > full


def test_cycles_that_come_later_are_still_found() -> None:
    class Cycle:
        def __init__(self) -> None:
            self.own = self

    settle()
    gone = ref(Cycle())
    gc.collect()

    assert gone() is None

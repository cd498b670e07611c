"""Shares that were promised: how few units say nothing of them, and what can be no chance."""

from random import Random

import pytest

from understudy.server.domain.estimates import Insufficient
from understudy.server.evaluation.sample_ratio import Epoch, SampleRatio, check, watch

from .traffic import RUNS, most


@pytest.mark.parametrize(
    "epochs",
    [
        [],
        [Epoch((0, 0), (1, 1))],
        [Epoch((5,), (1,))],
        [Epoch((5, 0), (1, 0))],
    ],
)
def test_shares_of_little_or_of_one_variant_say_nothing(epochs: list[Epoch]) -> None:
    assert isinstance(check(epochs), Insufficient)
    assert watch(epochs).p == 1


def test_shares_say_how_many_units_it_takes() -> None:
    assert check([Epoch((30, 2), (9, 1))]) == Insufficient(32, 50)
    assert check([Epoch((0, 0), (9, 1))]) == Insufficient(0, 50)


def test_a_variant_of_weight_0_that_gets_something_is_a_mismatch_for_sure() -> None:
    epochs = [Epoch((10, 1, 0), (1, 0, 0)), Epoch((0, 0, 0), (1, 1, 1))]

    found = check(epochs)

    assert isinstance(found, SampleRatio)
    assert (found.statistic, found.p, found.mismatched) == (None, 0, True)
    assert watch(epochs).p == 0


@pytest.mark.parametrize("runs", RUNS)
def test_shares_as_promised_are_seldom_held_for_a_mismatch(runs: int) -> None:
    suspected = 0
    for seed in range(runs):
        draw = Random(seed)
        epochs: list[Epoch] = []
        for n, weights in ((300, (9, 1)), (200, (5, 5))):
            candidate = sum(draw.random() < weights[1] / 10 for _ in range(n))
            epochs.append(Epoch((n - candidate, candidate), weights))
        found = check(epochs)
        assert isinstance(found, SampleRatio)
        suspected += found.p < 0.05

    assert suspected <= most(runs)


@pytest.mark.parametrize("runs", RUNS)
def test_shares_may_be_looked_at_after_every_ten_units(runs: int) -> None:
    suspected = 0
    for seed in range(runs):
        draw = Random(seed)
        candidate, least = 0, 1.0
        for n in range(10, 1_001, 10):
            candidate += sum(draw.random() < 0.1 for _ in range(10))
            least = min(least, watch([Epoch((n - candidate, candidate), (9, 1))]).p)
        suspected += least < 0.05

    assert suspected <= most(runs)

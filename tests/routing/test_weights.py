"""What a file says of weights becomes shares, and a ticket becomes a pick."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.deployment import Deployment
from understudy.server.routing.weights import effective_weights, pick

from .making import deployment

A, B, C = "a", "b", "c"

weights = st.lists(st.floats(0, 1e308), min_size=1, max_size=8)
tickets = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("deployments", "shares"),
    [
        ([deployment(A, 0.8), deployment(B, 0.2)], (0.8, 0.2)),
        ([deployment(A), deployment(B, 1), deployment(C, 99)], (0, 0.01, 0.99)),
        ([deployment(A, rpm=900), deployment(B, rpm=100)], (0.9, 0.1)),
        ([deployment(A, tpm=900), deployment(B, tpm=100)], (0.9, 0.1)),
        ([deployment(A, 1, rpm=1), deployment(B, 3, rpm=999)], (0.25, 0.75)),
        ([deployment(A), deployment(B)], (0.5, 0.5)),
        ([deployment(A, 0), deployment(B, 0)], (0, 0)),
        ([deployment(A, 0), deployment(B)], (0, 1)),
        ([deployment(A, 0, rpm=100), deployment(B, rpm=100)], (0, 1)),
        ([deployment(A, 1e308), deployment(B, 1e308)], (0.5, 0.5)),
    ],
)
def test_weight_counts_before_rpm_before_tpm_before_none(
    deployments: Sequence[Deployment], shares: tuple[float, ...]
) -> None:
    assert effective_weights(deployments) == pytest.approx(shares)


@given(weights, tickets)
def test_a_weight_of_zero_is_never_picked(given_weights: list[float], ticket: float) -> None:
    index = pick(given_weights, ticket)

    if index is None:
        assert not any(given_weights)
    else:
        assert given_weights[index] > 0


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6).filter(any))
def test_each_slice_is_as_wide_as_its_weight(given_weights: list[int]) -> None:
    total = sum(given_weights)

    picks = [pick(given_weights, (mark + 0.5) / total) for mark in range(total)]

    assert [picks.count(index) for index in range(len(given_weights))] == given_weights


def test_the_last_ticket_belongs_to_the_last_slice() -> None:
    assert pick([0.1] * 10 + [0.0], math.nextafter(1, 0)) == 9


def test_nobody_is_picked_from_nothing() -> None:
    assert pick([], 0.5) is None
    assert pick([0.0, 0.0], 0.5) is None

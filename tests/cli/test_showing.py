"""Figures as a terminal shows them."""

import pytest

from understudy.server.cli.showing import cost
from understudy.v1 import completion_pb2, record_pb2

Cost = completion_pb2.Cost


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (Cost(nano_usd=1_234_567_000, status=Cost.STATUS_EXACT), "$1.234567"),
        (Cost(nano_usd=210_000, status=Cost.STATUS_EXACT), "$0.000210"),
        (Cost(nano_usd=37, status=Cost.STATUS_EXACT), "$0.000000037"),
        (Cost(nano_usd=0, status=Cost.STATUS_EXACT), "$0.000000"),
        (Cost(nano_usd=7_000, status=Cost.STATUS_ESTIMATED), "≈$0.000007"),
        (Cost(status=Cost.STATUS_UNKNOWN), ""),
    ],
)
def test_a_cost_is_shown_to_its_last_digit_and_marked_where_it_is_estimated(
    told: completion_pb2.Cost, shown: str
) -> None:
    assert cost(record_pb2.Record(cost=told)) == shown

"""Figures are written no finer than they are known, and never so that they say something else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.estimates import Interval, Method
from understudy.server.domain.reports import Unit
from understudy.server.readout.amounts import write_range, write_value
from understudy.server.readout.wordings import Form

FLOATS = st.floats(-1e12, 1e12, allow_nan=False)


def interval(at: float, low: float, high: float) -> Interval:
    return Interval(at, low, high, 10, Method.T)


@pytest.mark.parametrize(
    ("found", "unit", "form", "value", "range_"),
    [
        ((1.834, 1.712, 1.961), Unit.NONE, Form.RATIO, "1.83 \u00d7", "1.71 … 1.96"),
        ((0.6, 0.5023, 0.6977), Unit.NONE, Form.SHARE, "60.0 %", "50.2 … 69.8"),
        ((0.67123, 0.66, 0.683), Unit.SECONDS, Form.AMOUNT, "671 ms", "660 … 683"),
        ((2.1034, 1.98, 2.22), Unit.USD, Form.AMOUNT, "$2.10", "1.98 … 2.22"),
        ((0.00042, 0.0004, 0.00044), Unit.USD, Form.AMOUNT, "$0.000420", "0.000400 … 0.000440"),
        ((-0.002, -0.01, 0.006), Unit.NONE, Form.POINTS, "\u22120.2 points", "\u22121.0 … +0.6"),
        ((4812, 4812, 4812), Unit.CALLS, Form.COUNT, "4,812", ""),
        ((0.0, 0.0, 0.0), Unit.USD, Form.AMOUNT, "$0", ""),
    ],
)
def test_figures_have_the_digits_that_mean_something(
    found: tuple[float, float, float], unit: Unit, form: Form, value: str, range_: str
) -> None:
    signed = form is Form.POINTS

    assert write_value(interval(*found), unit, form, signed=signed) == value
    assert write_range(interval(*found), unit, form, signed=signed) == range_


@given(st.tuples(FLOATS, FLOATS, FLOATS), st.sampled_from(Unit), st.sampled_from(Form))
def test_every_interval_can_be_written(
    ends: tuple[float, float, float], unit: Unit, form: Form
) -> None:
    low, at, high = sorted(ends)

    value = write_value(interval(at, low, high), unit, form, signed=True)
    told = write_range(interval(at, low, high), unit, form, signed=True)

    assert re.fullmatch(r"[+\u2212]?\$?[0-9,]+(\.[0-9]+)?( \S+)?", value)
    assert bool(told) == (low < high)
    assert not told or told.count(" … ") == 1

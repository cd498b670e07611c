"""Numbers, durations and sizes: what is taken, and what is refused."""

from collections.abc import Callable
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.config import units
from understudy.server.config.units import UnreadableError

READERS: list[Callable[[object], object]] = [
    units.number,
    units.weight,
    units.fraction,
    units.whole,
    units.count,
    units.positive_count,
    units.port,
    units.duration,
    units.positive_duration,
    units.size,
    units.message_size,
    units.flag,
    units.name,
]
ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("2m", 120),
        ("500ms", 0.5),
        ("24h", 86400),
        ("30d", 2592000),
        ("1.5s", 1.5),
        ("30 s", 30),
        (" 30s ", 30),
        (7, 7),
        (0.25, 0.25),
        ("7", 7),
        ("0.5", 0.5),
        (0, 0),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_says_its_unit(text: object, seconds: float) -> None:
    assert units.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "30x", "30S", "-1s", "1h30m", "1e3s", "nan", "inf", True, None, -1, "٣s"]
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(UnreadableError, match="must"):
        units.duration(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("64MiB", 64 * 2**20), ("10GiB", 10 * 2**30), ("1kB", 1000), ("0.5KiB", 512), (5, 5)],
)
def test_a_size_is_a_number_of_bytes_or_says_its_unit(text: object, size: int) -> None:
    assert units.size(text) == size


@pytest.mark.parametrize("text", ["64mib", "64 M", "0", "0.3B", -1, "1e30TiB", True, None, "nan"])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(UnreadableError, match="must"):
        units.size(text)


@pytest.mark.parametrize(
    ("given", "weight"), [(1, 1), (0.8, 0.8), (0, 0), ("0.8", 0.8), (" 3 ", 3), ("1e2", 100)]
)
def test_numeric_text_is_a_weight(given: object, weight: float) -> None:
    assert units.weight(given) == weight


@pytest.mark.parametrize(
    "given",
    [-1, "-0.1", float("nan"), float("inf"), "nan", "inf", "1e999", "1_000", "0x10", "a", "", True],
)
def test_a_weight_that_is_negative_or_not_finite_or_no_number_is_refused(given: object) -> None:
    with pytest.raises(UnreadableError, match="must"):
        units.weight(given)


@given(st.floats(min_value=0, max_value=1e300))
def test_every_finite_number_is_a_weight_in_text_too(value: float) -> None:
    assert units.weight(value) == units.weight(repr(value)) == value


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m", "h"]))
def test_units_of_time_scale(value: int, unit: str) -> None:
    factor = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]
    expected = value * factor

    if expected <= 3650 * 86400:
        assert units.duration(f"{value}{unit}") == pytest.approx(expected)


@given(st.integers(1, 2**20), st.sampled_from([("B", 1), ("KiB", 2**10), ("GiB", 2**30)]))
def test_units_of_size_scale(value: int, unit: tuple[str, int]) -> None:
    assert units.size(f"{value}{unit[0]}") == value * unit[1]


@pytest.mark.parametrize("reader", READERS)
@given(ANYTHING)
def test_a_reader_returns_something_sound_or_refuses(
    reader: Callable[[object], object], value: object
) -> None:
    try:
        result = reader(value)
    except UnreadableError as error:
        result = str(error).startswith("must")

    assert result is not False or reader is units.flag
    assert not isinstance(result, float) or isfinite(result)

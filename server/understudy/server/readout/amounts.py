"""Writes figures as people read them: in a unit of handy size, no finer than they are known. Pure."""

from math import floor, log10
from typing import Final

from understudy.server.domain.estimates import Interval
from understudy.server.domain.reports import Unit
from understudy.server.readout.wordings import Form

_MINUS: Final = "\u2212"
_MOST_DECIMALS: Final = 9
_LEADING: Final = 3.55


def write_value(found: Interval, unit: Unit, form: Form, *, signed: bool = False) -> str:
    """Return the estimate, with as many digits as its interval leaves meaning in."""
    return _Writer(found, unit, form).write(found.estimate, signed=signed)


def write_range(found: Interval, unit: Unit, form: Form, *, signed: bool = False) -> str:
    """Return `low … high`, empty where there is no uncertainty."""
    if found.low == found.high:
        return ""
    writer = _Writer(found, unit, form)
    low = writer.write(found.low, signed=signed, bare=True)
    return f"{low} … {writer.write(found.high, signed=signed, bare=True)}"


def write_count(count: float) -> str:
    """Return a number with commas between thousands."""
    return f"{count:,.0f}"


class _Writer:
    """Writes the three numbers of an interval alike."""

    def __init__(self, found: Interval, unit: Unit, form: Form) -> None:
        largest = max(abs(found.low), abs(found.high), abs(found.estimate))
        self._before, self._factor, self._after = _choose(largest, unit, form)
        spread = (found.high - found.low) * self._factor
        if form is Form.COUNT:
            self._decimals = 0
        elif spread > 0:
            self._decimals = _decimals(spread / 2, _digits(spread / 2))
        else:
            self._decimals = _decimals(largest * self._factor, 3)
        if form is Form.SHARE:
            self._decimals = max(self._decimals, 1)
        if unit is Unit.USD and self._factor == 1.0 and self._decimals == 1:
            self._decimals = 2  # nobody writes $2.1

    def write(self, value: float, *, signed: bool, bare: bool = False) -> str:
        """Return one number; `bare` of its unit."""
        number = f"{abs(value) * self._factor:,.{self._decimals}f}"
        is_zero = not any(one in "123456789" for one in number)
        sign = "" if is_zero else _MINUS if value < 0 else "+" if signed else ""
        return f"{sign}{number}" if bare else f"{sign}{self._before}{number}{self._after}"


def _choose(largest: float, unit: Unit, form: Form) -> tuple[str, float, str]:
    """Return what stands before a number, what it is multiplied by, and what stands after it."""
    match form:
        case Form.SHARE:
            return "", 100.0, " %"
        case Form.POINTS:
            return "", 100.0, " points"
        case Form.RATIO:
            return "", 1.0, " \u00d7"
        case _:
            pass
    if unit is Unit.SECONDS:
        return ("", 1000.0, " ms") if largest < 1 else ("", 1.0, " s")
    return ("$", 1.0, "") if unit is Unit.USD else ("", 1.0, "")


def _digits(half: float) -> int:
    """Return how many digits of an uncertainty mean anything: as physicists do."""
    return 2 if half / 10 ** floor(log10(half)) < _LEADING else 1


def _decimals(size: float, digits: int) -> int:
    """Return how many decimals leave a number of this size so many digits."""
    if size <= 0:
        return 0
    return min(max(digits - 1 - floor(log10(size)), 0), _MOST_DECIMALS)

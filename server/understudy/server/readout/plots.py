"""Where intervals are drawn: beside a figure, and several on one scale. Pure.

Places are in [0, 100], from left to right; what is drawn there is for templates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, log, log10
from typing import Final

from understudy.server.domain.estimates import Interval
from understudy.server.domain.reports import Figure, Section, Unit
from understudy.server.readout.amounts import write_range, write_value
from understudy.server.readout.judging import Tone, judge, of_difference
from understudy.server.readout.wordings import DIFFERENCE, Form, Wording, find_wording

MOST_MARKS: Final = 40  # in one plot
_ROOM: Final = 1.12
_TICKS: Final = 5
_BETWEEN: Final = 0.14  # of all of a scale, the least between two ticks


@dataclass(frozen=True, slots=True)
class Strip:
    """An interval beside its figure. "No difference" is at 50."""

    low: float
    at: float
    high: float

    @property
    def width(self) -> float:
        """From low to high."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Mark:
    """An interval of a plot, and in words."""

    label: str
    text: str
    low: float
    at: float
    high: float
    tone: Tone


@dataclass(frozen=True, slots=True)
class Forest:
    """Intervals on one scale. `null` is where "no difference" is."""

    title: str
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    null: float
    left: int  # marks that are not shown


@dataclass(frozen=True, slots=True)
class _Entry:
    label: str
    found: Interval
    unit: Unit
    wording: Wording


def draw_strip(found: Interval, wording: Wording) -> Strip:
    """Return an interval on a scale of its own, around what "no difference" would be."""
    null = wording.null or 0.0
    ends = [_place(one, wording.form) - _place(null, wording.form) for one in _three(found)]
    reach = max(map(abs, ends)) * _ROOM or 1.0
    low, at, high = (50 + 50 * one / reach for one in ends)
    return Strip(low, at, high)


def plot(sections: Sequence[Section], names: Sequence[str]) -> tuple[Forest, ...]:
    """Return what is worth a plot: of one section its ratios, of several the same figure of each."""
    if len(sections) == 1:
        ratios = [_entry(one, find_wording(one.metric).title) for one in sections[0].figures]
        shown = [one for one in ratios if one is not None and one.wording.form is Form.RATIO]
        title = f"{sections[0].subject}, times as much as {sections[0].baseline}"
        return (_draw(title, shown),) if shown else ()
    forests: list[Forest] = []
    for metric, title in _WORTH_IT:
        entries = [
            entry
            for section, name in zip(sections, names, strict=True)
            for one in section.figures
            if one.metric == metric and (entry := _entry(one, name)) is not None
        ]
        if entries:
            forests.append(_draw(title, entries))
    return tuple(forests)


_WORTH_IT: Final = (
    ("latency_ratio", "Time to the whole answer, times the baseline's"),
    ("cost_per_1000_difference", "Cost per 1,000, more than the baseline"),
    ("error_rate_difference", "Errors, more than the baseline"),
    ("win_rate", "Wins, as reviewers see it"),
)


def _entry(figure: Figure, label: str) -> _Entry | None:
    if not isinstance(figure.found, Interval) or figure.found.low == figure.found.high:
        return None
    wording = find_wording(figure.metric.removesuffix(DIFFERENCE))
    if figure.metric.endswith(DIFFERENCE):
        wording = of_difference(wording)
    return _Entry(label, figure.found, figure.unit, wording) if wording.null is not None else None


def _draw(title: str, entries: Sequence[_Entry]) -> Forest:
    shown = entries[:MOST_MARKS]
    first = shown[0]
    form, null = first.wording.form, first.wording.null or 0.0
    places = [_place(end, form) for one in shown for end in _three(one.found)]
    places.append(_place(null, form))
    low, high = min(places), max(places)
    room = (high - low) * (_ROOM - 1) / 2 or 1.0
    low, high = low - room, high + room

    def place(value: float) -> float:
        return 100 * (_place(value, form) - low) / (high - low)

    marks = tuple(
        Mark(
            one.label,
            _tell(one),
            place(one.found.low),
            place(one.found.estimate),
            place(one.found.high),
            judge(one.found, one.wording),
        )
        for one in shown
    )
    ticks = tuple((place(one), _write_tick(one, first)) for one in _choose_ticks(low, high, form))
    return Forest(title, marks, ticks, place(null), len(entries) - len(shown))


def _tell(one: _Entry) -> str:
    signed = one.wording.null == 0.0
    value = write_value(one.found, one.unit, one.wording.form, signed=signed)
    return f"{value} ({write_range(one.found, one.unit, one.wording.form, signed=signed)})"


def _three(found: Interval) -> tuple[float, float, float]:
    return found.low, found.estimate, found.high


def _place(value: float, form: Form) -> float:
    """Return where a value is: of ratios, half as much is as far as twice as much."""
    return log(max(value, 1e-9)) if form is Form.RATIO else value


def _choose_ticks(low: float, high: float, form: Form) -> list[float]:
    """Return round values within a span of places."""
    if form is Form.RATIO:
        shown: list[float] = []
        for one in _ROUND_RATIOS:
            room = min((abs(log(one / other)) for other in shown), default=inf)
            if low <= log(one) <= high and room > _BETWEEN * (high - low):
                shown.append(one)
        return sorted(shown)
    step = _round_step((high - low) / _TICKS)
    return [step * number for number in range(ceil(low / step), floor(high / step) + 1)]


# What is told before what else there is room for.
_ROUND_RATIOS: Final = (
    1.0, 2.0, 0.5, 10.0, 0.1, 5.0, 0.2, 100.0, 0.01, 1.5, 1.25, 0.8, 1.1, 0.9, 3.0, 1000.0,
)  # fmt: skip


def _round_step(least: float) -> float:
    size = 10.0 ** floor(log10(least))
    return next(size * one for one in (1, 2, 5, 10) if size * one >= least)


def _write_tick(value: float, like: _Entry) -> str:
    exact = Interval(value, value, value, 0, like.found.method)
    text = write_value(exact, like.unit, like.wording.form)
    whole, _, unit = text.partition(" ")
    if "." in whole:
        text = f"{whole.rstrip('0').rstrip('.')} {unit}".strip()
    return text

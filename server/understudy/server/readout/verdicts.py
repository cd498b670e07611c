"""Says in one line what a section comes to: how many answered, how fast, how dear, how well. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from understudy.server.domain.estimates import Insufficient, Interval
from understudy.server.domain.reports import Figure, Unit
from understudy.server.readout.amounts import write_count, write_range, write_value
from understudy.server.readout.wordings import Form

Figures = Mapping[str, Figure]


def tell_verdict(subject: str, baseline: str, figures: Figures) -> str:
    """Return the line. What is not known clearly is said to be so."""
    if not _count(figures, "offered") and (left := _count(figures, "not_mirrored")):
        return f"{subject}: none of {write_count(left)} requests was mirrored; see why below."
    said = [one for tell in _CLAUSES if (one := tell(figures))]
    if not said or is_without_data(figures):
        return f"{subject}: nothing to compare{f' with {baseline}' if baseline else ''} yet."
    return f"{subject} {'; '.join(said)}."


def is_without_data(figures: Figures) -> bool:
    """Whether there was no request at all."""
    return not any(_count(figures, one) for one in ("offered", "not_mirrored", "requests"))


def _tell_traffic(figures: Figures) -> str:
    offered = _count(figures, "offered")
    if offered is not None:
        answered = (_count(figures, "paired") or 0) + (_count(figures, "unpaired") or 0)
        return f"answered {write_count(answered)} of {write_count(offered)} mirrored requests"
    requests, answered_them = _count(figures, "requests"), _count(figures, "answered")
    if requests is not None and answered_them is not None:
        return f"answered {write_count(answered_them)} of {write_count(requests)} requests"
    return ""


def _tell_speed(figures: Figures) -> str:
    figure = figures.get("latency_ratio")
    if figure is None:
        return ""
    if isinstance(figure.found, Insufficient):
        return "too little data on its speed"
    found = figure.found
    if found.low <= 1 <= found.high:
        return f"no clear difference in speed ({_range(found, Form.RATIO)} \u00d7 the time)"
    if found.low > 1:
        value = write_value(found, Unit.NONE, Form.RATIO)
        return f"{value} slower ({_range(found, Form.RATIO)})"
    turned = Interval(
        1 / found.estimate, 1 / found.high, 1 / found.low, found.n, found.method, found.p
    )
    value = write_value(turned, Unit.NONE, Form.RATIO)
    return f"{value} faster ({_range(turned, Form.RATIO)})"


def _tell_cost(figures: Figures) -> str:
    figure = figures.get("cost_per_1000_difference")
    if figure is None:
        return ""
    if isinstance(figure.found, Insufficient):
        return "too little known of its cost"
    found = figure.found
    if found.low <= 0 <= found.high and found.low < found.high:
        told = write_range(found, Unit.USD, Form.AMOUNT, signed=True)
        return f"no clear difference in cost ({told} USD per 1,000)"
    more = Interval(
        abs(found.estimate),
        min(abs(found.low), abs(found.high)),
        max(abs(found.low), abs(found.high)),
        found.n,
        found.method,
    )
    if not more.high:
        return "the same cost"
    way = "more" if found.estimate > 0 else "less"
    told = write_range(more, Unit.USD, Form.AMOUNT)
    return f"{write_value(more, Unit.USD, Form.AMOUNT)} {way} per 1,000" + (
        f" ({told})" if told else ""
    )


def _tell_errors(figures: Figures) -> str:
    figure = figures.get("error_rate_difference")
    if figure is None or isinstance(figure.found, Insufficient):
        return ""
    found = figure.found
    if found.low <= 0 <= found.high:
        return "no clear difference in errors"
    value = write_value(found, Unit.NONE, Form.POINTS, signed=True)
    return f"{value} of errors ({_range(found, Form.POINTS, signed=True)})"


def _tell_opinions(figures: Figures) -> str:
    figure = figures.get("win_rate")
    if figure is None or isinstance(figure.found, Insufficient):
        return ""
    found = figure.found
    value, told = write_value(found, Unit.NONE, Form.SHARE), _range(found, Form.SHARE)
    if found.low <= _EVEN <= found.high:
        return f"reviewers prefer neither clearly: it wins {value} ({told})"
    return (
        f"reviewers prefer {'it' if found.low > _EVEN else 'the other'}: it wins {value} ({told})"
    )


_EVEN: Final = 0.5


def _all() -> Iterator[Callable[[Figures], str]]:
    yield _tell_traffic
    yield _tell_speed
    yield _tell_cost
    yield _tell_errors
    yield _tell_opinions


_CLAUSES: Final = tuple(_all())


def _range(found: Interval, form: Form, *, signed: bool = False) -> str:
    return write_range(found, Unit.NONE, form, signed=signed)


def _count(figures: Figures, metric: str) -> float | None:
    figure = figures.get(metric)
    if figure is None or isinstance(figure.found, Insufficient):
        return None
    return figure.found.estimate

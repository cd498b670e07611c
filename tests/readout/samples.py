"""Reports to show, such as computing makes them, and one whose every name is an attack."""

from collections.abc import Sequence

from understudy.server.domain.estimates import Estimate, Insufficient, Interval, Lack, Method
from understudy.server.domain.reports import Figure, Report, Section
from understudy.server.reporting.metrics import describe

HOSTILE = "</td><script>alert(1)</script> | **b** @me [x](https://evil.example) \x1b[31m \u202e"
NOW = 1_790_000_000_000_000


def interval(
    at: float, low: float, high: float, n: int = 4812, method: Method = Method.PAIRED_T
) -> Interval:
    return Interval(at, low, high, n, method, 0.01)


def count(number: float) -> Interval:
    return Interval(number, number, number, 1, Method.COUNT)


def figures(**found: Estimate) -> tuple[Figure, ...]:
    """Figures by their names."""
    return tuple(
        Figure(metric=name, unit=describe(name).unit, found=one) for name, one in found.items()
    )


def compared(subject: str = "gpt-4", baseline: str = "gpt-3.5-turbo", **more: str) -> Section:
    """A silent model beside its primary: slower, dearer, as reliable, not yet rated enough."""
    return Section(
        subject=subject,
        baseline=baseline,
        group=more.get("group", ""),
        figures=figures(
            offered=count(5000),
            paired=count(4801),
            unpaired=count(11),
            failed=count(150),
            failed_upstream_internal_error=count(150),
            shed=count(38),
            completeness=interval(0.9602, 0.9544, 0.9653, 5000, Method.WILSON),
            latency_p50=interval(1.21, 1.19, 1.23),
            latency_p50_baseline=interval(0.671, 0.66, 0.683),
            latency_p50_difference=interval(0.539, 0.519, 0.56),
            latency_ratio=interval(1.8, 1.71, 1.89),
            first_token_ratio=Insufficient(12, 30),
            cost_per_1000=interval(2.4, 2.3, 2.5),
            cost_per_1000_baseline=interval(0.3, 0.29, 0.31),
            cost_per_1000_difference=interval(2.1, 2.0, 2.2),
            error_rate=interval(0.03, 0.026, 0.035),
            error_rate_baseline=interval(0.028, 0.024, 0.033),
            error_rate_difference=interval(0.002, -0.004, 0.008),
            error_rate_difference_bounds=interval(0.002, -0.01, 0.03),
            equal_rate=interval(0.12, 0.111, 0.13),
            similarity_mean=interval(0.71, 0.7, 0.72),
            win_rate=interval(0.6, 0.5023, 0.6977, 100, Method.T),
            pairs_to_go=Insufficient(0, None, Lack.NEAR_ZERO),
        ),
        caveats=("96.0 % of the offers became pairs.",),
    )


def report(sections: Sequence[Section] = (compared(),), **more: str) -> Report:
    """A report of an hour."""
    return Report(
        id="r1",
        parent=more.get("parent", "silentModels/gpt-4"),
        group_by=more.get("group_by", ""),
        created=NOW,
        start=NOW - 3_600_000_000,
        end=NOW,
        sections=tuple(sections),
        caveats=("Costs are estimated.",),
    )


def broken_down() -> Report:
    """The same by team."""
    return report([compared(group=one) for one in ("search", "ads", "")], group_by="metadata.team")


def hostile() -> Report:
    """A report of which somebody chose every name."""
    return report(
        [compared(HOSTILE, HOSTILE, group=one) for one in (HOSTILE, "b\nc")],
        parent=f"silentModels/{HOSTILE}",
        group_by=f"metadata.{HOSTILE}",
    )

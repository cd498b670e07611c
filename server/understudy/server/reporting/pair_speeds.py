"""Writes how long both sides of pairs took, and how many tokens it took them."""

from typing import Final

from msgspec import structs

from understudy.server.domain.estimates import Estimate, Insufficient
from understudy.server.evaluation.completeness import bound_quantile
from understudy.server.evaluation.means import mean, paired_difference
from understudy.server.evaluation.quantiles import difference_of_quantiles, quantile
from understudy.server.evaluation.speeds import paired_speed_ratio
from understudy.server.reporting.columns import Ordered, logs, moments
from understudy.server.reporting.pair_views import PairView, Sides
from understudy.server.reporting.sheets import Sheet

QUANTILES: Final = (("p50", 0.5), ("p95", 0.95))


def put_durations(view: PairView, sheet: Sheet) -> None:
    """Add the time to the whole answer, and to its first piece where it came in pieces."""
    for name in ("latency", "first_token"):
        sides = view.compare(f"primary_{name}", name)
        before, after = Ordered(sides.before), Ordered(sides.after)
        own = Ordered(sides.own_before), Ordered(sides.own_after)
        for label, share in QUANTILES:
            found = quantile(own[1], share)
            sheet.put_difference(
                f"{name}_{label}",
                quantile(own[0], share),
                found,
                _of_pairs(difference_of_quantiles(before, after, share)),
            )
            if name == "latency" and not view.completeness.enough:
                bounds = bound_quantile(own[1], share, view.completeness.missing)
                sheet.bound(f"{name}_{label}", found, bounds, own[1].n)
        ratio = paired_speed_ratio(moments(logs(sides.after) - logs(sides.before)))
        sheet.put(f"{name}_ratio", ratio)


def _of_pairs(found: Estimate) -> Estimate:
    """Return what rests on so many values of both sides as resting on half as many pairs."""
    if isinstance(found, Insufficient):
        return found
    return structs.replace(found, n=found.n // 2)


def put_tokens(view: PairView, sheet: Sheet) -> None:
    """Add the tokens of prompts and answers, as either side's provider counts them."""
    for name in ("prompt_tokens", "completion_tokens"):
        put_means(sheet, f"{name}_mean", view.compare(f"primary_{name}", name))


def put_means(sheet: Sheet, name: str, sides: Sides) -> None:
    """Add the mean of both sides, and of the difference within each pair."""
    sheet.put_difference(
        name,
        mean(moments(sides.own_before)),
        mean(moments(sides.own_after)),
        paired_difference(moments(sides.after - sides.before)),
    )

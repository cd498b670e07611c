"""Writes what both sides of pairs cost: each answer, a thousand, a month, and rent or not."""

from understudy.server.domain.estimates import Estimate, Insufficient, Interval, Method
from understudy.server.evaluation.means import mean, paired_difference
from understudy.server.evaluation.projections import HOUR, break_even, calls_per_month, scale
from understudy.server.evaluation.ratios import ratio_of_totals
from understudy.server.reporting.columns import Floats, comoments, known, moments
from understudy.server.reporting.pair_views import PairView
from understudy.server.reporting.sheets import Sheet, exactly

_PRIMARY, _SILENT = ("primary_deployment", "primary_cost"), ("deployment", "cost")


def put_costs(view: PairView, sheet: Sheet) -> None:
    """Add costs, which for a month are those of all requests that came, mirrored or not."""
    sides = view.compare("primary_cost", "cost")
    found = (
        _find_mean(view, _PRIMARY[0], sides.own_before),
        _find_mean(view, _SILENT[0], sides.own_after),
        paired_difference(moments(sides.after - sides.before)),
    )
    sheet.put_difference("cost_mean", *found)
    sheet.put("cost_ratio", ratio_of_totals(comoments(sides.before, sides.after)))
    sheet.put_difference("cost_per_1000", *(scale(one, 1000) for one in found))
    monthly = calls_per_month(view.asked, view.background.span)
    if monthly is None:
        nothing = Insufficient(view.asked, None)
        sheet.put_difference("cost_per_month", nothing, nothing, nothing)
    else:
        sheet.put_difference("cost_per_month", *(scale(one, monthly) for one in found))
        sheet.count("calls_per_hour", view.asked * HOUR / view.background.span, view.asked)
    _put_break_even(view, sheet)


def _find_mean(view: PairView, deployment: str, costs: Floats) -> Estimate:
    """Return the mean cost of one side; what is all rent is known, and not estimated."""
    found = mean(moments(costs))
    if isinstance(found, Interval) and view.is_all_rent(deployment):
        return exactly(found.estimate, found.n, Method.RENT)
    return found


def _put_break_even(view: PairView, sheet: Sheet) -> None:
    """Where one side is rented and the other is paid by use, say from what traffic on it pays."""
    rents = view.background.rents
    for (rented, _), (other, paid) in ((_PRIMARY, _SILENT), (_SILENT, _PRIMARY)):
        names = view.rented(rented)
        for name in names:
            sheet.warn(rents.tell(name))
        if names and not view.rented(other):
            per_hour = sum(rents.held[name].per_hour for name in names)
            costs = view.of_firsts(paid)
            found = break_even(per_hour, mean(moments(costs[known(costs)])))
            sheet.put("break_even_calls_per_hour", found)

"""Writes how often either side of pairs failed, and how their answers differ."""

import numpy as np

from understudy.server.domain.estimates import Estimate
from understudy.server.domain.mirroring import Outcome
from understudy.server.evaluation.completeness import Completeness, bound_mean
from understudy.server.evaluation.discordance import (
    PairedCounts,
    paired_difference_of_proportions,
)
from understudy.server.evaluation.means import mean
from understudy.server.evaluation.proportions import Share, proportion
from understudy.server.reporting.columns import Flags, known, moments
from understudy.server.reporting.endings import PLACES, End
from understudy.server.reporting.pair_speeds import put_means
from understudy.server.reporting.pair_views import PairView
from understudy.server.reporting.sheets import Sheet

_HEARD = [
    PLACES[one] for one in (Outcome.PAIRED, Outcome.UNPAIRED, Outcome.FAILED, Outcome.TIMED_OUT)
]


def put_errors(view: PairView, sheet: Sheet) -> None:
    """Add how often each side failed at its first attempt, where neither was given up."""
    is_heard = np.isin(view.outcome, _HEARD) & np.isin(
        view.primary_end, [End.ANSWERED, End.FAILED, End.TIMED_OUT]
    )
    end, outcome = view.primary_end[is_heard], view.outcome[is_heard]
    is_late: Flags = outcome == PLACES[Outcome.TIMED_OUT]
    is_failed: Flags = is_late | (outcome == PLACES[Outcome.FAILED])
    apart = _put_shares(sheet, "error_rate", end != End.ANSWERED, is_failed)
    if not view.completeness.enough:
        ended = view.completeness.paired + view.completeness.missing
        heard = Completeness(len(end), max(0, ended - len(end)))
        bounds = bound_mean(apart, heard, -1.0, 1.0)
        sheet.bound("error_rate_difference", apart, bounds, len(end))
    _put_shares(sheet, "timeout_rate", end == End.TIMED_OUT, is_late)


def put_comparisons(view: PairView, sheet: Sheet) -> None:
    """Add what was found when both answers were there, which is kept whatever is captured."""
    for name in ("equal", "normalized_equal", "both_json", "same_tool_calls"):
        values = view.of_pairs(name)
        values = values[known(values)]
        found = proportion(Share(int(values.sum()), len(values)))
        sheet.put(f"{name}_rate", found)
        if name in ("equal", "normalized_equal"):
            _bound(view, sheet, f"{name}_rate", found)
    valid = view.compare_all("primary_schema_valid", "schema_valid")
    _put_shares(sheet, "schema_valid_rate", valid.before > 0, valid.after > 0)
    values = view.of_pairs("similarity")
    similarity = mean(moments(values[known(values)]))
    sheet.put("similarity_mean", similarity)
    _bound(view, sheet, "similarity_mean", similarity)
    put_means(sheet, "length_mean", view.compare_all("primary_length", "length"))


def _put_shares(sheet: Sheet, name: str, before: Flags, after: Flags) -> Estimate:
    n = len(before)
    counts = PairedCounts(
        int((before & after).sum()),
        int((before & ~after).sum()),
        int((~before & after).sum()),
        int((~before & ~after).sum()),
    )
    apart = paired_difference_of_proportions(counts)
    sheet.put_difference(
        name,
        proportion(Share(int(before.sum()), n)),
        proportion(Share(int(after.sum()), n)),
        apart,
    )
    return apart


def _bound(view: PairView, sheet: Sheet, name: str, found: Estimate) -> None:
    if not view.completeness.enough:
        bounds = bound_mean(found, view.completeness, 0.0, 1.0)
        sheet.bound(name, found, bounds, view.completeness.paired)

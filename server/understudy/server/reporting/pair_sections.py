"""Writes what pairs say of a silent model beside its primary: one section for each baseline."""

from collections.abc import Iterator

import numpy as np

from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.reports import Section
from understudy.server.evaluation.proportions import Share, proportion
from understudy.server.reporting.columns import tally
from understudy.server.reporting.endings import PLACES, UNDER_WAY
from understudy.server.reporting.opinions import put_opinions
from understudy.server.reporting.pair_answers import put_comparisons, put_errors
from understudy.server.reporting.pair_costs import put_costs
from understudy.server.reporting.pair_speeds import put_durations, put_tokens
from understudy.server.reporting.pair_views import Background, PairView
from understudy.server.reporting.pairs import Pairs
from understudy.server.reporting.sheets import Sheet


def write_pair_sections(pairs: Pairs, background: Background) -> Iterator[tuple[float, Section]]:
    """Yield each section, the largest first, and how many of them there are by then, in [0, 1]."""
    width = max(len(pairs.labels), 1)
    codes = pairs.baseline * width + pairs.label
    counts = np.bincount(codes, minlength=1)
    present = sorted(np.flatnonzero(counts).tolist(), key=lambda code: (-counts[code], code))
    for place, code in enumerate(present, 1):
        view = PairView(pairs, codes == code, background)
        section = _write(view, pairs.baselines[code // width], pairs.labels[code % width])
        yield place / len(present), section
    if not present:
        yield 1.0, _write(PairView(pairs, codes == 0, background), "", "")


def _write(view: PairView, baseline: str, group: str) -> Section:
    sheet = Sheet()
    _put_ends(view, sheet)
    put_durations(view, sheet)
    put_costs(view, sheet)
    put_tokens(view, sheet)
    put_errors(view, sheet)
    put_comparisons(view, sheet)
    put_opinions(sheet, view.spoken)
    _warn(view, sheet)
    return sheet.finish(subject=view.background.silent_model, baseline=baseline, group=group)


def _put_ends(view: PairView, sheet: Sheet) -> None:
    n = len(view.outcome)
    sheet.count("offered", n, n)
    sheet.count("under_way", int((view.outcome == UNDER_WAY).sum()), n)
    for outcome, place in PLACES.items():
        these = view.outcome == place
        name = outcome.value.lower()
        sheet.count(name, int(these.sum()), n)
        if outcome in (Outcome.PAIRED, Outcome.UNPAIRED):
            continue
        for code, count in tally(view.reason[these]):
            if reason := view.name_reason(code):
                sheet.count(f"{name}_{reason.lower()}", count, n)
    sheet.count("not_mirrored", len(view.refused), view.asked)
    for code, count in tally(view.refused):
        sheet.count(f"not_mirrored_{view.name_refusal(code).lower()}", count, view.asked)
    paired, missing = view.completeness.paired, view.completeness.missing
    sheet.put("completeness", proportion(Share(paired, paired + missing)))
    sheet.count("primary_retried", view.retried, paired)


def _warn(view: PairView, sheet: Sheet) -> None:
    share, paired = view.completeness.share, view.completeness.paired
    if share is not None and not view.completeness.enough:
        sheet.warn(
            f"only {share:.1%} of the offers became pairs, so what is said of pairs may not "
            "hold for all: figures whose names end in bounds say what the missing could change"
        )
    if view.retried:
        sheet.warn(
            f"the primary retried or fell back in {view.retried} of {paired} pairs: latency, cost "
            "and tokens are compared without them, and errors are those of first attempts"
        )
    if cached := int((view.of_pairs("cached_tokens") > 0).sum()):
        sheet.warn(
            f"in {cached} of {paired} pairs the silent model's provider took part of the "
            "prompt from its cache, which makes that call cheaper and quicker"
        )
    for name, column in (("the primary's", "primary_cost"), ("the silent model's", "cost")):
        costs = view.of_firsts(column)
        if unknown := int(np.isnan(costs).sum()):
            sheet.warn(
                f"{name} cost is unknown in {unknown} of {len(costs)} pairs, left out of costs"
            )
    if late := int((view.outcome == PLACES[Outcome.TIMED_OUT]).sum()):
        sheet.warn(
            f"the silent model took too long {late} times: these are counted as timeouts, "
            "and are in no latency, which hides the slowest"
        )

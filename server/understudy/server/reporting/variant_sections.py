"""Writes what an experiment says: each variant beside the control, by epoch and all together."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from understudy.server.domain.estimates import Insufficient, Interval, Method
from understudy.server.domain.reports import ExperimentFacts, Section
from understudy.server.evaluation.heavy_keys import LEAST as LEAST_HEAVY
from understudy.server.evaluation.heavy_keys import SHARE as HEAVY
from understudy.server.evaluation.proportions import Share, proportion
from understudy.server.evaluation.sample_ratio import SampleRatio
from understudy.server.reporting.allotment import check_allotments
from understudy.server.reporting.calls import Calls
from understudy.server.reporting.columns import distinct
from understudy.server.reporting.endings import End
from understudy.server.reporting.feedback import Feedback
from understudy.server.reporting.rents import Rents
from understudy.server.reporting.sheets import Sheet
from understudy.server.reporting.variant_figures import (
    put_costs,
    put_durations,
    put_errors,
    put_feedback,
    put_tokens,
)
from understudy.server.reporting.variant_views import COMBINED, Background, Part, VariantView

MOST_EPOCHS: Final = 20  # with sections of their own, the newest ones


def write_variant_sections(
    calls: Calls, feedback: Feedback, experiment: ExperimentFacts, span: int, rents: Rents
) -> Iterator[tuple[float, Section]]:
    """Yield each section, all epochs together first, and how many of them there are by then."""
    is_compared = (calls.epoch > 0) & ~calls.overridden
    allotments = check_allotments(calls, is_compared, experiment)
    background = Background(experiment, span, rents, is_compared, allotments, feedback)
    named = dict.fromkeys((*experiment.variants, *calls.variants))
    subjects = [one for one in named if one != experiment.control]
    work = [(part, one) for part in _divide(calls, background) for one in subjects]
    for place, (part, subject) in enumerate(work, 1):
        yield place / len(work), _write(VariantView(calls, part, subject, background))


def _divide(calls: Calls, background: Background) -> Iterator[Part]:
    """Yield all calls and each epoch's; broken down, only all epochs of each value."""
    compared = background.compared
    if any(calls.labels):
        for place, label in enumerate(calls.labels):
            yield Part(COMBINED, label, compared & (calls.label == place))
        return
    yield Part(COMBINED, "", compared)
    for number in distinct(calls.epoch[compared])[-MOST_EPOCHS:]:
        yield Part(number, "", compared & (calls.epoch == number))


def _write(view: VariantView) -> Section:
    sheet = Sheet()
    _put_counts(view, sheet)
    _put_traffic(view, sheet)
    put_durations(view, sheet)
    put_costs(view, sheet)
    put_tokens(view, sheet)
    put_errors(view, sheet)
    put_feedback(view, sheet)
    _warn(view, sheet)
    return sheet.finish(
        subject=view.subject, baseline=view.control, group=view.part.label, epoch=view.part.epoch
    )


def _put_counts(view: VariantView, sheet: Sheet) -> None:
    calls = view.calls
    for suffix, held in (("", view.is_subject), ("_baseline", view.is_control)):
        n, end = int(held.sum()), calls.end[held]
        for name, count in (
            ("requests", n),
            ("answered", int((end == End.ANSWERED).sum())),
            ("gave_up", int((end == End.GIVEN_UP).sum())),
            ("took_too_long", int((end == End.TIMED_OUT).sum())),
            ("retried", int((calls.attempts[held] > 1).sum())),
            ("keys", len(np.unique(calls.key[held & (calls.key != 0)]))),
        ):
            sheet.count(f"{name}{suffix}", count, n)


def _put_traffic(view: VariantView, sheet: Sheet) -> None:
    """Add the variant's share and whether all shares are such as they were to be."""
    allotment = view.background.allotments.get(view.part.epoch)
    if allotment is None or view.part.label:
        return
    found = allotment.found
    if isinstance(found, Insufficient):
        sheet.put("sample_ratio_p", found)
        return
    n = sum(found.counts)
    if view.subject in allotment.variants:
        place = allotment.variants.index(view.subject)
        sheet.put("traffic_share", proportion(Share(found.counts[place], n)))
        sheet.count("traffic_share_expected", found.expected[place] / n, n)
    sheet.put("sample_ratio_p", Interval(found.p, found.p, found.p, n, Method.CHI_SQUARE, found.p))
    if found.mismatched:
        sheet.warn(_tell_mismatch(found, allotment.variants))


def _warn(view: VariantView, sheet: Sheet) -> None:
    calls, both = view.calls, view.both
    n = int(both.sum())
    if view.is_weighted:
        sheet.warn(
            "the shares of traffic changed between epochs: calls are weighted so that both "
            "arms have the same part of each epoch, or time would look like a difference"
        )
    if view.left_out:
        sheet.warn(f"{view.left_out} calls of epochs where one arm had none are left out")
    if view.part.epoch == COMBINED:
        _warn_left_out(view, sheet)
    if retried := int((calls.attempts[both] > 1).sum()):
        sheet.warn(
            f"{retried} of {n} calls took more than one attempt: their latencies and costs are "
            "of all attempts, as the caller waited and as they are charged"
        )
    if late := int((calls.end[both] == End.TIMED_OUT).sum()):
        sheet.warn(
            f"{late} of {n} calls took too long: they count as errors and timeouts, and are in "
            "no latency, which hides the slowest"
        )
    costs = calls.numbers["cost"][both & (calls.end == End.ANSWERED)]
    if unknown := int(np.isnan(costs).sum()):
        sheet.warn(
            f"the cost of {unknown} of {len(costs)} answered calls is unknown, left out of costs"
        )
    _warn_heavy(view, sheet, n)


def _warn_left_out(view: VariantView, sheet: Sheet) -> None:
    overridden = int(view.calls.overridden.sum())
    if overridden:
        sheet.warn(
            f"{overridden} calls brought weights of their own and are left out: whoever chose "
            "the variant may have chosen the prompt too"
        )
    apart = int((~view.background.compared).sum()) - overridden
    if apart:
        sheet.warn(
            f"{apart} calls came while nothing was compared, as while the experiment was "
            "paused, and are left out"
        )


def _warn_heavy(view: VariantView, sheet: Sheet, n: int) -> None:
    keys = view.calls.key[view.both & (view.calls.key != 0)]
    if n < LEAST_HEAVY:
        return
    _, counts = np.unique(keys, return_counts=True)
    heavy = counts[counts > HEAVY * n]
    if len(heavy):
        word = "key sends" if len(heavy) == 1 else "keys send"
        sheet.warn(
            f"{len(heavy)} sticky {word} {int(heavy.sum()) / n:.0%} of the calls: what is measured "
            "is measured on few, and intervals say so where they can"
        )


def _tell_mismatch(found: SampleRatio, variants: tuple[str, ...]) -> str:
    total = sum(found.counts)
    shares = ", ".join(
        f"{name} {count / total:.2%} instead of {expected / total:.2%}"
        for name, count, expected in zip(variants, found.counts, found.expected, strict=True)
    )
    return (
        f"the variants did not get the shares that they were to get ({shares}; p = {found.p:.2g}): "
        "something drops or adds calls of one of them, so believe no figure until it is found"
    )

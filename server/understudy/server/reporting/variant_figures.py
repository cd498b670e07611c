"""Writes how long a variant's calls took, what they cost, how often they failed, what was said."""

import numpy as np

from understudy.server.domain.estimates import Estimate, Insufficient, Interval
from understudy.server.evaluation.projections import HOUR, break_even, calls_per_month, scale
from understudy.server.reporting.arms import (
    compare_means,
    compare_quantiles,
    compare_shares,
    compare_speeds,
    compare_totals,
)
from understudy.server.reporting.endings import End
from understudy.server.reporting.pair_speeds import QUANTILES
from understudy.server.reporting.sheets import Sheet
from understudy.server.reporting.variant_views import COMBINED, VariantView


def put_durations(view: VariantView, sheet: Sheet) -> None:
    """Add the time to the whole answer, and to its first piece where it came in pieces."""
    for name in ("latency", "first_token"):
        arms = view.answered(name)
        for label, share in QUANTILES:
            sheet.put_difference(f"{name}_{label}", *compare_quantiles(*arms, share))
        sheet.put(f"{name}_ratio", compare_speeds(*arms))


def put_costs(view: VariantView, sheet: Sheet) -> None:
    """Add what an answer cost, retries included; for a month, of all the traffic of the part."""
    arms = view.answered("cost")
    found = compare_means(*arms)
    sheet.put_difference("cost_mean", *found)
    sheet.put("cost_ratio", _from_more(compare_totals(*arms)))
    sheet.put_difference("cost_per_1000", *(scale(one, 1000) for one in found))
    asked, span = int(view.part.held.sum()), view.background.span
    monthly = calls_per_month(asked, span)
    # An epoch's own traffic over the whole window would be no traffic that ever was.
    if monthly is not None and view.part.epoch == COMBINED:
        sheet.put_difference("cost_per_month", *(scale(one, monthly) for one in found))
        sheet.count("calls_per_hour", asked * HOUR / span, asked)
    _put_break_even(view, sheet, found[0], found[1])


def put_tokens(view: VariantView, sheet: Sheet) -> None:
    """Add the tokens of prompts and answers, as the providers count them."""
    for name in ("prompt_tokens", "completion_tokens"):
        sheet.put_difference(f"{name}_mean", *compare_means(*view.answered(name)))


def put_errors(view: VariantView, sheet: Sheet) -> None:
    """Add how often callers got no answer, where they did not give up themselves."""
    end = view.calls.end
    for name, failed in (
        ("error_rate", end != End.ANSWERED),
        ("timeout_rate", end == End.TIMED_OUT),
    ):
        arms = view.arms(failed.astype(np.float64), end != End.GIVEN_UP)
        sheet.put_difference(name, *compare_shares(*arms))


def put_feedback(view: VariantView, sheet: Sheet) -> None:
    """Add what callers said: the mean of numbers, and of yes and no the share of yes."""
    for place, name in enumerate(view.background.feedback.metrics):
        if name.startswith("feedback_"):
            compare = compare_shares if name.endswith("_rate") else compare_means
            sheet.put_difference(name, *compare(*view.opinions(place)))
        else:
            sheet.warn("more metrics of feedback were told than are shown; the rarest are not")


def _put_break_even(view: VariantView, sheet: Sheet, control: Estimate, subject: Estimate) -> None:
    rents = view.background.rents
    rented = view.rented(view.is_control), view.rented(view.is_subject)
    for names, others, paid in ((rented[0], rented[1], subject), (rented[1], rented[0], control)):
        for name in names:
            sheet.warn(rents.tell(name))
        if names and not others:
            per_hour = sum(rents.held[name].per_hour for name in names)
            sheet.put("break_even_calls_per_hour", break_even(per_hour, paid))


def _from_more(more: Estimate) -> Estimate:
    """Return how many times as much, from how much more."""
    if isinstance(more, Insufficient):
        return more
    return Interval(1 + more.estimate, 1 + more.low, 1 + more.high, more.n, more.method, more.p)

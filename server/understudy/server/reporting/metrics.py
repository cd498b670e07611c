"""What each figure of a report is: its unit, and one line about it for people.

Names are stable. Those of reasons, such as `shed_queue_full`, are made of a count's name and the
reason, and mean the same.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from understudy.server.domain.reports import Unit


class Metric(Struct, frozen=True):
    """A figure's name and unit, and what it says."""

    name: str
    unit: Unit
    meaning: str


def describe(name: str) -> Metric:
    """Return what a figure is, by its name. Raises KeyError for one that no report has."""
    if (found := METRICS.get(name)) is not None:
        return found
    for stem in _WITH_REASONS:
        if name.startswith(f"{stem}_"):
            of = METRICS[stem]
            reason = name.removeprefix(f"{stem}_").replace("_", " ")
            return Metric(name, of.unit, f"{of.meaning}: {reason}")
    if name.startswith(_FEEDBACK):
        told = name.removeprefix(_FEEDBACK)
        for ending, meaning in _OF_FEEDBACK.items():
            stem = told.removesuffix("_baseline").removesuffix("_difference")
            if stem.endswith(ending):
                metric = stem.removesuffix(ending).replace("_", " ")
                return Metric(name, Unit.NONE, f"{meaning} for {metric!r}{_tell_side(told)}")
    raise KeyError(name)


def tell_meaning(metric: str) -> str:
    """Return what a metric means, for people; empty if nobody knows."""
    try:
        return describe(metric).meaning
    except KeyError:
        return ""


_WITH_REASONS: Final = ("not_mirrored", "shed", "failed", "timed_out", "cancelled", "lost")
_FEEDBACK: Final = "feedback_"
_OF_FEEDBACK: Final = {
    "_mean": "what callers said of the answers, on average,",
    "_rate": "share of callers' opinions on the answers that are yes",
}

_SIDES: Final = {
    "_baseline": "; of the baseline",
    "_difference": "; how much more than the baseline",
}

_COMPARED: Final = (
    ("latency_p50", Unit.SECONDS, "half of the answers were whole within this time"),
    ("latency_p95", Unit.SECONDS, "95 % of the answers were whole within this time"),
    ("first_token_p50", Unit.SECONDS, "half of the streamed answers had begun within this time"),
    ("first_token_p95", Unit.SECONDS, "95 % of the streamed answers had begun within this time"),
    ("cost_mean", Unit.USD, "what an answer cost, on average"),
    ("cost_per_1000", Unit.USD, "what a thousand answers cost"),
    ("cost_per_month", Unit.USD, "what a month of this traffic costs, if all of it goes there"),
    ("prompt_tokens_mean", Unit.TOKENS, "tokens of a prompt, on average, as the provider counts"),
    ("completion_tokens_mean", Unit.TOKENS, "tokens of an answer, on average"),
    ("error_rate", Unit.NONE, "share that failed, timeouts included, what was given up left out"),
    ("timeout_rate", Unit.NONE, "share that took too long, what was given up left out"),
    ("length_mean", Unit.CHARACTERS, "characters of an answer, on average"),
    ("schema_valid_rate", Unit.NONE, "share of answers that fit the JSON schema they were to have"),
)

_ALONE: Final = (
    ("offered", Unit.CALLS, "requests that were offered to the silent model"),
    ("under_way", Unit.CALLS, "offers whose end is not recorded yet"),
    ("paired", Unit.CALLS, "both models answered"),
    ("unpaired", Unit.CALLS, "the silent model answered, the primary did not"),
    ("failed", Unit.CALLS, "the silent model failed"),
    ("timed_out", Unit.CALLS, "the silent model took too long"),
    ("shed", Unit.CALLS, "never sent, for want of room or money"),
    ("cancelled", Unit.CALLS, "given up with the primary, or when the service ended"),
    ("lost", Unit.CALLS, "the process ended before an answer"),
    ("not_mirrored", Unit.CALLS, "requests that were not offered"),
    ("primary_retried", Unit.PAIRS, "pairs where the primary failed first, and answered later"),
    ("completeness", Unit.NONE, "share of the offers that became pairs"),
    ("latency_ratio", Unit.NONE, "how many times as long an answer takes, geometric mean"),
    ("first_token_ratio", Unit.NONE, "how many times as long an answer takes to begin"),
    ("cost_ratio", Unit.NONE, "how many times as much all of it costs"),
    ("calls_per_hour", Unit.CALLS_PER_HOUR, "requests that came, mirrored or not"),
    (
        "break_even_calls_per_hour",
        Unit.CALLS_PER_HOUR,
        "from how many calls an hour on the rented endpoint costs less than the paid model",
    ),
    ("equal_rate", Unit.NONE, "share of pairs with the very same answer"),
    ("normalized_equal_rate", Unit.NONE, "the same, apart from case, spaces and signs"),
    ("both_json_rate", Unit.NONE, "share where both are JSON, of those where either is"),
    ("same_tool_calls_rate", Unit.NONE, "share that call the same tools alike, of those that call"),
    ("similarity_mean", Unit.NONE, "how alike the words are, from 0 to 1"),
    ("rated", Unit.PAIRS, "pairs that reviewers compared"),
    ("win_rate", Unit.NONE, "share where reviewers found the silent model better, ties as half"),
    ("decisive_win_rate", Unit.NONE, "the same, of pairs that were no tie"),
    ("first_side_rate", Unit.NONE, "share of decisions for what was shown first; ½ is fair"),
    ("pairs_to_go", Unit.PAIRS, "more pairs to rate, until a share of wins of 60 % would be seen"),
    ("requests", Unit.CALLS, "requests that got the variant"),
    ("requests_baseline", Unit.CALLS, "requests that got the control"),
    ("answered", Unit.CALLS, "requests of the variant that were answered"),
    ("answered_baseline", Unit.CALLS, "requests of the control that were answered"),
    ("gave_up", Unit.CALLS, "requests of the variant that their callers gave up"),
    ("gave_up_baseline", Unit.CALLS, "requests of the control that their callers gave up"),
    ("took_too_long", Unit.CALLS, "requests of the variant that timed out"),
    ("took_too_long_baseline", Unit.CALLS, "requests of the control that timed out"),
    ("retried", Unit.CALLS, "requests of the variant that took more than one attempt"),
    ("retried_baseline", Unit.CALLS, "requests of the control that took more than one attempt"),
    ("keys", Unit.NONE, "sticky keys of the variant, which are what is independent"),
    ("keys_baseline", Unit.NONE, "sticky keys of the control"),
    ("traffic_share", Unit.NONE, "share of keys, or of requests without one, that got the variant"),
    ("traffic_share_expected", Unit.NONE, "the share that the weights gave it"),
    (
        "sample_ratio_p",
        Unit.NONE,
        "how likely shares so far from the weights are by chance; below 0.001 something is wrong",
    ),
)

_BOUNDED: Final = (
    "error_rate_difference",
    "equal_rate",
    "normalized_equal_rate",
    "similarity_mean",
    "latency_p50",
    "latency_p95",
)


def _tell_side(name: str) -> str:
    for suffix, told in _SIDES.items():
        if name.endswith(suffix):
            return told
    return ""


def _all() -> Iterator[Metric]:
    for name, unit, meaning in _COMPARED:
        yield Metric(name, unit, meaning)
        for suffix, told in _SIDES.items():
            yield Metric(f"{name}{suffix}", unit, f"{meaning}{told}")
    for name, unit, meaning in _ALONE:
        yield Metric(name, unit, meaning)


def _collect() -> Mapping[str, Metric]:
    found = {one.name: one for one in _all()}
    for name in _BOUNDED:
        of = found[name]
        found[f"{name}_bounds"] = Metric(
            f"{name}_bounds", of.unit, f"{of.meaning}; whatever the missing pairs are"
        )
    return MappingProxyType(found)


METRICS: Final = _collect()
"""All metrics by name, besides those that are made of reasons."""

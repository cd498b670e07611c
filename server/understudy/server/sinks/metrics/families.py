"""Every metric there is. docs/metrics.md, the dashboard and the alerts name no other.

Figures are kept as whole numbers of a small part of the unit that is told, so that sums stay
exact: `parts` says how many of them make one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MICRO: Final = 1_000_000
NANO: Final = 1_000_000_000

# A cached token of a small model comes in 10 ms, a long answer of a reasoning model in minutes.
SECONDS: Final = (
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip
DELAYS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class Kind(StrEnum):
    """What a metric is, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Merging(StrEnum):
    """How the figures of several processes become one. Counters and histograms are summed."""

    SUM = "sum"
    MOST = "most"
    LEAST = "least"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric. `name` is without a counter's `_total`; `bounds` are a histogram's, in units."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    parts: int = 1
    merging: Merging = Merging.SUM
    bounds: tuple[float, ...] = ()

    @property
    def told(self) -> str:
        """Its name as Prometheus has it."""
        return f"{self.name}_total" if self.kind is Kind.COUNTER else self.name


def _counter(name: str, help: str, *labels: str, unit: str = "", parts: int = 1) -> Family:
    return Family(f"understudy_{name}", Kind.COUNTER, help, labels, unit, parts)


def _gauge(
    name: str,
    help: str,
    *labels: str,
    unit: str = "",
    parts: int = 1,
    merging: Merging = Merging.SUM,
) -> Family:
    return Family(f"understudy_{name}", Kind.GAUGE, help, labels, unit, parts, merging)


def _seconds(name: str, help: str, *labels: str, bounds: tuple[float, ...] = SECONDS) -> Family:
    return Family(
        f"understudy_{name}_seconds",
        Kind.HISTOGRAM,
        help,
        labels,
        "seconds",
        MICRO,
        bounds=bounds,
    )


_ASKED: Final = ("group", "experiment", "variant")
_CALLED: Final = ("group", "deployment", "experiment", "variant", "role")
_DEPLOYMENT: Final = ("group", "deployment")

REQUESTS: Final = _counter(
    "requests", "Requests that have ended, with an answer or without.", *_ASKED
)
REQUEST_ERRORS: Final = _counter(
    "request_errors", "Requests that ended without an answer, by reason.", *_ASKED, "reason"
)
REFUSED: Final = _counter(
    "refused",
    "Completions refused because there was too much to do (OVERLOADED), before they were read.",
)
REQUEST_DURATION: Final = _seconds(
    "request_duration", "From a request to the end of its answer, or to its error.", *_ASKED
)
REQUEST_FIRST_TOKEN: Final = _seconds(
    "request_time_to_first_token",
    "From a streamed request to the first piece of its answer.",
    *_ASKED,
)

CALLS: Final = _counter(
    "upstream_calls", "Calls to deployments that have ended, by what they were for.", *_CALLED
)
CALL_ERRORS: Final = _counter(
    "upstream_call_errors", "Calls to deployments without an answer, by reason.", *_CALLED, "reason"
)
CALL_DURATION: Final = _seconds(
    "upstream_call_duration", "From a call to a deployment to the end of its reply.", *_CALLED
)
CALL_FIRST_TOKEN: Final = _seconds(
    "upstream_call_time_to_first_token",
    "From a streamed call to a deployment to the first piece of its answer.",
    *_CALLED,
)
TOKENS: Final = _counter(
    "tokens", "Tokens as providers count them; `type` is input or output.", *_CALLED, "type"
)
CACHED_TOKENS: Final = _counter(
    "cached_input_tokens", "Those of the input tokens that came from a provider's cache.", *_CALLED
)
REASONING_TOKENS: Final = _counter(
    "reasoning_tokens", "Those of the output tokens that were spent on reasoning.", *_CALLED
)
UNMETERED: Final = _counter(
    "unmetered_calls", "Calls whose provider counted no tokens for us.", *_CALLED
)
COST: Final = _counter(
    "cost_usd",
    "What calls cost, in US dollars, where it is known.",
    *_CALLED,
    unit="usd",
    parts=NANO,
)
UNPRICED: Final = _counter("unpriced_calls", "Calls whose cost nobody knows.", *_CALLED)
FEEDBACK: Final = _counter("feedback", "Opinions on answers that were taken.")

MIRROR_OFFERED: Final = _counter(
    "mirror_offered", "Prompts that were offered to a silent model.", "silent_model"
)
MIRROR_OUTCOMES: Final = _counter(
    "mirror_outcomes", "What became of prompts that were offered.", "silent_model", "outcome"
)
MIRROR_SHED: Final = _counter(
    "mirror_shed", "Offered prompts that were not sent, by reason.", "silent_model", "reason"
)
NOT_MIRRORED: Final = _counter(
    "mirror_not_mirrored", "Prompts that were not offered, by reason.", "silent_model", "reason"
)
MIRROR_IN_FLIGHT: Final = _gauge(
    "mirror_in_flight", "Calls to a silent model under way.", "silent_model"
)
MIRROR_SHARE: Final = _gauge(
    "mirror_share",
    "What a busy service leaves of each silent model's fraction, in (0, 1].",
    parts=MICRO,
    merging=Merging.LEAST,
)
MIRROR_PAUSED: Final = _gauge(
    "mirror_paused",
    "1 while an operator has mirroring to a silent model paused.",
    "silent_model",
    merging=Merging.LEAST,
)
MIRROR_CIRCUITS: Final = _gauge(
    "mirror_circuits",
    "Processes in which the worst circuit of a silent model is in a state.",
    "silent_model",
    "state",
)
MIRROR_SPENT: Final = _gauge(
    "mirror_spent_usd",
    "US dollars spent on a silent model in this window, calls under way at their most.",
    "silent_model",
    unit="usd",
    parts=NANO,
    merging=Merging.MOST,
)
MIRROR_CAP: Final = _gauge(
    "mirror_cap_usd",
    "US dollars that a silent model may cost in a window.",
    "silent_model",
    unit="usd",
    parts=NANO,
    merging=Merging.MOST,
)
MIRROR_QUEUED: Final = _gauge("mirror_queued", "Prompts that wait to be mirrored.")
MIRROR_QUEUED_BYTES: Final = _gauge(
    "mirror_queued_bytes", "Bytes of the prompts that wait to be mirrored.", unit="bytes"
)
MIRROR_QUEUE_LIMIT: Final = _gauge(
    "mirror_queue_limit", "How many prompts may wait before more are shed."
)
MIRROR_UNSETTLED: Final = _gauge("mirror_unsettled", "Pairs of which one side has not ended yet.")

IN_FLIGHT: Final = _gauge("requests_in_flight", "Requests being answered, watches included.")
WAIT: Final = _gauge(
    "accept_wait_seconds",
    "How long a call waits until it is begun.",
    unit="seconds",
    parts=MICRO,
    merging=Merging.MOST,
)
SEATS_TAKEN: Final = _gauge(
    "deployment_in_flight", "Calls under way that hold a seat at a deployment.", *_DEPLOYMENT
)
SEATS: Final = _gauge(
    "deployment_seats",
    "Calls that a deployment may have under way (max_parallel_requests), where that is limited.",
    *_DEPLOYMENT,
)
CIRCUITS: Final = _gauge(
    "deployment_circuits",
    "Processes in which a deployment is in a state: UNUSABLE, or as its circuit.",
    *_DEPLOYMENT,
    "state",
)

RECORDER_WAITING: Final = _gauge(
    "recorder_waiting", "Events and rows that wait to be written to the store."
)
RECORDER_WRITTEN: Final = _counter("recorder_rows_written", "Rows written to the store.")
RECORDER_DROPPED: Final = _counter(
    "recorder_dropped", "Events and rows that found no room, or that the store refused."
)
RECORDER_AWAY: Final = _gauge(
    "recorder_away", "1 while records cannot be written.", merging=Merging.MOST
)
SINK_WAITING: Final = _gauge("sink_waiting", "Items that wait to be sent to a sink.", "sink")
SINK_SENT: Final = _counter("sink_sent", "Items that a sink has taken.", "sink")
SINK_DROPPED: Final = _counter("sink_dropped", "Items that never reached a sink.", "sink")
SINK_LAG: Final = _gauge(
    "sink_lag_seconds",
    "For how long the oldest item that waits for a sink has waited.",
    "sink",
    unit="seconds",
    parts=MICRO,
    merging=Merging.MOST,
)
SINK_AWAY: Final = _gauge(
    "sink_away", "1 while a sink cannot be reached or refuses.", "sink", merging=Merging.MOST
)

LOOP_DELAY: Final = _seconds(
    "loop_delay",
    "How late the event loop that answers calls is, looked at four times a second.",
    bounds=DELAYS,
)
READY: Final = _gauge("ready", "1 while requests are taken: as gRPC health and /readyz say.")
PROCESSES: Final = _gauge("serving_processes", "Processes that answer calls.")
WORKERS: Final = _gauge("workers_wanted", "Processes that shall answer calls (server.workers).")
REVISION: Final = _gauge(
    "config_revision", "The oldest revision of the experiments in use.", merging=Merging.LEAST
)
READ_TIME: Final = _gauge(
    "config_read_timestamp_seconds",
    "When the configuration in use was read, in seconds since 1970.",
    unit="seconds",
    parts=MICRO,
)
RELOAD_FAILED: Final = _gauge(
    "config_reload_failed", "1 while the last reading of the configuration was refused."
)
START_TIME: Final = _gauge(
    "start_time_seconds",
    "When the service began, in seconds since 1970.",
    unit="seconds",
    parts=MICRO,
    merging=Merging.LEAST,
)
BUILD: Final = _gauge(
    "build_info", "1; the labels say what runs.", "version", "python", merging=Merging.MOST
)

FAMILIES: Final = (
    REQUESTS, REQUEST_ERRORS, REFUSED, REQUEST_DURATION, REQUEST_FIRST_TOKEN,
    CALLS, CALL_ERRORS, CALL_DURATION, CALL_FIRST_TOKEN,
    TOKENS, CACHED_TOKENS, REASONING_TOKENS, UNMETERED, COST, UNPRICED, FEEDBACK,
    MIRROR_OFFERED, MIRROR_OUTCOMES, MIRROR_SHED, NOT_MIRRORED, MIRROR_IN_FLIGHT, MIRROR_SHARE, MIRROR_PAUSED,
    MIRROR_CIRCUITS, MIRROR_SPENT, MIRROR_CAP, MIRROR_QUEUED, MIRROR_QUEUED_BYTES,
    MIRROR_QUEUE_LIMIT, MIRROR_UNSETTLED,
    IN_FLIGHT, WAIT, SEATS_TAKEN, SEATS, CIRCUITS,
    RECORDER_WAITING, RECORDER_WRITTEN, RECORDER_DROPPED, RECORDER_AWAY,
    SINK_WAITING, SINK_SENT, SINK_DROPPED, SINK_LAG, SINK_AWAY,
    LOOP_DELAY, READY, PROCESSES, WORKERS, REVISION, READ_TIME, RELOAD_FAILED, START_TIME, BUILD,
)  # fmt: skip
BY_NAME: Final = {one.name: one for one in FAMILIES}

"""The sink that tells a Langfuse project of calls and opinions, and how it is opened."""

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Final

from understudy.server.config.sink_settings import LangfuseSettings
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.tellings import Answered, Asked, Generation, Telling
from understudy.server.errors import ConfigError
from understudy.server.sinks.figures import SinkFigures
from understudy.server.sinks.langfuse.checking import find_host, find_langfuse_faults
from understudy.server.sinks.langfuse.generations import write_generation, write_refusal
from understudy.server.sinks.langfuse.scores import write_score
from understudy.server.sinks.langfuse.steering import find_trace_id
from understudy.server.sinks.otel.spans import (
    count_rejected,
    write_request,
    write_resource,
    write_scope,
)
from understudy.server.sinks.otel.traces import trace_id_of
from understudy.server.sinks.sending.http_courier import HttpCourier
from understudy.server.sinks.sending.patience import USUAL, Patience
from understudy.server.sinks.sending.protobuf import text
from understudy.server.sinks.sending.sender import USUAL_BOUNDS, Bounds, Sender
from understudy.server.sinks.sending.trust import make_context

NAME: Final = "langfuse"
MOST_REMEMBERED: Final = 20_000  # requests whose trace is not their own, for opinions to come
_TRACES: Final = "/api/public/otel/v1/traces"
_SCORES: Final = "/api/public/scores"
_SCORE_BOUNDS: Final = Bounds(items=5_000, size=16 * 1024 * 1024, batch_items=1, linger=0.0)


class LangfuseSink:
    """Makes generations and scores of what it is told. Told in one thread."""

    def __init__(
        self,
        calls: Sender,
        scores: Sender,
        environment: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._scores = scores
        self._environment = environment
        self._clock = clock
        self._traces: dict[str, str] = {}

    @property
    def figures(self) -> SinkFigures:
        """How calls and scores stand together."""
        calls, scores = self._calls.figures, self._scores.figures
        return SinkFigures(
            NAME,
            waiting=calls.waiting + scores.waiting,
            sent=calls.sent + scores.sent,
            dropped=calls.dropped + scores.dropped,
            lag=max(calls.lag, scores.lag),
            away=calls.away or scores.away,
        )

    def tell(self, tellings: Sequence[Telling]) -> None:
        """Take what has happened. Raises nothing, waits for no network."""
        opinions = [told for told in tellings if isinstance(told, Feedback)]
        self._calls.put_written(self._write_call, tellings)
        if opinions:
            self._scores.put_written(self._write_score, opinions)

    def close(self, timeout: float) -> None:
        """Send what is left, for so many seconds at most, and end. Blocks."""
        end = self._clock() + timeout
        self._scores.begin_end(timeout)
        self._calls.close(timeout)
        self._scores.close(end - self._clock())

    def _write_call(self, told: Telling) -> bytes:
        match told:
            case Generation():
                self._remember(told.asked)
                return write_generation(told, self._environment)
            case Answered(attempts=0):  # of others their generations say it all
                return write_refusal(told, self._environment)
            case _:
                return b""

    def _write_score(self, told: Feedback) -> bytes:
        trace_id = self._traces.get(told.pair_id) or trace_id_of(told.pair_id)
        return write_score(told, trace_id, self._environment)

    def _remember(self, asked: Asked) -> None:
        """Keep the trace of a request if its id alone does not tell it."""
        trace_id = find_trace_id(asked)
        if trace_id == trace_id_of(asked.pair_id):
            return
        self._traces[asked.pair_id] = trace_id
        if len(self._traces) > MOST_REMEMBERED:
            del self._traces[next(iter(self._traces))]


def open_langfuse(
    settings: LangfuseSettings,
    *,
    ca_file: str | None = None,
    bounds: Bounds = USUAL_BOUNDS,
    patience: Patience = USUAL,
) -> LangfuseSink:
    """Open the sink; Langfuse need not be there yet. `ca_file` holds more authorities.

    Blocks for some milliseconds. Raises ConfigError for what cannot be used as it is written.
    """
    if faults := find_langfuse_faults(settings):
        raise ConfigError(faults)
    assert settings.secret_key is not None  # or there were faults
    try:
        context = make_context([ca_file] if ca_file else [])
    except OSError:
        raise ConfigError(
            ["understudy.egress.ca_file: must name a readable file of certificates"]
        ) from None
    host = find_host(settings)
    pair = f"{settings.public_key}:{settings.secret_key.value}"
    headers = {
        "authorization": f"Basic {b64encode(pair.encode()).decode()}",
        "x-langfuse-ingestion-version": "4",
    }
    spans = {**headers, "content-type": "application/x-protobuf"}
    scores = {**headers, "content-type": "application/json"}
    release = version("understudy")
    resource = write_resource(
        [text("service.name", "understudy"), text("service.version", release)]
    )
    return LangfuseSink(
        Sender(
            NAME,
            HttpCourier(host.below(_TRACES), spans, context, count_rejected=count_rejected),
            partial(write_request, resource, write_scope("understudy", release)),
            bounds,
            patience,
        ),
        Sender(
            f"{NAME} scores",
            HttpCourier(host.below(_SCORES), scores, context),
            _take_only,
            _SCORE_BOUNDS,
            patience,
        ),
        settings.environment,
    )


def _take_only(bodies: Sequence[bytes]) -> bytes:
    """Return a score, which travels alone."""
    return bodies[0]

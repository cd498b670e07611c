"""What is remembered of a call while it, or a copy of it, is under way; and the rows made of it."""

from dataclasses import dataclass, field
from hashlib import sha256

from msgspec import structs

from understudy.server.capturing import Redactor
from understudy.server.domain import tellings
from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Completion, Warning
from understudy.server.domain.costs import UNPRICED, Cost
from understudy.server.domain.mirroring import SilentEnd
from understudy.server.domain.records import Record, Role, TextState
from understudy.server.domain.request import SplitMode
from understudy.server.events import (
    AttemptEnded,
    AttemptStarted,
    CallStarted,
    SilentEnded,
    VariantChosen,
)
from understudy.server.records.batch import OfferRow
from understudy.server.records.cleaning import clean, clean_labels, clean_warnings


@dataclass(slots=True)
class Told:
    """What sinks hear of a call, and what of it is known only at its end."""

    asked: tellings.Asked
    may_show: bool = False  # its words
    prompt: tuple[Message, ...] | None = None
    size: int = 0  # of the prompt on the wire, in bytes, once it was sent
    group: str = ""  # asked last, to answer the caller
    first_delta: float | None = None  # of the same


@dataclass(slots=True)
class Call:
    """A call. Its messages are held only until they are written, and only if they will be."""

    pair_id: str
    started: float
    text_state: TextState
    messages: tuple[Message, ...] | None = None
    told: Told | None = None  # what sinks hear of it, where there are any
    request_id: str = ""
    caller: str = ""
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    experiment: str = ""
    overridden: bool = False
    streamed: bool = False
    revision: int = 0
    variant: str = ""
    assignment: str = ""
    epoch: int = 0
    key_hash: str = ""
    group: str = ""
    has_ended: bool = False
    latency: int | None = None  # of the attempt that served
    cost: int | None = None  # of the same
    under_way: dict[int, AttemptStarted] = field(default_factory=dict[int, AttemptStarted])
    first_deltas: dict[int, float] = field(default_factory=dict[int, float])
    copies: set[str] = field(default_factory=set[str])
    heard: set[str] = field(default_factory=set[str])
    waiting: list[SilentEnded] = field(default_factory=list[SilentEnded])


@dataclass(frozen=True, slots=True)
class Asked:
    """One upstream call: who was asked, when, and what came of it."""

    id: str
    role: Role
    group: str
    deployment: str
    provider: str
    model: str
    attempt: int
    reason: str
    status: int
    started: float
    ended: float
    first_delta: float | None
    request_bytes: int
    completion: Completion | None
    response_bytes: int = 0
    cost: Cost = UNPRICED
    warnings: tuple[Warning, ...] = ()
    fraction: float | None = None

    @property
    def latency(self) -> int:
        """Microseconds from the first byte sent to the last one received."""
        return microseconds(self.ended - self.started)


def begin_call(event: CallStarted, text_state: TextState, labels: Redactor) -> Call:
    """Return what a call begins with. `labels` redacts what the caller calls it by."""
    request = event.request
    target = request.target
    metadata = labels.labels(request.metadata) if labels else request.metadata
    return Call(
        event.pair_id,
        event.instant,
        text_state,
        messages=request.chat.messages if text_state is TextState.KEPT else None,
        request_id=labels.text(request.request_id),
        caller=clean(request.caller),
        metadata=clean_labels(metadata),
        experiment=clean(target.experiment),
        overridden=bool(target.experiment) and target.mode is SplitMode.OVERRIDE,
        streamed=request.chat.stream,
        revision=event.revision,
    )


def give_variant(call: Call, event: VariantChosen) -> None:
    """Note which variant a call got, and by what."""
    call.variant = clean(event.variant)
    if (assigned := event.assigned) is not None:
        call.experiment = clean(assigned.experiment)
        call.assignment = assigned.reason.value
        call.epoch = assigned.epoch
        call.key_hash = assigned.key_hash


def primary_attempt(call: Call, begun: AttemptStarted, event: AttemptEnded) -> Asked:
    """Return the upstream call that an attempt to answer the caller was."""
    if begun.group != call.group:
        role = Role.FALLBACK
    else:
        role = Role.PRIMARY if event.attempt == 1 else Role.RETRY
    return Asked(
        f"{call.pair_id}-{event.attempt}",
        role,
        begun.group,
        begun.deployment,
        begun.provider,
        begun.model,
        event.attempt,
        event.reason.value if event.reason else "",
        event.status,
        begun.instant,
        event.instant,
        call.first_deltas.pop(event.attempt, None),
        begun.request_bytes,
        event.completion,
        event.response_bytes,
        event.cost,
        event.completion.warnings if event.completion else (),
    )


def silent_attempt(end: SilentEnd) -> Asked | None:
    """Return the upstream call that a copy was, `None` if nothing was sent."""
    sent = end.call
    if sent is None:
        return None
    return Asked(
        # A pair has one copy for each silent model, whose name may hold anything.
        f"{end.pair_id}-{sha256(end.silent_model.encode(errors='replace')).hexdigest()[:8]}",
        Role.SILENT,
        end.silent_model,
        sent.deployment,
        sent.provider,
        sent.model,
        1,
        sent.reason,
        sent.status,
        sent.started,
        sent.ended,
        sent.first_delta,
        sent.request_bytes,
        sent.completion,
        sent.response_bytes,
        sent.cost,
        sent.warnings,
        end.fraction,
    )


def make_record(call: Call, asked: Asked, epoch: int, text_state: TextState) -> Record:
    """Return the record of an upstream call that began at `epoch`."""
    answer = asked.completion
    first = asked.first_delta
    return Record(
        id=asked.id,
        pair_id=call.pair_id,
        role=asked.role,
        request_id=call.request_id,
        caller=call.caller,
        metadata=call.metadata,
        experiment=call.experiment,
        variant=call.variant,
        group=clean(asked.group),
        deployment=clean(asked.deployment),
        provider=asked.provider,
        model=clean(asked.model),
        served_model=clean(answer.model) if answer else "",
        attempt=asked.attempt,
        reason=clean(asked.reason),
        upstream_status=asked.status,
        started=epoch,
        latency=asked.latency,
        first_token=None if first is None else microseconds(first - asked.started),
        usage=answer.usage if answer else None,
        cost=asked.cost.nano_usd,
        finish_reason=clean(answer.choices[0].finish_reason) if answer and answer.choices else "",
        request_bytes=asked.request_bytes,
        response_bytes=asked.response_bytes,
        streamed=call.streamed,
        effective_fraction=asked.fraction,
        revision=call.revision,
        text_state=text_state,
        overridden=call.overridden,
        warnings=clean_warnings(asked.warnings),
        assignment=call.assignment,
        epoch=call.epoch,
        key_hash=call.key_hash,
        cost_status=asked.cost.status,
        cost_reason=asked.cost.reason.value if asked.cost.reason else "",
        price_version=clean(asked.cost.price_version),
    )


def make_offer(call: Call, silent_model: str, epoch: int) -> OfferRow:
    """Return an offer that has just been made."""
    return OfferRow(
        pair_id=call.pair_id,
        silent_model=clean(silent_model),
        start_time=epoch,
        caller=call.caller,
        experiment=call.experiment,
        variant=call.variant,
        model_group=clean(call.group),
    )


def end_offer(
    call: Call, end: SilentEnd, asked: Asked | None, *, epoch: int, end_epoch: int
) -> OfferRow:
    """Return an offer that began at `epoch` with its end, and how the two answers differ."""
    comparison = end.comparison
    latency: int | None = None
    cost: int | None = None
    if asked is not None and not asked.reason:
        if call.latency is not None:
            latency = asked.latency - call.latency
        if call.cost is not None and asked.cost.nano_usd is not None:
            cost = asked.cost.nano_usd - call.cost
    length: int | None = None
    if comparison is not None:
        length = comparison.silent_length - comparison.primary_length
    return structs.replace(
        make_offer(call, end.silent_model, epoch),
        end_time=end_epoch,
        outcome=end.outcome,
        reason=clean(end.reason),
        fraction=end.fraction,
        record_id=asked.id if asked else None,
        comparison=comparison,
        latency_difference=latency,
        cost_difference=cost,
        length_difference=length,
    )


def microseconds(seconds: float) -> int:
    """Return a duration as it is stored."""
    return round(seconds * 1_000_000)

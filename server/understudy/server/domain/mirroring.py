"""What crosses to the mirror and comes back: offers, ends, and how two answers differ.

Values only, all immutable: an offer is handed over by reference, because copying a long prompt
would cost the primary what the mirror must not cost it. Who is offered what is decided in
`routing.mirroring`; playing it is `mirror`'s.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from understudy.server.domain.chat import ChatCall, JsonValue
from understudy.server.domain.completion import Completion, Warning
from understudy.server.domain.costs import UNPRICED, Cost
from understudy.server.domain.deployment import Deployment


class Outcome(StrEnum):
    """Where a silent model's copy ended: exactly one of these for each that was offered."""

    PAIRED = "PAIRED"  # both sides answered
    UNPAIRED = "UNPAIRED"  # the silent model answered, the primary did not
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    SHED = "SHED"  # never sent, for want of room or money
    CANCELLED = "CANCELLED"  # with the primary, or by shutdown
    LOST = "LOST"  # the process died first


class SilentTarget(Struct, frozen=True):
    """A silent model that a prompt is played to, and the deployment drawn from its group.

    `timeout` is in seconds, `None` for the configured one; `fraction` is the share of requests
    that was mirrored to it at that moment.
    """

    silent_model: str
    deployment: Deployment
    fraction: float = 1.0
    timeout: float | None = None
    system_prompt: str | None = None
    params: Mapping[str, JsonValue] = {}


class Offer(Struct, frozen=True):
    """One prompt for its silent models. `size` is its bytes on the primary's wire."""

    pair_id: str
    chat: ChatCall
    size: int
    targets: tuple[SilentTarget, ...]


class Disposition(Struct, frozen=True, gc=False):
    """Whether a silent model was offered a prompt, and if not, why.

    What is shed was offered: its end comes as an event like any other.
    """

    silent_model: str
    offered: bool
    reason: str = ""  # UPPER_SNAKE_CASE, such as SAMPLED_OUT


class PrimaryEnd(Struct, frozen=True):
    """How the primary's side ended: with an answer, or without one; `cancelled` by the caller."""

    pair_id: str
    completion: Completion | None
    cancelled: bool = False


class Comparison(Struct, frozen=True, gc=False):
    """How two answers differ. `None` where a measure does not apply or would cost too much.

    Lengths are in characters; `similarity` is in [0, 1], and 1 for equal texts.
    """

    equal: bool
    normalized_equal: bool
    primary_length: int
    silent_length: int
    both_json: bool | None = None
    primary_schema_valid: bool | None = None
    silent_schema_valid: bool | None = None
    same_tool_calls: bool | None = None
    similarity: float | None = None


class SilentCall(Struct, frozen=True):
    """The upstream call of a silent copy, for its record.

    Instants are seconds of the monotonic clock (`time.monotonic`), the same in every thread.
    """

    deployment: str
    provider: str
    model: str
    started: float
    ended: float
    first_delta: float | None
    reason: str  # empty for an answer
    status: int  # HTTP, 0 without one
    request_bytes: int
    response_bytes: int
    completion: Completion | None
    warnings: tuple[Warning, ...] = ()
    cost: Cost = UNPRICED


class SilentEnd(Struct, frozen=True):
    """The end of one offer to one silent model. `call` is `None` if nothing was ever sent."""

    pair_id: str
    silent_model: str
    outcome: Outcome
    reason: str
    fraction: float
    call: SilentCall | None = None
    comparison: Comparison | None = None

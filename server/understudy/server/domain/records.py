"""What is kept of calls: records of upstream calls, and pairs of a primary and its silent models.

Values only. How events become records is `records.fold`; where they are kept is `records`.
Instants are microseconds since 1970 UTC, durations microseconds, money 10^-9 US dollars; `None`
is unknown, which is not zero.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from understudy.server.domain.chat import Message
from understudy.server.domain.completion import Choice, Usage, Warning
from understudy.server.domain.costs import CostStatus
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.mirroring import Comparison, Outcome


class Role(StrEnum):
    """Why an upstream call was made."""

    PRIMARY = "PRIMARY"  # to answer the caller
    RETRY = "RETRY"  # the same, after an attempt failed, in the same group
    FALLBACK = "FALLBACK"  # the same, from another group
    SILENT = "SILENT"  # to hear a silent model


class TextState(StrEnum):
    """What became of the texts of a call when it was recorded."""

    KEPT = "KEPT"
    NOT_CAPTURED = "NOT_CAPTURED"  # capture is `metadata`
    NOT_REDACTED = "NOT_REDACTED"  # capture is `redacted`, and there are no patterns to redact by
    REFUSED = "REFUSED"  # the caller said that this prompt is not to be kept
    TOO_LONG = "TOO_LONG"
    DROPPED = "DROPPED"  # more was waiting for the store than is held


class Record(Struct, frozen=True, kw_only=True):
    """One upstream call.

    `reason` is empty for an answer; `first_token` is the time from `started` to the first piece.
    """

    id: str
    pair_id: str
    role: Role
    request_id: str
    caller: str
    metadata: Mapping[str, str]
    experiment: str
    variant: str
    group: str
    deployment: str
    provider: str
    model: str
    served_model: str
    attempt: int
    reason: str
    upstream_status: int
    started: int
    latency: int
    first_token: int | None
    usage: Usage | None
    cost: int | None
    finish_reason: str
    request_bytes: int
    response_bytes: int
    streamed: bool
    effective_fraction: float | None
    revision: int
    text_state: TextState
    overridden: bool
    warnings: tuple[Warning, ...] = ()
    assignment: str = ""  # an AssignmentReason, empty if no experiment was asked
    epoch: int = 0  # of the experiment, 0 where nothing is compared
    key_hash: str = ""  # names the key that the call was assigned by
    cost_status: CostStatus = CostStatus.UNKNOWN
    cost_reason: str = ""  # a CostReason: why the cost is unknown or estimated, or nothing
    price_version: str = ""  # names the price list


class Texts(Struct, frozen=True):
    """The words of one upstream call. `None` where they are not, or no longer, kept."""

    messages: tuple[Message, ...] | None = None
    choices: tuple[Choice, ...] | None = None
    too_many: bool = False  # kept, but more than one page of answers carries


class Kept(Struct, frozen=True):
    """A record with the texts that belong to it, and the opinions on its answer."""

    record: Record
    texts: Texts = Texts()
    feedback: tuple[Feedback, ...] = ()


class SilentSide(Struct, frozen=True):
    """What became of one silent model's copy. `outcome` is `None` while it is under way.

    The differences are the silent model's figure less the primary's; the length is in characters.
    """

    silent_model: str
    outcome: Outcome | None
    reason: str
    fraction: float | None
    kept: Kept | None
    comparison: Comparison | None
    latency_difference: int | None = None
    cost_difference: int | None = None
    length_difference: int | None = None


class Pair(Struct, frozen=True):
    """One request as the primary and each silent model answered it."""

    pair_id: str
    primary: tuple[Kept, ...]
    silents: tuple[SilentSide, ...]

"""What a caller asks of the service: a prompt, and who shall answer it. Values only."""

from collections.abc import Mapping
from enum import Enum, auto

from msgspec import Struct

from understudy.server.domain.chat import ChatCall


class SplitMode(Enum):
    """What `models` means beside `experiment`."""

    FOLLOW = auto()
    REGISTER = auto()
    OVERRIDE = auto()


class Target(Struct, frozen=True):
    """Who shall answer: exactly one of a group, a split for this call, an experiment.

    `models` may stand beside `experiment` where `mode` says what that means.
    """

    model: str = ""
    models: Mapping[str, float] = {}
    experiment: str = ""
    mode: SplitMode = SplitMode.FOLLOW
    control: str = ""


class TraceContext(Struct, frozen=True):
    """The caller's place in its trace, as in W3C's `traceparent`.

    `trace_id` has 32 hexadecimal digits, `span_id` 16; neither is all zeros. `state` is
    `tracestate` as it came.
    """

    trace_id: str
    span_id: str
    sampled: bool = True
    state: str = ""


class CompletionRequest(Struct, frozen=True):
    """One prompt with its target. `deadline` is in seconds of the event loop's clock.

    What may not be mirrored may not be stored either. A client's retry is not mirrored again.
    """

    target: Target
    chat: ChatCall
    deadline: float
    request_id: str = ""
    caller: str = ""
    user: str = ""
    metadata: Mapping[str, str] = {}
    may_mirror: bool = True
    is_client_retry: bool = False
    trace: TraceContext | None = None

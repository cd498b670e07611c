"""What sinks are told of calls: each upstream call with its words, each request, each opinion.

Values only. They are made where events become records, so that whoever hears them tells the same
story as the store; who hears them is `sinks`. Instants are microseconds since 1970 UTC. Words are
`None` where nobody may keep them, and where no sink wants any; what a sink makes of those it is
handed is its own `capture`.
"""

from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.completion import Choice
from understudy.server.domain.feedback import Feedback
from understudy.server.domain.mirroring import Outcome
from understudy.server.domain.records import Record
from understudy.server.domain.request import TraceContext


class Asked(Struct, frozen=True, kw_only=True):
    """What a caller asked, as its upstream calls share it.

    `labels` are the request's metadata as the caller sent it, `chat` the parameters; its
    messages are in the generations, which may not have them.
    """

    pair_id: str
    request_id: str = ""
    caller: str = ""
    user: str = ""
    labels: Mapping[str, str] = {}
    trace: TraceContext | None = None
    chat: ChatCall | None = None


class Generation(Struct, frozen=True, kw_only=True):
    """One upstream call, whatever its role. `message` says why it failed, in our words."""

    record: Record
    asked: Asked
    messages: tuple[Message, ...] | None = None
    choices: tuple[Choice, ...] | None = None
    message: str = ""


class Answered(Struct, frozen=True, kw_only=True):
    """One request, when its caller has its answer, or an error for `reason`."""

    asked: Asked
    started: int
    ended: int
    reason: str = ""
    attempts: int = 0
    group: str = ""  # that served, or was asked last
    experiment: str = ""
    variant: str = ""
    first_token: int | None = None  # microseconds from `started`
    streamed: bool = False


class CopyEnded(Struct, frozen=True, kw_only=True):
    """One offer to a silent model came to its end, or was never made (`outcome` is `None`)."""

    pair_id: str
    silent_model: str
    outcome: Outcome | None
    reason: str = ""


Telling: TypeAlias = Generation | Answered | CopyEnded | Feedback

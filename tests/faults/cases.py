"""The ways in which an upstream misbehaves, and what each must come to.

Values only: where a case is played, and how that is measured, is `house`. The words of a `mode`
are those of `tests.stub.modes`; which status a reason has is the table of errors.
"""

from dataclasses import dataclass
from enum import Enum, auto

from grpc import StatusCode


class At(Enum):
    """Who is asked."""

    STUB = auto()  # reads the request, and answers in the case's mode
    DEAF = auto()  # accepts, and reads nothing
    SLOW = auto()  # reads a kilobyte a second
    HASTY = auto()  # answers 413 once it has the head, and reads no more
    CURT = auto()  # closes once it has the head
    HOLE = auto()  # a port whose backlog is full
    CLOSED = auto()  # a port that refuses
    NAMELESS = auto()  # a host whose name is never resolved


OK = "OK"
TIMED_OUT = "UPSTREAM_READ_TIMEOUT"
NO_TIME_LEFT = "DEADLINE_EXCEEDED"
MALFORMED = "UPSTREAM_MALFORMED_RESPONSE"
TOO_LARGE = "UPSTREAM_RESPONSE_TOO_LARGE"
TRUNCATED = "UPSTREAM_TRUNCATED"
BROKEN_OFF = "UPSTREAM_STREAM_TRUNCATED"
LOST = "UPSTREAM_CONNECTION_LOST"
REDIRECTED = "UPSTREAM_REDIRECT_REFUSED"
ENCODED = "UPSTREAM_BAD_ENCODING"
EMPTY = "UPSTREAM_EMPTY_RESPONSE"
FAILED = "UPSTREAM_INTERNAL_ERROR"
STRANGE = "UPSTREAM_BAD_STATUS"

CODES = {
    OK: StatusCode.OK,
    TIMED_OUT: StatusCode.UNAVAILABLE,
    NO_TIME_LEFT: StatusCode.DEADLINE_EXCEEDED,
    MALFORMED: StatusCode.INTERNAL,
    TOO_LARGE: StatusCode.RESOURCE_EXHAUSTED,
    TRUNCATED: StatusCode.UNAVAILABLE,
    BROKEN_OFF: StatusCode.ABORTED,
    LOST: StatusCode.UNAVAILABLE,
    REDIRECTED: StatusCode.FAILED_PRECONDITION,
    ENCODED: StatusCode.INTERNAL,
    EMPTY: StatusCode.INTERNAL,
    FAILED: StatusCode.INTERNAL,
    STRANGE: StatusCode.INTERNAL,
    "UPSTREAM_UNAVAILABLE": StatusCode.UNAVAILABLE,
    "UPSTREAM_RATE_LIMITED": StatusCode.RESOURCE_EXHAUSTED,
    "UPSTREAM_CONNECT_FAILED": StatusCode.UNAVAILABLE,
    "UPSTREAM_CREDENTIALS_REJECTED": StatusCode.FAILED_PRECONDITION,
    "UPSTREAM_REJECTED_REQUEST": StatusCode.INVALID_ARGUMENT,
    "UPSTREAM_STREAM_ERROR": StatusCode.ABORTED,
    "REQUEST_TOO_LARGE": StatusCode.INVALID_ARGUMENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to misbehave. `told` is the reason that a caller reads, `silent` that of a row.

    `stream` is whether the caller asks for a stream; without `silent` both sides are told alike;
    `shed` is why the copies after the first may not be sent.
    """

    name: str
    proves: str
    told: str
    mode: str = "ok"
    at: At = At.STUB
    stream: bool = False
    prompt: int = 64  # bytes
    silent: str = ""
    shed: str = ""

    @property
    def outcome(self) -> str:
        """How a silent copy ends."""
        reason = self.silent or self.told
        if reason == OK:
            return "PAIRED"
        return "TIMED_OUT" if reason == TIMED_OUT else "FAILED"

    @property
    def reason(self) -> str:
        """Why a silent copy ends so."""
        return (self.silent or self.told).removeprefix(OK)


def _redirects() -> list[Case]:
    return [
        Case(name=f"redirects with {status} to {where}", proves="M-9", told=REDIRECTED, mode=mode)
        for status in (301, 302, 303, 307, 308)
        for where, mode in (
            ("another port", f"redirect-{status}"),
            ("the metadata service", f"redirect-to-metadata-{status}"),
            ("a file", f"redirect-to-file-{status}"),
        )
    ]


_MIB = 1 << 20

CASES = (
    Case(name="answers", proves="M-1", told=OK),
    Case(name="answers, streamed", proves="M-1", told=OK, stream=True),
    # Silence.
    Case(name="accepts and reads nothing", proves="M-2", told=TIMED_OUT, at=At.DEAF),
    Case(name="never answers", proves="M-2", told=TIMED_OUT, mode="hang-headers"),
    Case(name="stops in its body", proves="M-2", told=TIMED_OUT, mode="hang-body"),
    Case(
        name="stops in its stream",
        proves="M-2",
        told=BROKEN_OFF,
        silent=TIMED_OUT,
        mode="words-40+hang-body",
        stream=True,
    ),
    Case(name="never accepts", proves="M-3", told=TIMED_OUT, at=At.HOLE),
    Case(name="refuses connections", proves="M-3", told="UPSTREAM_CONNECT_FAILED", at=At.CLOSED),
    Case(name="has a name that never resolves", proves="M-11", told=TIMED_OUT, at=At.NAMELESS),
    Case(name="reads 1 KiB/s of 1 MiB", proves="M-20", told=TIMED_OUT, at=At.SLOW, prompt=_MIB),
    # Refusals.
    Case(name="answers 500", proves="M-4", told=FAILED, mode="status-500"),
    Case(
        name="answers 503",
        proves="M-4",
        told="UPSTREAM_UNAVAILABLE",
        mode="status-503",
        shed="WAKING",
    ),
    Case(name="answers 429", proves="M-4", told="UPSTREAM_RATE_LIMITED", mode="status-429"),
    Case(name="answers 999", proves="M-4", told=STRANGE, mode="status-999"),
    Case(name="reports an error in a 200", proves="M-4", told=FAILED, mode="error-in-200"),
    Case(
        name="echoes the key in body, headers and cookie",
        proves="S-5",
        told="UPSTREAM_CREDENTIALS_REJECTED",
        mode="echo-key",
    ),
    Case(
        name="echoes the prompt", proves="S-6", told="UPSTREAM_REJECTED_REQUEST", mode="echo-prompt"
    ),
    Case(name="sends an error page of 1 MiB", proves="G-6", told=FAILED, mode="error-page-1024"),
    # Size.
    Case(name="sends 1 GB, chunked", proves="M-5", told=TOO_LARGE, mode="endless"),
    Case(name="sends 1 GB, declared", proves="M-5", told=TOO_LARGE, mode="endless+declared"),
    Case(name="sends 1 GB of letters", proves="M-5", told=MALFORMED, mode="huge"),
    Case(name="sends 1 GB in one event", proves="M-5", told=TOO_LARGE, mode="endless", stream=True),
    Case(
        name="streams pieces without end",
        proves="M-5",
        told=NO_TIME_LEFT,
        silent=TOO_LARGE,
        mode="endless-stream",
        stream=True,
    ),
    # Slowness.
    Case(name="drips its headers", proves="M-6", told=TIMED_OUT, mode="drip-head-100ms"),
    Case(name="drips its body", proves="M-6", told=TIMED_OUT, mode="drip-100ms"),
    Case(
        name="drips comments for ever",
        proves="M-6",
        told=NO_TIME_LEFT,
        silent=TIMED_OUT,
        mode="heartbeat-100ms",
        stream=True,
    ),
    Case(name="says 100 Continue for ever", proves="M-6", told=TIMED_OUT, mode="informational"),
    # Content.
    Case(name="sends invalid UTF-8", proves="M-7", told=MALFORMED, mode="bad-utf8"),
    Case(name="sends a lone surrogate", proves="M-7", told=OK, mode="lone-surrogate"),
    Case(name="sends a NUL byte", proves="M-7", told=MALFORMED, mode="nul"),
    Case(name="sends an escaped NUL", proves="M-7", told=OK, mode="escaped-nul"),
    Case(name="sends 1e6 brackets", proves="M-7", told=MALFORMED, mode="brackets-1000000"),
    Case(
        name="sends 1e6 brackets in an object", proves="M-7", told=MALFORMED, mode="nested-1000000"
    ),
    Case(
        name="sends a number of 1e7 digits",
        proves="M-7",
        told=MALFORMED,
        silent=TOO_LARGE,
        mode="big-number",
    ),
    Case(
        name="sends a number of 1e6 digits", proves="M-7", told=MALFORMED, mode="big-number-1000000"
    ),
    Case(name="sends 16,000 choices", proves="M-7", told=MALFORMED, mode="many-choices"),
    Case(name="says a key twice", proves="M-7", told=OK, mode="duplicate-keys"),
    Case(name="sends NaN", proves="M-7", told=MALFORMED, mode="nan"),
    Case(name="sends a byte order mark", proves="M-7", told=MALFORMED, mode="bom"),
    Case(name="sends no choices", proves="M-7", told=EMPTY, mode="empty-choices"),
    Case(name="sends HTML", proves="M-7", told=MALFORMED, mode="html"),
    Case(name="sends nothing", proves="M-7", told=EMPTY, mode="empty"),
    Case(name="sends a gzip bomb", proves="M-8", told=ENCODED, mode="gzip-70"),
    # Framing.
    Case(name="resets before its headers", proves="M-10", told=LOST, mode="reset"),
    Case(name="resets in its body", proves="M-10", told=TRUNCATED, mode="reset-mid-body"),
    Case(name="closes before its headers", proves="M-10", told=LOST, mode="close-before-headers"),
    Case(name="closes in its headers", proves="M-10", told=TRUNCATED, mode="close-in-head"),
    Case(name="closes in its body", proves="M-10", told=TRUNCATED, mode="truncated"),
    Case(name="closes while it is sent 1 MiB", proves="M-10", told=LOST, at=At.CURT, prompt=_MIB),
    Case(
        name="answers 413 while it is sent 8 MiB",
        proves="M-10",
        told="REQUEST_TOO_LARGE",
        at=At.HASTY,
        prompt=8 * _MIB,
    ),
    Case(
        name="declares more than it sends",
        proves="M-10",
        told=OK,  # for the answer itself is whole
        mode="declared-5000+close",
    ),
    Case(
        name="declares less than it sends", proves="M-10", told=MALFORMED, mode="declared-100+close"
    ),
    Case(name="sends a chunk without a size", proves="M-10", told=MALFORMED, mode="bad-chunk"),
    Case(name="speaks HTTP/0.9", proves="M-10", told=MALFORMED, mode="http09"),
    Case(name="speaks no HTTP", proves="M-10", told=MALFORMED, mode="junk"),
    Case(name="switches protocols", proves="M-10", told=STRANGE, mode="status-101"),
    Case(name="sends 1e5 headers", proves="M-10", told=MALFORMED, mode="many-headers"),
    Case(name="sends a header of 1 MiB", proves="M-10", told=MALFORMED, mode="long-header"),
    # Streams.
    Case(
        name="ends its stream unfinished",
        proves="M-16",
        told=BROKEN_OFF,
        silent=TRUNCATED,
        mode="words-40+truncated",
        stream=True,
    ),
    Case(
        name="reports an error in its stream",
        proves="M-16",
        told="UPSTREAM_STREAM_ERROR",
        mode="sse-error",
        stream=True,
    ),
    Case(
        name="reports an error before its stream",
        proves="M-16",
        told=FAILED,
        mode="sse-error-first",
        stream=True,
    ),
    Case(
        name="sends half an object in its stream",
        proves="M-16",
        told="UPSTREAM_STREAM_ERROR",
        silent=MALFORMED,
        mode="sse-bad-json",
        stream=True,
    ),
    Case(
        name="resets in its stream",
        proves="M-16",
        told=BROKEN_OFF,
        silent=TRUNCATED,
        mode="words-40+reset-mid-body",
        stream=True,
    ),
    Case(
        name="ends its stream without [DONE]",
        proves="M-16",
        told=OK,
        mode="sse-no-done",
        stream=True,
    ),
    *_redirects(),
)

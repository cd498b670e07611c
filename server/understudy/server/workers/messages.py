"""What the process that controls and those that serve say to each other. Values only."""

from collections.abc import Mapping

from msgspec import Raw, Struct

from understudy.server.errors import Reason, RefusedError, RequestError, UnderstudyError
from understudy.server.sinks.metrics import Reading


class Message(Struct, frozen=True, tag=True):
    """A question or an answer."""


class Text(Struct, frozen=True):
    """A configuration as the texts that the parent has read: files may have changed since."""

    file: str
    text: str
    included: Mapping[str, str]


class Begin(Message, frozen=True):
    """To a worker, first: make everything ready, but do not listen yet.

    `started` is what the service was started with, `newest` what it has read since, which are the
    same before it has. `socket` is where calls are passed on to.
    """

    started: Text
    newest: Text
    workers: int
    host: str
    port: int
    state_dir: str | None
    socket: str
    log_level: str


class Follow(Message, frozen=True):
    """To a worker: use these experiments from now on. `roster` is a `Roster`."""

    roster: Raw


class Tell(Message, frozen=True):
    """To a worker: tell balancers this."""

    is_ready: bool
    is_away: bool


class Reload(Message, frozen=True):
    """To a worker: use what another reading of the file says."""

    newest: Text


class Pause(Message, frozen=True):
    """To a worker: stop mirroring to one silent model, or to all."""

    silent_model: str | None


class Resume(Message, frozen=True):
    """To a worker: go on with one, or with all."""

    silent_model: str | None


class Listen(Message, frozen=True):
    """To a worker: take calls."""


class Describe(Message, frozen=True):
    """To a worker: say how you are."""


class Count(Message, frozen=True):
    """To a worker: say what you have counted and measured, for metrics."""


class Drain(Message, frozen=True):
    """To a worker: take no more calls, finish those there are, and end."""


class Register(Message, frozen=True):
    """From a worker: a call brings an experiment along."""

    experiment: str
    models: Mapping[str, float]
    control: str
    actor: str


class Done(Message, frozen=True):
    """It is so."""


class Reloaded(Message, frozen=True):
    """The file's other reading is in use; `renewed` says whether certificates differ."""

    renewed: bool


class Described(Message, frozen=True):
    """How a worker is: a `GetStatusResponse`."""

    status: bytes


class Counted(Message, frozen=True):
    """What a worker has counted and measured."""

    reading: Reading


class Faulty(Message, frozen=True):
    """The configuration cannot be used, for reasons of this machine."""

    faults: list[str]


class Refused(Message, frozen=True):
    """It may not be, or cannot be now: an UnderstudyError."""

    kind: str
    reason: Reason
    message: str
    metadata: Mapping[str, str]
    field: str = ""
    retry_after: float | None = None


class Broken(Message, frozen=True):
    """An error of our own; the log of whoever was asked says which."""


Anything = (
    Begin
    | Follow
    | Tell
    | Reload
    | Pause
    | Resume
    | Listen
    | Describe
    | Count
    | Drain
    | Register
    | Done
    | Reloaded
    | Described
    | Counted
    | Faulty
    | Refused
    | Broken
)


def write_error(error: UnderstudyError) -> Refused:
    """Return an error as a message."""
    return Refused(
        type(error).__name__,
        error.reason,
        error.message,
        error.metadata,
        error.field if isinstance(error, RequestError) else "",
        error.retry_after if isinstance(error, RefusedError) else None,
    )


def read_error(refused: Refused) -> UnderstudyError:
    """Return the error that a message was made of."""
    reason, message, metadata = refused.reason, refused.message, refused.metadata
    if refused.kind == RequestError.__name__:
        return RequestError(message, field=refused.field, reason=reason, metadata=metadata)
    if refused.kind == RefusedError.__name__:
        return RefusedError(reason, message, retry_after=refused.retry_after, metadata=metadata)
    return UnderstudyError(reason, message, metadata=metadata)

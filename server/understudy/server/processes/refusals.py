"""Our own errors as messages between processes."""

from collections.abc import Mapping

from msgspec import Struct

from understudy.server.errors import Reason, RefusedError, RequestError, UnderstudyError


class Message(Struct, frozen=True, tag=True):
    """A question or an answer."""


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

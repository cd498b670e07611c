"""What the end of a reply means for the call: an answer after all, or an error, and which."""

from math import inf

from understudy.server.domain.completion import Completion
from understudy.server.errors import Reason, RefusedError, UnderstudyError, UpstreamError
from understudy.server.ports import Reader

_CUT_SHORT = frozenset(
    {
        Reason.UPSTREAM_TRUNCATED,
        Reason.UPSTREAM_CONNECTION_LOST,
        Reason.UPSTREAM_CONNECT_FAILED,
        Reason.UPSTREAM_READ_TIMEOUT,
    }
)


def salvage(reader: Reader, status: int, error: UpstreamError) -> Completion:
    """Return the answer, if all of it came before the reply was cut.

    Raises what the status says, however its body ended, and else the error.
    """
    try:
        return reader.finish()
    except UpstreamError as told:
        if status // 100 != 2:
            raise
        raise error from told


def more_telling(before: UnderstudyError | None, error: UnderstudyError) -> UnderstudyError:
    """Return which of two failures of one call its caller shall read.

    What came of asking tells more than that nobody else could be asked; of two refusals the one
    that ends first does.
    """
    if before is None or not isinstance(error, RefusedError):
        return error
    if not isinstance(before, RefusedError):
        return before
    return min(before, error, key=_retry_after)


def as_committed(error: UnderstudyError, delivered: int) -> UnderstudyError:
    """Return the error as it is after pieces were delivered: nobody may replay those silently."""
    if not delivered or error.reason in (Reason.DEADLINE_EXCEEDED, Reason.INTERNAL):
        return error
    if error.reason in (Reason.UPSTREAM_STREAM_TRUNCATED, Reason.UPSTREAM_STREAM_ERROR):
        reason = error.reason
    elif isinstance(error, UpstreamError) and error.reason in _CUT_SHORT:
        reason = Reason.UPSTREAM_STREAM_TRUNCATED
    else:
        reason = Reason.UPSTREAM_STREAM_ERROR
    labels = {**error.metadata, "deltasDelivered": str(delivered)}
    status = error.status if isinstance(error, UpstreamError) else 0
    return UpstreamError(reason, error.message, status=status, delivered=delivered, metadata=labels)


def _retry_after(refusal: RefusedError) -> float:
    return inf if refusal.retry_after is None else refusal.retry_after

"""What went wrong, as a page or a line on one: the message that callers get too, never a stack."""

import logging
import traceback
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from understudy.server.errors import AccessError, Reason, RequestError, UnderstudyError

_LOG = logging.getLogger(__name__)

_STATUSES: Final[Mapping[Reason, int]] = MappingProxyType(
    {
        Reason.EXPERIMENT_NOT_FOUND: 404,
        Reason.PAIR_NOT_FOUND: 404,
        Reason.REQUEST_TOO_LARGE: 413,
        Reason.ETAG_MISMATCH: 409,
        Reason.ILLEGAL_TRANSITION: 409,
        Reason.IMMUTABLE_WHILE_RUNNING: 409,
        Reason.EXPERIMENT_EXISTS: 409,
        Reason.GROUP_TAKEN: 409,
        Reason.STORE_UNAVAILABLE: 503,
        Reason.OVERLOADED: 503,
        Reason.DRAINING: 503,
        Reason.NOT_IMPLEMENTED: 501,
        Reason.INTERNAL: 500,
    }
)
_TITLES: Final[Mapping[int, str]] = MappingProxyType(
    {
        403: "This is not yours to do",
        404: "There is nothing here",
        405: "That cannot be done here",
        409: "That was not done",
        413: "That is too much",
        422: "That was not done",
        500: "Something went wrong",
        501: "That is switched off",
        503: "Not now",
    }
)


def status_of(error: UnderstudyError) -> int:
    """Return the status of an answer that tells this."""
    if error.reason in _STATUSES:
        return _STATUSES[error.reason]
    if isinstance(error, AccessError):
        return 403
    return 422 if isinstance(error, RequestError) else 500


def title_of(status: int) -> str:
    """Return the headline of a page that tells what went wrong."""
    return _TITLES.get(status, "That was not done")


def own_fault(path: str, error: Exception) -> UnderstudyError:
    """Log an error of our own, without its text: that may quote a key or a prompt."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    _LOG.error(
        "%s failed by an error of our own: %s at %s",
        path,
        type(error).__name__,
        " < ".join(
            f"{one.name} ({one.filename.rpartition('/')[2]}:{one.lineno})" for one in frames[::-1]
        ),
    )
    return UnderstudyError(
        Reason.INTERNAL, "an error of the dashboard's own; the service's log says where"
    )

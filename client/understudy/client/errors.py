"""Everything a call can raise; which status becomes which is in `statuses`.

    UnderstudyError
      Cancelled              the server, or closing the client, gave the call up
      Unknown                a status that says nothing
      InvalidArgument        the prompt or a parameter is wrong; `violations` names the fields
      DeadlineExceeded       no answer within the timeout
      NotFound               no model group or experiment has this name
      AlreadyExists          the name is taken
      PermissionDenied       the key lacks the role
      Unauthenticated        no key, or an unknown one
      ResourceExhausted      rate limit, quota, budget, or a server that is full
      FailedPrecondition     the operator's to mend: a provider's key, name or address
      Aborted                a conflict, or a stream that broke after its first piece
      OutOfRange
      Unimplemented          this server does not do that yet
      Internal               the server's or the provider's own fault
      Unavailable            nobody there: no server, no provider; try later
      DataLoss

Wrong types and misspelt parameters are bugs of the caller: they raise `TypeError` or `ValueError`
before anything is sent. A cancelled task raises `asyncio.CancelledError`, as everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.message import Message

NO_SERVER = "NO_SERVER"
FORKED = "FORKED_WHILE_IN_USE"


@dataclass(frozen=True, slots=True)
class Violation:
    """A field of the request, such as `messages[2].role`, and what is wrong with it."""

    field: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is known of a call that failed.

    `reason` is a value of `understudy.v1.ErrorReason` without its prefix, or one of our own:
    `NO_SERVER`, `FORKED_WHILE_IN_USE`, or the code's name where nobody said more.
    """

    reason: str
    message: str
    code: str
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    retry_after: float | None = None
    violations: tuple[Violation, ...] = ()
    details: tuple[Message, ...] = ()
    repeatable: bool = False


class UnderstudyError(Exception):
    """The root. `str(error)` is the message, which is for people; `reason` is for programs."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self._failure = failure

    def __str__(self) -> str:
        return self._failure.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._failure.message!r})"

    @property
    def reason(self) -> str:
        """Why, in UPPER_SNAKE_CASE, such as `MODEL_NOT_FOUND`."""
        return self._failure.reason

    @property
    def message(self) -> str:
        """What is wrong and, where possible, what to do."""
        return self._failure.message

    @property
    def code(self) -> str:
        """The gRPC status by name, such as `NOT_FOUND`."""
        return self._failure.code

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the message speaks of, for programs: `requestId`, `provider`, `model` …."""
        return self._failure.metadata

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait before the next try; `None` if nobody said."""
        return self._failure.retry_after

    @property
    def violations(self) -> tuple[Violation, ...]:
        """The fields of the request that are wrong."""
        return self._failure.violations

    @property
    def details(self) -> tuple[Message, ...]:
        """Every `google.rpc` detail that came with the error."""
        return self._failure.details

    @property
    def repeatable(self) -> bool:
        """Whether it is certain that no model was asked.

        The client has repeated such a call by itself already.
        """
        return self._failure.repeatable


class Cancelled(UnderstudyError):
    """The server, or closing the client, gave the call up."""


class Unknown(UnderstudyError):
    """A status that says nothing."""


class InvalidArgument(UnderstudyError):
    """The prompt or a parameter is wrong; `violations` names the fields."""


class DeadlineExceeded(UnderstudyError):
    """No answer within the timeout."""


class NotFound(UnderstudyError):
    """No model group or experiment has this name."""


class AlreadyExists(UnderstudyError):
    """The name is taken."""


class PermissionDenied(UnderstudyError):
    """The key lacks the role for this."""


class Unauthenticated(UnderstudyError):
    """No key, or an unknown one."""


class ResourceExhausted(UnderstudyError):
    """A rate limit, a quota, a budget, or a server that has all it can carry."""


class FailedPrecondition(UnderstudyError):
    """The operator's to mend: a provider's key, name or address."""


class Aborted(UnderstudyError):
    """A conflict, or a stream that broke after its first piece."""


class OutOfRange(UnderstudyError):
    """Past the end of something."""


class Unimplemented(UnderstudyError):
    """This server does not do that yet."""


class Internal(UnderstudyError):
    """The server's or the provider's own fault."""


class Unavailable(UnderstudyError):
    """Nobody there: no server (`reason` is `NO_SERVER`) or no provider."""


class DataLoss(UnderstudyError):
    """Something stored cannot be read."""

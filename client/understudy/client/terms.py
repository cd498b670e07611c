"""What both clients do alike: on which terms they call, and what they make of an error.

No I/O; the shells that call are `sync_client` and `async_client`.
"""

import random
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

import grpc

from understudy.client.errors import Cancelled, Failure, UnderstudyError
from understudy.client.parameters import MessageInput
from understudy.client.requests import build_request
from understudy.client.retries import Budget, Patience
from understudy.client.settings import Settings, check_timeout
from understudy.client.statuses import read_error
from understudy.v1.completion_pb2 import CreateCompletionRequest

MODELS_PER_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Terms:
    """The settings of a client, and what follows from them for each call."""

    settings: Settings
    _budget: Budget = field(default_factory=Budget, init=False, repr=False, compare=False)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes with each call: the key, if there is one."""
        key = self.settings.api_key
        return (("authorization", f"Bearer {key}"),) if key is not None else ()

    def write_request(
        self,
        model: str | None,
        messages: Iterable[MessageInput],
        parameters: Mapping[str, object],
    ) -> tuple[CreateCompletionRequest, float]:
        """Return the request and its timeout. Raises TypeError or ValueError for bad arguments."""
        others = dict(parameters)
        timeout = cast("float | None", others.pop("timeout", None))
        return build_request(model, messages, others), self.timeout(timeout)

    def timeout(self, given: float | None) -> float:
        """Return the seconds that a call may take."""
        return self.settings.timeout if given is None else check_timeout(given)

    def patience(self, timeout: float) -> Patience:
        """Return the patience for one call, which begins now."""
        self._budget.deposit()
        return Patience(timeout, time.monotonic, random.random, self._budget)

    def tell(self, error: grpc.RpcError, timeout: float) -> UnderstudyError:
        """Return the error of ours for one of gRPC's."""
        return read_error(error, self.settings.target.text, timeout)


def tell_closed() -> UnderstudyError:
    """Return the error of a call that was under way when its client was closed."""
    return Cancelled(Failure(reason="CANCELLED", message="the client was closed", code="CANCELLED"))


class PlaintextKeyWarning(UserWarning):
    """A key is sent where others on the network can read it."""


def warn_of_plaintext(settings: Settings) -> None:
    """Warn if the key of a client can be read on its way."""
    if settings.tells_key_in_clear:
        warnings.warn(
            f"the API key goes to {settings.target.text} unencrypted; give tls=True, or "
            "insecure=True if the network between is trusted",
            PlaintextKeyWarning,
            stacklevel=3,
        )

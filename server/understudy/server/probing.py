"""Asks a deployment for one token, to see whether it would answer."""

from collections.abc import Callable
from dataclasses import dataclass

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, UnderstudyError, UpstreamError
from understudy.server.ports import Dialect, Upstream
from understudy.server.providers.redaction import redacted

_WORDS = ChatCall((Message("user", "Say hi."),), {"max_tokens": 1})


@dataclass(frozen=True, slots=True)
class Probe:
    """How a deployment answered: `ok 340 ms`, or the HTTP status and what is wrong."""

    deployment: str
    ok: bool
    told: str


async def probe(
    deployment: Deployment,
    key_name: str,
    *,
    dialect: Callable[[str], Dialect],
    upstream: Upstream,
    clock: Callable[[], float],
    timeout: float,
) -> Probe:
    """Return how the deployment answers one short prompt. Costs a token or a few.

    An answer cut off after the first token is an answer: a model that thinks may not have come
    to any words by then.
    """
    started = clock()
    speaks = dialect(deployment.provider)
    try:
        request = speaks.encode(_WORDS, deployment)
        async with upstream.exchange(request, started + timeout) as exchange:
            reader = speaks.reader(False, exchange.status, exchange.headers)
            async for chunk in exchange.chunks():
                reader.feed(chunk)
            reader.finish()
    except UpstreamError as error:
        assert deployment.endpoint is not None  # it was asked
        clean = redacted(error, deployment.endpoint)
        return Probe(deployment.id, False, _tell(clean, key_name))
    except UnderstudyError as error:
        return Probe(deployment.id, False, error.message)
    return Probe(deployment.id, True, f"ok {(clock() - started) * 1000:.0f} ms")


def _tell(error: UpstreamError, key_name: str) -> str:
    status = f"{error.status} " if error.status else ""
    match error.reason:
        case Reason.UPSTREAM_CREDENTIALS_REJECTED | Reason.UPSTREAM_FORBIDDEN:
            return f"{status}key {key_name} refused" if key_name else f"{status}no key was sent"
        case Reason.UPSTREAM_MODEL_NOT_FOUND:
            return f"{status}no such model or path"
        case _:
            return f"{status}{error.message}"

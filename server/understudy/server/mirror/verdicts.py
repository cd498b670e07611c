"""What the failure of a silent call means: an outcome for the pair, a sign of health. Pure."""

from dataclasses import dataclass

from understudy.server.domain.mirroring import Outcome
from understudy.server.errors import Reason, UnderstudyError, UpstreamError
from understudy.server.routing.breaker import Health

_SLOW = frozenset({Reason.UPSTREAM_READ_TIMEOUT, Reason.UPSTREAM_CONNECT_TIMEOUT})
# The prompt's fault; the deployment that says so is well.
_PROMPTS_OWN = frozenset(
    {
        Reason.CONTEXT_LENGTH_EXCEEDED,
        Reason.CONTENT_POLICY_REJECTED,
        Reason.REQUEST_TOO_LARGE,
        Reason.UPSTREAM_REJECTED_REQUEST,
        Reason.UPSTREAM_UNSUPPORTED,
    }
)
_STARTING = 503


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a silent call ended."""

    outcome: Outcome
    reason: Reason
    health: Health
    retry_after: float | None = None  # seconds


def judge(error: BaseException) -> Verdict:
    """Return what an exception means that ended a silent call."""
    if isinstance(error, UpstreamError):
        return _judge_upstream(error)
    if isinstance(error, UnderstudyError):  # the dialect could not write the prompt at all
        return Verdict(Outcome.FAILED, error.reason, Health.UNKNOWN)
    return Verdict(Outcome.FAILED, Reason.INTERNAL, Health.UNKNOWN)


def _judge_upstream(error: UpstreamError) -> Verdict:
    reason = error.reason
    health = Health.BAD
    if reason in _PROMPTS_OWN:
        health = Health.GOOD
    elif error.status == _STARTING and reason is Reason.UPSTREAM_UNAVAILABLE:
        health = Health.STARTING
    return Verdict(
        Outcome.TIMED_OUT if reason in _SLOW else Outcome.FAILED,
        reason,
        health,
        retry_after=error.retry_after if reason is Reason.UPSTREAM_RATE_LIMITED else None,
    )

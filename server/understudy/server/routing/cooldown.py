"""When a deployment that answers callers is left alone: our rule, LiteLLM's words for it. Pure.

Our own rule is for a deployment among others that take its share: five failures in a row, or half
of at least twenty calls in ten seconds. One that is alone in its tier is left alone by the second
only. To leave it alone is to refuse every caller, so that five prompts which a model cannot bear,
all from one caller, must not do it; but where half of many calls fail, callers are better served
by an answer at once than by waiting for a failure. Its rests are short: a trial costs one call.

`allowed_fails` takes the place of either: that many failures a minute are borne. `cooldown_time`
takes the place of the rest, and 0 means that nobody ever rests. The mechanism is `routing.breaker`.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason
from understudy.server.routing.breaker import Health, Rule

LONGEST_ASKED = 60.0  # seconds; who asks to be left alone for longer is asked again all the same
# A caller whose own time ran out says nothing of the model, unless it waited this long in vain.
SLOW = 60.0  # seconds
_MINUTE = 60.0

AMONG_OTHERS = Rule(longest_rest=15.0)
ALONE = replace(AMONG_OTHERS, in_a_row=None)

# What is not here says nothing: the caller's own faults, our own seats, a refusal to slow down.
_SIGNS: Mapping[Reason | None, Health] = MappingProxyType(
    {
        None: Health.GOOD,
        **dict.fromkeys(
            (
                Reason.UPSTREAM_CREDENTIALS_REJECTED,
                Reason.UPSTREAM_FORBIDDEN,
                Reason.UPSTREAM_MODEL_NOT_FOUND,
                Reason.UPSTREAM_TIMEOUT,
                Reason.UPSTREAM_QUOTA_EXHAUSTED,
                Reason.UPSTREAM_INTERNAL_ERROR,
                Reason.UPSTREAM_UNAVAILABLE,
                Reason.UPSTREAM_OVERLOADED,
                Reason.UPSTREAM_GATEWAY_TIMEOUT,
                Reason.UPSTREAM_REDIRECT_REFUSED,
                Reason.UPSTREAM_BAD_STATUS,
                Reason.UPSTREAM_CONNECT_FAILED,
                Reason.UPSTREAM_CONNECTION_LOST,
                Reason.UPSTREAM_CONNECT_TIMEOUT,
                Reason.UPSTREAM_DNS_FAILURE,
                Reason.UPSTREAM_TLS_UNTRUSTED,
                Reason.UPSTREAM_READ_TIMEOUT,
                Reason.UPSTREAM_MALFORMED_RESPONSE,
                Reason.UPSTREAM_EMPTY_RESPONSE,
                Reason.UPSTREAM_TRUNCATED,
                Reason.UPSTREAM_STREAM_TRUNCATED,
                Reason.UPSTREAM_STREAM_ERROR,
                Reason.UPSTREAM_RESPONSE_TOO_LARGE,
                Reason.UPSTREAM_BAD_ENCODING,
            ),
            Health.BAD,
        ),
    }
)


def find_rule(deployment: Deployment, *, replaceable: bool) -> Rule | None:
    """Return the rule for a deployment, None if it is never left alone.

    `replaceable` says that others of its tier take its share meanwhile.
    """
    return _find_rule(deployment.allowed_fails, deployment.cooldown_time, replaceable)


def read_sign(
    deployment: Deployment, reason: Reason | None, lasted: float, *, replaceable: bool
) -> Health:
    """Return what the end of a call says of a deployment; `lasted` is in seconds."""
    if reason is Reason.DEADLINE_EXCEEDED and lasted >= SLOW:
        return Health.BAD
    if reason is Reason.UPSTREAM_RATE_LIMITED and replaceable:
        # LiteLLM counts it among the fails that it allows.
        return Health.UNKNOWN if deployment.allowed_fails is None else Health.BAD
    return _SIGNS.get(reason, Health.UNKNOWN)


def find_rest(
    deployment: Deployment, reason: Reason | None, asked: float | None, *, replaceable: bool
) -> float:
    """Return the seconds that a refusal to go so fast has earned a deployment, 0 for none.

    The only one of its tier is not spared: its callers wait, and ask again.
    """
    if reason is not Reason.UPSTREAM_RATE_LIMITED or not replaceable:
        return 0.0
    seconds = deployment.cooldown_time if asked is None else asked
    return min(seconds or 0.0, LONGEST_ASKED)


@lru_cache(maxsize=1024)
def _find_rule(
    allowed_fails: int | None, cooldown_time: float | None, replaceable: bool
) -> Rule | None:
    if cooldown_time == 0:
        return None
    rule = AMONG_OTHERS if replaceable else ALONE
    if allowed_fails is not None:
        rule = replace(rule, in_a_row=None, share=None, allowed=allowed_fails, window=_MINUTE)
    if cooldown_time is not None:
        # At least what the operator says, and a little more.
        rule = replace(rule, rest=cooldown_time, longest_rest=cooldown_time, spread=(1.0, 1.25))
    return rule

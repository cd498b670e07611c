"""What one upstream call cost, whichever way it ended. Pure.

An answer is charged by its provider's count. A refusal, and what never left, are not charged. What
was cut, cancelled or timed out in between probably is: for as much as came of it, where that is
known, and else nobody can say.
"""

from collections.abc import Callable
from typing import Final

from understudy.server.domain.completion import Completion
from understudy.server.domain.costs import NOT_CHARGED, Cost, Price
from understudy.server.errors import Reason
from understudy.server.pricing.charging import cost_of
from understudy.server.pricing.estimating import add_answer, measure_answer

# Nothing of the prompt left, so that nobody can have worked on it.
_NEVER_REACHED: Final = frozenset(
    {
        Reason.UPSTREAM_CONNECT_FAILED,
        Reason.UPSTREAM_CONNECT_TIMEOUT,
        Reason.UPSTREAM_DNS_FAILURE,
        Reason.UPSTREAM_ADDRESS_REFUSED,
        Reason.UPSTREAM_TLS_UNTRUSTED,
    }
)
# A provider that says so has not answered, even where it says so with a status of success.
_REFUSED: Final = frozenset(
    {
        Reason.UPSTREAM_REJECTED_REQUEST,
        Reason.REQUEST_TOO_LARGE,
        Reason.CONTEXT_LENGTH_EXCEEDED,
        Reason.CONTENT_POLICY_REJECTED,
        Reason.UPSTREAM_CREDENTIALS_REJECTED,
        Reason.UPSTREAM_FORBIDDEN,
        Reason.UPSTREAM_MODEL_NOT_FOUND,
        Reason.UPSTREAM_CONFLICT,
        Reason.UPSTREAM_RATE_LIMITED,
        Reason.UPSTREAM_QUOTA_EXHAUSTED,
        Reason.UPSTREAM_INTERNAL_ERROR,
        Reason.UPSTREAM_UNSUPPORTED,
        Reason.UPSTREAM_UNAVAILABLE,
        Reason.UPSTREAM_OVERLOADED,
    }
)


def cost_of_answer(
    completion: Completion,
    count_prompt: Callable[[], int],
    price: Price | None,
    at: int,
    latency: int,
) -> Cost:
    """Return what an answer cost. `count_prompt` estimates the prompt's tokens, where need be."""
    estimate = None
    if completion.usage is None and price is not None:
        estimate = add_answer(count_prompt(), measure_answer(completion))
    return cost_of(
        completion.usage,
        price,
        at,
        latency,
        service_tier=completion.service_tier,
        provider_cost=completion.provider_cost_nano_usd,
        estimate=estimate,
    )


def cost_of_failure(
    reason: str,
    status: int,
    count_prompt: Callable[[], int],
    price: Price | None,
    at: int,
    latency: int,
    received: int | None,
) -> Cost:
    """Return what a call without an answer cost. `status` is HTTP's, 0 where there was none.

    `reason` is a `Reason`, or whoever cancelled the call's own word for it. `received` is how many
    bytes of text had come; None where that is not known, as it is not of an answer sent whole.
    """
    if status >= 300 or reason in _NEVER_REACHED or (reason in _REFUSED and not received):
        return NOT_CHARGED
    estimate = None
    if received is not None and status and price is not None:
        estimate = add_answer(count_prompt(), received)
    return cost_of(None, price, at, latency, estimate=estimate)

"""Decides who is asked first, and who next after a failure. Pure: callers bring the tickets.

The order of remedies: another deployment of the same `order`, then the next `order`, then the
same deployments again, then the fallback groups. Waiting before a repeat is `routing.backoff`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from types import MappingProxyType

from understudy.server.domain.deployment import Deployment, ModelGroup, Snapshot
from understudy.server.errors import Reason, RefusedError
from understudy.server.routing.groups import find_group
from understudy.server.routing.weights import pick


class Remedy(Enum):
    """What may be done after a failure, each including those above it."""

    NOTHING = auto()  # asking anybody again would be no better
    FALLBACK = auto()  # another group, or the next order, may do better
    ELSEWHERE = auto()  # so may another deployment of the group, at once
    ONCE = auto()  # so may the same deployment, but only once
    RETRY = auto()  # so may the same deployment


REMEDIES: Mapping[Reason, Remedy] = MappingProxyType(
    {
        Reason.CONTEXT_LENGTH_EXCEEDED: Remedy.FALLBACK,
        Reason.CONTENT_POLICY_REJECTED: Remedy.FALLBACK,
        Reason.UPSTREAM_CREDENTIALS_REJECTED: Remedy.FALLBACK,
        Reason.UPSTREAM_FORBIDDEN: Remedy.FALLBACK,
        Reason.UPSTREAM_MODEL_NOT_FOUND: Remedy.FALLBACK,
        Reason.UPSTREAM_QUOTA_EXHAUSTED: Remedy.FALLBACK,
        Reason.UPSTREAM_UNSUPPORTED: Remedy.FALLBACK,
        Reason.UPSTREAM_REDIRECT_REFUSED: Remedy.FALLBACK,
        Reason.UPSTREAM_BAD_STATUS: Remedy.FALLBACK,
        Reason.UPSTREAM_ADDRESS_REFUSED: Remedy.FALLBACK,
        Reason.UPSTREAM_TLS_UNTRUSTED: Remedy.FALLBACK,
        Reason.UPSTREAM_RESPONSE_TOO_LARGE: Remedy.FALLBACK,
        Reason.UPSTREAM_BAD_ENCODING: Remedy.FALLBACK,
        # The model may be at work on it; what is safe to send again, `upstream` has sent again.
        Reason.UPSTREAM_CONNECTION_LOST: Remedy.FALLBACK,
        Reason.LOCAL_POOL_EXHAUSTED: Remedy.ELSEWHERE,
        Reason.CIRCUIT_OPEN: Remedy.ELSEWHERE,
        Reason.UPSTREAM_CONFLICT: Remedy.ONCE,
        Reason.UPSTREAM_INTERNAL_ERROR: Remedy.ONCE,
        Reason.UPSTREAM_MALFORMED_RESPONSE: Remedy.ONCE,
        Reason.UPSTREAM_EMPTY_RESPONSE: Remedy.ONCE,
        Reason.UPSTREAM_TIMEOUT: Remedy.RETRY,
        Reason.UPSTREAM_RATE_LIMITED: Remedy.RETRY,
        Reason.UPSTREAM_UNAVAILABLE: Remedy.RETRY,
        Reason.UPSTREAM_OVERLOADED: Remedy.RETRY,
        Reason.UPSTREAM_GATEWAY_TIMEOUT: Remedy.RETRY,
        Reason.UPSTREAM_CONNECT_FAILED: Remedy.RETRY,
        Reason.UPSTREAM_CONNECT_TIMEOUT: Remedy.RETRY,
        Reason.UPSTREAM_DNS_FAILURE: Remedy.RETRY,
        Reason.UPSTREAM_READ_TIMEOUT: Remedy.RETRY,
        Reason.UPSTREAM_TRUNCATED: Remedy.RETRY,
        Reason.UPSTREAM_STREAM_ERROR: Remedy.RETRY,
    }
)


@dataclass(frozen=True, slots=True)
class Course:
    """Where a call stands: in which group and tier, who was tried there, what is left.

    `repeats` says that everybody in the tier was tried, so that a wait is in order. `failure` is
    what the last upstream call to the group came to: a refusal since has not made it better.
    """

    group: ModelGroup
    tier: int = 0
    tried: frozenset[str] = frozenset()
    retries: int = 0
    pending: tuple[str, ...] = ()
    visited: frozenset[str] = frozenset()
    repeats: bool = False
    failure: Reason | None = None


def first_course(group: ModelGroup) -> Course:
    """Return where a call to the group begins: its first order that serves anything."""
    return Course(group, tier=_tier_with_weight(group, 0) or 0)


def draw_deployment(course: Course, ticket: float) -> Deployment:
    """Return the untried deployment of the tier that the ticket draws by weight.

    Raises RefusedError if the group serves nothing, or if the one drawn cannot be asked: its
    share fails rather than silently becoming another's.
    """
    tier = course.group.tiers[course.tier]
    weights = tier.weights
    if course.tried:
        weights = tuple(
            0.0 if one.id in course.tried else weight
            for one, weight in zip(tier.deployments, tier.weights, strict=True)
        )
    index = pick(weights, ticket)
    if index is None:
        name = course.group.name
        raise RefusedError(
            Reason.GROUP_HAS_NO_WEIGHT,
            f"every deployment of {name!r} has the weight 0, so it serves nothing; "
            "give one of them a weight above 0",
            metadata={"modelGroup": name},
        )
    deployment = tier.deployments[index]
    if deployment.unusable:
        raise RefusedError(
            Reason.DEPLOYMENT_UNUSABLE,
            f"the deployment drawn from {deployment.group!r} cannot be asked: "
            f"{deployment.unusable}",
            metadata={"modelGroup": deployment.group, "deployment": deployment.id},
        )
    return deployment


def is_replaceable(course: Course, deployment: Deployment) -> bool:
    """Whether another deployment of the tier can be asked instead of this one."""
    tier = course.group.tiers[course.tier]
    return any(
        weight > 0 and one.id != deployment.id and not one.unusable
        for one, weight in zip(tier.deployments, tier.weights, strict=True)
    )


def next_course(
    snapshot: Snapshot,
    course: Course,
    failed: Deployment,
    reason: Reason,
    *,
    may_retry: bool = True,
) -> Course | None:
    """Return how to go on after a deployment failed, or None if nothing is left to try.

    Without `may_retry`, as if every retry had been made.
    """
    remedy = REMEDIES.get(reason, Remedy.NOTHING)
    if remedy is Remedy.NOTHING:
        return None
    if _list_for(snapshot, course, reason) and (larger := _fall_back(snapshot, course, reason)):
        return larger  # who reads more, or minds less, rather than more of the same
    tried = course.tried | {failed.id}
    untried = _has_weight(course, tried)
    if remedy is Remedy.ELSEWHERE:
        if untried:
            return replace(course, tried=tried, repeats=False)
        if course.failure is not None:
            reason, remedy = course.failure, REMEDIES[course.failure]
    else:
        course = replace(course, failure=reason)
    limit = snapshot.num_retries if failed.num_retries is None else failed.num_retries
    if remedy is Remedy.ONCE:
        limit = min(limit, 1)
    may_retry &= remedy in (Remedy.ONCE, Remedy.RETRY) and course.retries < limit
    if may_retry and untried:
        return replace(course, tried=tried, retries=course.retries + 1, repeats=False)
    if (tier := _tier_with_weight(course.group, course.tier + 1)) is not None:
        return replace(course, tier=tier, tried=frozenset(), repeats=False)
    if may_retry:
        return replace(course, tried=frozenset(), retries=course.retries + 1, repeats=True)
    return _fall_back(snapshot, course, reason)


def _has_weight(course: Course, tried: frozenset[str]) -> bool:
    tier = course.group.tiers[course.tier]
    return any(
        weight > 0 and one.id not in tried
        for one, weight in zip(tier.deployments, tier.weights, strict=True)
    )


def _list_for(snapshot: Snapshot, course: Course, reason: Reason) -> tuple[str, ...]:
    """Return the fallbacks of the group for prompts that it cannot or will not answer."""
    if reason is Reason.CONTEXT_LENGTH_EXCEEDED:
        return _own(snapshot.context_window_fallbacks, course.group)
    if reason is Reason.CONTENT_POLICY_REJECTED:
        return _own(snapshot.content_policy_fallbacks, course.group)
    return ()


def _own(fallbacks: Mapping[str, tuple[str, ...]], group: ModelGroup) -> tuple[str, ...]:
    return fallbacks.get(group.name) or fallbacks.get("*", ())


def _fall_back(snapshot: Snapshot, course: Course, reason: Reason) -> Course | None:
    name = course.group.name
    own = _list_for(snapshot, course, reason) or _own(snapshot.fallbacks, course.group)
    visited = course.visited | {name}
    if len(visited) > snapshot.max_fallbacks:
        return None
    waiting = list(dict.fromkeys((*own, *course.pending)))
    while waiting:
        group = find_group(snapshot, waiting.pop(0))
        if group.name not in visited and _tier_with_weight(group, 0) is not None:
            return replace(first_course(group), pending=tuple(waiting), visited=visited)
    return None


def _tier_with_weight(group: ModelGroup, start: int) -> int | None:
    for index, tier in enumerate(group.tiers[start:], start):
        if any(tier.weights):
            return index
    return None

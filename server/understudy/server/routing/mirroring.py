"""Decides which silent models a prompt is played to, and when. Pure: callers bring the tickets.

Playing them is `mirror`'s. A silent model's own silent models are never looked at: they end here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from understudy.server.domain.deployment import Deployment, Endpoint, SilentModel, Snapshot
from understudy.server.domain.mirroring import Disposition, SilentTarget
from understudy.server.domain.request import CompletionRequest
from understudy.server.errors import RefusedError, RequestError
from understudy.server.routing.attempts import draw_deployment, first_course
from understudy.server.routing.groups import find_group

SALT: Final = b"understudy/v1\x1fmirror\x1f"
BUCKETS: Final = 1 << 53

# Headers that say whose quota a call is counted against.
_QUOTA: Final = frozenset({"authorization", "api-key", "x-api-key"})


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """Who is offered the prompt beside the first attempt, who after the answer, and who is not."""

    beside: tuple[SilentTarget, ...] = ()
    after: tuple[SilentTarget, ...] = ()
    passed_over: tuple[Disposition, ...] = ()


NOBODY: Final = MirrorPlan()


def plan_mirror(
    snapshot: Snapshot,
    primary: Deployment,
    silents: Iterable[SilentModel],
    request: CompletionRequest,
    pair_id: str,
    ticket: Callable[[], float],
    *,
    after_primary: bool,
    share: float = 1.0,
) -> MirrorPlan:
    """Return the plan for a call to `silents` whose first attempt goes to `primary`.

    A silent model that shares the primary's host and key waits for the answer, whatever the
    configuration says: mirrors must not eat the primary's quota. `share` is what a busy service
    leaves of each fraction, in (0, 1]: a pair that is sampled by less is so by more.
    """
    reason = _refuse(request)
    if reason:
        return MirrorPlan(
            passed_over=tuple(Disposition(one.group, False, reason) for one in silents)
        )
    beside: list[SilentTarget] = []
    after: list[SilentTarget] = []
    passed_over: list[Disposition] = []
    for silent in silents:
        fraction = silent.fraction * share
        if not is_sampled(pair_id, silent.group, fraction):
            yields = share < 1 and is_sampled(pair_id, silent.group, silent.fraction)
            why = "YIELDED" if yields else "SAMPLED_OUT"
            passed_over.append(Disposition(silent.group, False, why))
            continue
        try:
            target = _draw(snapshot, silent, fraction, ticket())
        except (RefusedError, RequestError) as error:
            passed_over.append(Disposition(silent.group, False, error.reason))
            continue
        waits = after_primary or _shares_quota(primary.endpoint, target.deployment.endpoint)
        (after if waits else beside).append(target)
    return MirrorPlan(tuple(beside), tuple(after), tuple(passed_over))


def is_sampled(pair_id: str, silent_model: str, fraction: float) -> bool:
    """Whether a pair is among the share that is mirrored: the same pair always is, or never.

    Each silent model samples by itself: SHA-256 of salt, model and pair, its first 53 bits below
    the fraction of all.
    """
    if fraction >= 1:
        return True
    digest = sha256(SALT + silent_model.encode() + b"\x1f" + pair_id.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) < fraction * BUCKETS


def _refuse(request: CompletionRequest) -> str:
    if not request.may_mirror:
        return "CALLER_REFUSED"
    if request.is_client_retry:
        return "CLIENT_RETRY"
    return ""


def _draw(snapshot: Snapshot, silent: SilentModel, fraction: float, ticket: float) -> SilentTarget:
    deployment = draw_deployment(first_course(find_group(snapshot, silent.group)), ticket)
    return SilentTarget(
        silent.group,
        deployment,
        fraction,
        silent.timeout,
        silent.system_prompt,
        silent.params,
    )


def _shares_quota(one: Endpoint | None, other: Endpoint | None) -> bool:
    if one is None or other is None or one.origin != other.origin:
        return False
    if one.url.startswith("simulated:"):
        return False
    return _credentials(one) == _credentials(other)


def _credentials(endpoint: Endpoint) -> Mapping[str, str]:
    return MappingProxyType(
        {name: value for name, value in endpoint.headers if name.lower() in _QUOTA}
    )

"""What a copy may cost at most, before it is sent. Pure.

The bound is `pricing`'s; what it is bounded by is read off the prompt as the silent model will
hear it. Where nothing bounds it, the operator's assumption stands in.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from understudy.server.domain.deployment import Deployment
from understudy.server.mirror.copies import Copy
from understudy.server.mirror.rewriting import rewrite
from understudy.server.pricing.estimating import count_attachments
from understudy.server.pricing.reserving import reserve
from understudy.server.providers.merging import LIMITS, merge_extra, merge_params

# What may take longer than the time-out is the end of the call, not the call.
_SLACK: Final = 1_000_000  # microseconds


def reserve_copy(copy: Copy, *, at: int, timeout: float, assumed: int) -> int:
    """Return what a copy may cost at most, or what it is assumed to, in 10^-9 dollars.

    `at` is in microseconds since 1970, `timeout` in seconds.
    """
    target = copy.target
    deployment = target.deployment
    if deployment.provider == "simulated":
        return 0
    if deployment.price is None or copy.chat is None:
        return assumed
    chat = rewrite(copy.chat, target)
    params = merge_params(chat, deployment)
    bound = reserve(
        deployment.price,
        at,
        prompt_bytes=copy.size + _added(copy, deployment),
        max_tokens=_find_limit(params, merge_extra(chat, deployment)),
        choices=_whole(params.get("n")) or 1,
        attachments=count_attachments(chat),
        timeout=round(timeout * 1_000_000) + _SLACK,
    )
    return assumed if bound is None else bound


def _added(copy: Copy, deployment: Deployment) -> int:
    """Return how many bytes the silent model hears that the primary may not have heard."""
    target = copy.target
    prompt = len((target.system_prompt or "").encode(errors="replace"))
    return prompt + _weigh(target.params) + _weigh(deployment.defaults)


def _weigh(params: Mapping[str, object]) -> int:
    return len(msgspec.json.encode(params)) if params else 0


def _find_limit(params: Mapping[str, object], extra: Mapping[str, object]) -> int | None:
    """Return the limit of tokens that is sent; None if there is none, or one of our not knowing."""
    if not extra.keys().isdisjoint(LIMITS):
        return None  # written past the names that we know: who sends what is not known here
    found = [limit for name in LIMITS if (limit := _whole(params.get(name))) is not None]
    return max(found, default=None)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None

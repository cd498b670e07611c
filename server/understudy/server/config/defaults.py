"""Reads what LiteLLM's settings say for all deployments and calls: retries, timeouts, rests, seats.

Where `router_settings` and `litellm_settings` both say something, the router's counts, as there.
"""

from dataclasses import dataclass

from understudy.server.config import units
from understudy.server.config.fields import Fields
from understudy.server.config.findings import Findings
from understudy.server.config.standing_table import Standing
from understudy.server.config.targets import read_trust
from understudy.server.domain.deployment import Trust

NUM_RETRIES = 1
MAX_FALLBACKS = 5


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds unless a deployment says otherwise. Times are in seconds."""

    num_retries: int = NUM_RETRIES
    retry_after: float = 0.0
    max_fallbacks: int = MAX_FALLBACKS
    timeout: float | None = None
    stream_timeout: float | None = None
    max_parallel_requests: int | None = None
    allowed_fails: int | None = None
    cooldown_time: float | None = None
    disable_cooldowns: bool = False
    drop_params: bool = False
    trust: Trust | None = None  # None: as `understudy.egress` says


def read_defaults(router: Fields, litellm: Fields, findings: Findings) -> Defaults:
    """Return the defaults of a file."""

    def either(key: str) -> int | None:
        return preferred(key, router, litellm, findings).read(key, units.count)

    retries, fallbacks = either("num_retries"), either("max_fallbacks")
    cooling = preferred("cooldown_time", router, litellm, findings)
    timeout = router.read("timeout", units.positive_duration)
    request_timeout = litellm.read("request_timeout", units.positive_duration)
    return Defaults(
        num_retries=NUM_RETRIES if retries is None else retries,
        retry_after=router.read("retry_after", units.duration) or 0.0,
        max_fallbacks=MAX_FALLBACKS if fallbacks is None else fallbacks,
        timeout=request_timeout if timeout is None else timeout,
        stream_timeout=router.read("stream_timeout", units.positive_duration),
        max_parallel_requests=router.read("default_max_parallel_requests", units.positive_count),
        allowed_fails=either("allowed_fails"),
        cooldown_time=cooling.read("cooldown_time", units.duration),
        disable_cooldowns=router.flag("disable_cooldowns") or False,
        drop_params=litellm.flag("drop_params") or False,
        trust=read_trust(litellm),
    )


def preferred(key: str, router: Fields, litellm: Fields, findings: Findings) -> Fields:
    """Return the section whose key counts, and say so if both have it."""
    if not router.has(key):
        return litellm
    if litellm.has(key):
        findings.add(
            litellm.path_of(key),
            Standing.IGNORED,
            f"{router.path_of(key)} counts",
            litellm.values[key],
        )
    return router

"""Makes deployments and snapshots for the tests of pure parts."""

from collections.abc import Mapping

from understudy.server.domain.deployment import Deployment, Endpoint, Snapshot
from understudy.server.routing.groups import build_group


def deployment(
    name: str,
    weight: float | None = None,
    *,
    group: str = "group",
    rpm: float | None = None,
    tpm: float | None = None,
    order: int | None = None,
    unusable: str = "",
    num_retries: int | None = None,
) -> Deployment:
    return Deployment(
        id=name,
        group=group,
        provider="openai",
        model=f"model-{name}",
        endpoint=None if unusable else Endpoint("http://127.0.0.1/v1/chat/completions", ()),
        unusable=unusable,
        weight=weight,
        rpm=rpm,
        tpm=tpm,
        order=order,
        num_retries=num_retries,
    )


def snapshot(
    *deployments: Deployment,
    num_retries: int = 1,
    aliases: Mapping[str, str] | None = None,
    fallbacks: Mapping[str, tuple[str, ...]] | None = None,
    context_window_fallbacks: Mapping[str, tuple[str, ...]] | None = None,
    content_policy_fallbacks: Mapping[str, tuple[str, ...]] | None = None,
    max_fallbacks: int = 5,
) -> Snapshot:
    names = dict.fromkeys(one.group for one in deployments)
    return Snapshot(
        revision=1,
        groups={
            name: build_group(name, [one for one in deployments if one.group == name])
            for name in names
        },
        aliases=aliases or {},
        num_retries=num_retries,
        fallbacks=fallbacks or {},
        context_window_fallbacks=context_window_fallbacks or {},
        content_policy_fallbacks=content_policy_fallbacks or {},
        max_fallbacks=max_fallbacks,
    )

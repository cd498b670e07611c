"""Says what is different between two readings of a configuration. Pure; names only, no values.

What of it takes effect while the service runs is told apart from what waits for the next start.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Final

from understudy.server.config.loading import Config
from understudy.server.config.section import SECTION
from understudy.server.config.settings import Settings
from understudy.server.domain.deployment import Deployment, Endpoint, ModelGroup, Snapshot

# What a reload does with the rest is `serving`'s and `control`'s.
_LIVE: Final = frozenset(
    {
        "accept_ignored",
        "egress.ca_file",
        "experiments.seeds",
        "prices.file",
        "server.allowed_endpoints",
        "server.api_keys",
        "server.insecure",
        "server.tls.cert_file",
        "server.tls.client_ca_file",
        "server.tls.clients",
        "server.tls.key_file",
    }
)
_SWITCHES: Final = ("cert_file", "client_ca_file")  # None or not is settled at the start


@dataclass(frozen=True, slots=True)
class Differences:
    """What another reading changes.

    `groups` are model groups by name: those added, removed, changed. `routing` says whether
    anything else of aliases, retries and fallbacks differs; `settings` are paths that take effect.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    routing: bool = False
    settings: tuple[str, ...] = ()


def compare(old: Config, new: Config) -> Differences:
    """Return what `new` changes for the calls to come."""
    before, after = old.snapshot.groups, new.snapshot.groups
    return Differences(
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(
            name
            for name, group in after.items()
            if name in before and _group(group) != _group(before[name])
        ),
        routing=_bare(old.snapshot) != _bare(new.snapshot),
        settings=tuple(
            f"{SECTION}.{path}"
            for path in _differing(old.settings, new.settings)
            if path in _LIVE and path != "accept_ignored"
        ),
    )


def find_waiting(started: Settings, new: Settings) -> list[str]:
    """Return the paths of settings that are not as at the start and need another to change."""
    waiting = [path for path in _differing(started, new) if path not in _LIVE]
    tls = started.server.tls, new.server.tls
    for name in _SWITCHES:
        before, after = (getattr(one, name) is None for one in tls)
        if before != after:
            waiting.append(f"server.tls.{name}")
    return [f"{SECTION}.{path}" for path in waiting]


def find_replaced(old: Snapshot, new: Snapshot) -> frozenset[str]:
    """Return the ids of deployments that are gone, or are not where or who they were."""
    now = {id: _whereabouts(one.endpoint) for id, one in _deployments(new)}
    return frozenset(
        id for id, one in _deployments(old) if now.get(id) != _whereabouts(one.endpoint)
    )


def _deployments(snapshot: Snapshot) -> Iterator[tuple[str, Deployment]]:
    for group in snapshot.groups.values():
        for one in group.deployments:
            yield one.id, one


def _group(group: ModelGroup) -> object:
    return [
        (_whereabouts(one.endpoint), replace(one, endpoint=None, unusable=one.unusable or "-"))
        for one in group.deployments
    ]


def _whereabouts(endpoint: Endpoint | None) -> object:
    """Return what makes an endpoint the same: each reading makes another object of it."""
    if endpoint is None:
        return ()
    return endpoint.url, endpoint.headers, endpoint.login, endpoint.trust, endpoint.public_only


def _bare(snapshot: Snapshot) -> Snapshot:
    """Return what is left without groups, and without what the experiments decide."""
    nothing: Mapping[str, ModelGroup] = {}
    return replace(snapshot, revision=0, groups=nothing, experiments={}, takeovers={})


def _differing(old: object, new: object, path: str = "") -> Iterator[str]:
    """Yield the path of each setting that differs."""
    if old == new:
        return
    if not is_dataclass(old) or not is_dataclass(new) or path in _LEAVES:
        yield path
        return
    for one in fields(old):
        below = f"{path}.{one.name}" if path else one.name
        yield from _differing(getattr(old, one.name), getattr(new, one.name), below)


# A Secret has fields of its own.
_LEAVES: Final = frozenset(
    {
        "records.url",
        "store.url",
        "sinks.bucket.access_key_id",
        "sinks.bucket.secret_access_key",
        "sinks.bucket.session_token",
        "sinks.langfuse.secret_key",
    }
)

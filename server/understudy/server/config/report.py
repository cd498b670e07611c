"""What a file comes to, as plain values for people: `understudy check` shows them as tables.

No value of a key is here, and no credential: names, places and reasons only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from understudy.server.config.deployments import Placed
from understudy.server.config.document import Node
from understudy.server.config.findings import Finding
from understudy.server.config.standing_table import MAPPED_VALUES, NAMED_VALUES, Standing
from understudy.server.config.standings import find_rule
from understudy.server.domain.deployment import Endpoint, ModelGroup

_SECTIONS = frozenset({"router_settings", "litellm_settings", "general_settings"})
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class KeyReport:
    """What becomes of a key, wherever it stands in the file."""

    name: str  # a path without indices, as `accept_ignored` takes it
    standing: Standing
    why: str
    places: tuple[str, ...]  # `config.yaml:12`
    accepted: bool = False  # named in accept_ignored


@dataclass(frozen=True, slots=True)
class DeploymentReport:
    """One deployment: what share of its group it has, where it is, or why it cannot be asked."""

    group: str
    id: str
    provider: str
    model: str
    order: int | None
    share: float  # of the calls that come to its order, in [0, 1]
    unusable: str  # empty if it can be asked
    host: str  # empty for a simulated model, and for one that cannot be asked
    key: str  # the variable or the place in the file, empty if no key is sent
    note: str
    login_host: str = ""  # where it signs in, if it does
    verified: bool = True  # whether its certificate is; a plain http:// has none
    expires: float | None = None  # when its pasted token does, in seconds since 1970
    price: str = ""  # in words, and whose; or why there is none

    @property
    def usable(self) -> bool:
        """Whether it can be asked."""
        return not self.unusable


@dataclass(frozen=True, slots=True)
class Report:
    """A whole file."""

    keys: tuple[KeyReport, ...]
    deployments: tuple[DeploymentReport, ...]
    hosts: tuple[str, ...]  # that will be contacted: host or host:port
    notes: tuple[str, ...]


def report_keys(
    root: Node, findings: list[Finding], accepted: frozenset[str]
) -> tuple[KeyReport, ...]:
    """Return what becomes of every key, worst first, each named once."""
    told = {(one.name, one.place): one for one in findings}
    rows: dict[tuple[str, Standing, str], list[str]] = {}
    for name, node in _names(root):
        finding = told.pop((name, node.place), None)
        rule = find_rule(name)
        standing, why = rule.standing, rule.why
        if finding is not None:
            standing, why = finding.standing, finding.why
        elif standing is Standing.MISSED and _is_off(node):
            standing, why = Standing.IGNORED, "it is off"
        rows.setdefault((name, standing, why), []).append(node.place)
    for one in told.values():
        rows.setdefault((one.name, one.standing, one.why), []).append(one.place)
    rank = [Standing.MISSED, Standing.IGNORED, Standing.HONOURED]
    keys = [
        KeyReport(name, standing, why, tuple(dict.fromkeys(places)), name in accepted)
        for (name, standing, why), places in rows.items()
    ]
    return tuple(sorted(keys, key=lambda key: rank.index(key.standing)))


def report_deployments(
    groups: Mapping[str, ModelGroup], placed: list[Placed]
) -> tuple[DeploymentReport, ...]:
    """Return every deployment with its share, group by group."""
    targets = {one.deployment.id: one.target for one in placed}
    prices = {one.deployment.id: one.price for one in placed}
    return tuple(
        DeploymentReport(
            group=group.name,
            id=one.id,
            provider=one.provider,
            model=one.model,
            order=one.order,
            share=weight,
            unusable=one.unusable,
            host=_host(one.endpoint.url) if one.endpoint else "",
            key=targets[one.id].key_name,
            note=targets[one.id].note,
            login_host=_login_host(one.endpoint),
            verified=_is_verified(one.endpoint),
            expires=targets[one.id].expires,
            price=prices[one.id],
        )
        for group in groups.values()
        for tier in group.tiers
        for one, weight in zip(tier.deployments, tier.weights, strict=True)
    )


def _is_off(node: Node) -> bool:
    """Whether a key is there to say no. A 0 is a limit, and says more than that."""
    return node.value is None or node.value is False or node.value in ("", (), {})


def _login_host(endpoint: Endpoint | None) -> str:
    return "" if endpoint is None or endpoint.login is None else _host(endpoint.login.url)


def _is_verified(endpoint: Endpoint | None) -> bool:
    if endpoint is None or endpoint.trust is None or endpoint.trust.verify:
        return True
    return not endpoint.url.startswith("https:")


def _host(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme == "simulated":
        return ""
    return parts.netloc


def _names(root: Node) -> Iterator[tuple[str, Node]]:
    """Yield every key of a file by its name, as far down as the table goes."""
    for section, node in _below(root):
        if section == "model_list":
            for item in node.value if isinstance(node.value, tuple) else ():
                yield from _deployment_names(item)
        elif section in _SECTIONS:
            for key, one in _below(node):
                yield from _values(f"{section}.{key}", one)
        elif section == "understudy":
            yield from _leaves(section, node)
        else:
            yield section, node


def _deployment_names(item: Node) -> Iterator[tuple[str, Node]]:
    for key, node in _below(item):
        if key in ("litellm_params", "model_info"):
            for inner, one in _below(node):
                yield f"{key}.{inner}", one
        else:
            yield f"model_list.{key}", node


def _leaves(name: str, node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node.value, Mapping):
        for key, one in node.value.items():
            yield from _leaves(f"{name}.{key}", one)
    else:
        yield from _values(name, node)


def _values(name: str, node: Node) -> Iterator[tuple[str, Node]]:
    """Yield a key, or each of its values if those are what counts."""
    if name in MAPPED_VALUES and isinstance(node.value, Mapping):
        for key, one in node.value.items():
            yield f"{name}.{key}", one
        return
    if name not in NAMED_VALUES:
        yield name, node
        return
    for item in node.value if isinstance(node.value, tuple) else (node,):
        shown = str(item.value) if isinstance(item.value, str | int) else "?"
        yield f"{name}.{item.variable or shown[:_LONGEST_NAME]}", item


def _below(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node.value, Mapping):
        yield from node.value.items()

"""Tells an operator what is well formed and yet may surprise."""

from collections.abc import Mapping

from understudy.server.config.document import Node
from understudy.server.config.fallbacks import find_cycle
from understudy.server.config.findings import Findings
from understudy.server.config.settings import Settings
from understudy.server.config.variables import find_unset
from understudy.server.domain.deployment import ModelGroup, Snapshot

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_MASTER_KEY = "LITELLM_MASTER_KEY"


def note_environment(
    environ: Mapping[str, str], root: Node, settings: Settings, findings: Findings
) -> None:
    """Note variables that are meant and not set, and those that are set and not used."""
    for node, path in find_unset(root, ""):
        findings.note(f"{node.place}: {path}: the variable {node.variable} is not set")
    proxies = [name for name in _PROXIES if environ.get(name) or environ.get(name.lower())]
    if proxies:
        way = "directly" if settings.egress.proxy is None else "through understudy.egress.proxy"
        findings.note(f"{', '.join(proxies)} set and ignored: providers are reached {way}")
    general = root.at("general_settings")
    if environ.get(_MASTER_KEY) and (general is None or general.at("master_key") is None):
        findings.note(
            f"{_MASTER_KEY} is set and not used; "
            f"write general_settings.master_key: os.environ/{_MASTER_KEY}"
        )


def note_routes(groups: Mapping[str, ModelGroup], snapshot: Snapshot, findings: Findings) -> None:
    """Note groups that serve nothing and fallbacks that lead back."""
    if not groups:
        findings.note("there is no model in model_list")
    for name, group in groups.items():
        if not any(weight for tier in group.tiers for weight in tier.weights):
            findings.note(f"model group {name!r} serves nothing: every weight is 0")
        elif all(one.unusable for one in group.deployments):
            findings.note(f"model group {name!r} serves nothing: no deployment can be asked")
    if cycle := find_cycle(snapshot.fallbacks):
        way = " → ".join(cycle)
        findings.note(f"fallbacks lead back: {way}; a call comes to each group once")

"""Reads `model_group_alias`: other names for model groups.

As in LiteLLM an alias counts before a group of the same name. One that leads nowhere is no fault
there; here it is a finding.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from understudy.server.config.faults import did_you_mean, shown
from understudy.server.config.fields import Fields
from understudy.server.config.findings import Findings
from understudy.server.config.standing_table import Standing
from understudy.server.domain.deployment import ModelGroup

ALIASES = "model_group_alias"


@dataclass(frozen=True, slots=True)
class Aliases:
    """Names that lead to groups, and those of them that no list shows."""

    targets: Mapping[str, str]
    hidden: frozenset[str]


def read_aliases(router: Fields, groups: Mapping[str, ModelGroup], findings: Findings) -> Aliases:
    """Return the aliases of groups that exist."""
    targets: dict[str, str] = {}
    hidden: set[str] = set()
    section = router.mapping(ALIASES)
    for alias, node in section.values.items():
        if isinstance(node.value, Mapping):
            long = section.mapping(alias)
            group = long.text("model")
            if long.flag("hidden"):
                hidden.add(alias)
        else:
            group = section.text(alias)
        if not group:
            section.fault(alias, f"must name a model group{shown(node)}")
        elif group not in groups:
            why = no_group(group, groups)
            findings.add(f"{section.path}.{alias}", Standing.IGNORED, why, node)
        else:
            targets[alias] = group
    return Aliases(targets, frozenset(hidden & targets.keys()))


def name_groups(
    groups: Mapping[str, ModelGroup], aliases: Aliases, findings: Findings
) -> Mapping[str, ModelGroup]:
    """Return what each name leads to. Two groups can change names by aliases."""
    for alias in groups.keys() & aliases.targets.keys():
        target = aliases.targets[alias]
        findings.note(f"calls to {alias!r} go to {target!r}: an alias counts before a group")
    return {**groups, **{alias: groups[target] for alias, target in aliases.targets.items()}}


def no_group(name: str, names: Mapping[str, ModelGroup]) -> str:
    """Say that a name leads to no group, and which one may be meant."""
    return f"no model group is named {name!r}{did_you_mean(name, names)}"

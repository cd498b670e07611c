"""Reads `silent_model` in each of its forms: a name, a list of names, or the long form.

What is done with them is the mirror's business.
"""

from collections.abc import Collection

from understudy.server.config import units
from understudy.server.config.document import Node
from understudy.server.config.faults import did_you_mean, shown
from understudy.server.config.fields import Fields
from understudy.server.domain.deployment import SilentModel

KEY = "silent_model"

_LONG_FORM = ("model", "fraction", "timeout", "system_prompt", "params")


def read_silent_models(params: Fields, groups: Collection[str]) -> tuple[SilentModel, ...]:
    """Return the silent models of a deployment; each must be one of the groups."""
    node = params.values.get(KEY)
    if node is None or node.value is None:
        return ()
    path = params.path_of(KEY)
    if isinstance(node.value, tuple):
        items = [(item, f"{path}[{index}]") for index, item in enumerate(node.value)]
    else:
        items = [(node, path)]
    found: list[SilentModel] = []
    for item, path in items:
        silent = _read(item, path, params)
        if silent is None:
            continue
        if silent.group not in groups:
            hint = did_you_mean(silent.group, groups)
            params.faults.add(item, path, f"no model group is named {silent.group!r}{hint}")
        elif any(silent.group == other.group for other in found):
            params.faults.add(item, path, f"names {silent.group!r} a second time")
        else:
            found.append(silent)
    return tuple(found)


def _read(item: Node, path: str, params: Fields) -> SilentModel | None:
    if isinstance(item.value, str):
        return SilentModel(item.value)
    if item.value is None or isinstance(item.value, bool | int | float | tuple):
        params.faults.add(item, path, f"must be the name of a model group{shown(item)}")
        return None
    fields = Fields(item, path, params.faults)
    for name in fields.values:
        if name not in _LONG_FORM:
            fields.fault(name, f"there is no such key{did_you_mean(name, _LONG_FORM)}")
    group = fields.text("model")
    if not group:
        fields.faults.add(item, f"{path}.model", "is missing")
        return None
    fraction = fields.read("fraction", units.fraction)
    return SilentModel(
        group,
        fraction=1.0 if fraction is None else fraction,
        timeout=fields.read("timeout", units.positive_duration),
        system_prompt=fields.text("system_prompt"),
        params=fields.mapping("params").json_object(),
    )

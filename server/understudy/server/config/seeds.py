"""Reads `understudy.experiments.seeds`: experiments that the file brings along.

How an experiment is written and what it must be is `experiments`' to say; here what it says gets
the place in the file. Creating them is `experiments.seeding`.
"""

import re
from collections.abc import Callable, Mapping

from understudy.server.config.document import Node
from understudy.server.config.faults import Faults
from understudy.server.domain.deployment import ModelGroup
from understudy.server.errors import UnderstudyError
from understudy.server.experiments.checking import check
from understudy.server.experiments.documents import Document, read_document

_PATH = "understudy.experiments.seeds"
_STATES = frozenset({"", "draft", "running"})
_WHOLE = "experiment"

# Steps of the contract's paths, and what they are called where people write.
_STEP = re.compile(r"[a-z_]+|\d+")
_WRITTEN = {"experiment_id": "experiment", "models": "variants", "params_json": "params"}
_UNWRITTEN = frozenset({"overrides", "metadata_key", "id"})


def read_seeds(
    section: Node | None, find: Callable[[str], ModelGroup], faults: Faults
) -> tuple[Document, ...]:
    """Return the experiments below `understudy:`, those with a fault left out.

    `find` returns the group of a name, and raises where there is none.
    """
    node = section
    for step in ("experiments", "seeds"):
        node = None if node is None else node.at(step)
    if node is None or not isinstance(node.value, tuple):
        return ()
    found: dict[str, Document] = {}
    for index, item in enumerate(node.value):
        if not isinstance(item.value, Mapping):
            continue  # which `section` has refused
        path = f"{_PATH}[{index}]"
        try:
            document = read_document(_plain(item))
            check(document.experiment, find)
        except UnderstudyError as error:
            field = error.metadata.get("field", "")
            place, steps = _locate(item, field)
            faults.add(place, path + steps, error.message.removeprefix(f"{field} "))
            continue
        name = document.experiment.id
        if name in found:
            faults.add(item, f"{path}.experiment", f"{name!r} is there twice")
        if document.state not in _STATES:
            told = f"a seed is a draft or running, not {document.state!r}"
            faults.add(item.at("state") or item, f"{path}.state", told)
        found.setdefault(name, document)
    return tuple(found.values())


def _plain(node: Node) -> object:
    """Return bare values, null included: it means something among parameters."""
    if isinstance(node.value, Mapping):
        return {key: _plain(one) for key, one in node.value.items()}
    if isinstance(node.value, tuple):
        return [_plain(one) for one in node.value]
    return node.value


def _locate(item: Node, field: str) -> tuple[Node, str]:
    """Return the deepest node that a field of the contract stands at, and the way to it."""
    node, path = item, ""
    written = "" if field == _WHOLE else field.removeprefix(f"{_WHOLE}.")
    steps: list[str] = _STEP.findall(written)
    for step in steps:
        if step in _UNWRITTEN:
            continue
        key: str | int = _WRITTEN.get(step, step)
        if step.isdigit():
            key = int(step)
            if isinstance(node.value, Mapping):  # variants are written by their names
                key = [*node.value, ""][min(key, len(node.value))]
        below = node.at(key)
        if below is None:
            break
        node = below
        path += f"[{key}]" if isinstance(key, int) else f".{key}"
    return node, path

"""Reads the `understudy:` section into settings, every fault located and in plain words.

What there is to set, with types and defaults, is `settings`; pydantic does the reading, and here
its findings become faults with a line. A key that does not exist is a fault: it would do nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Annotated, Union, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from understudy.server.config.credentials import HiddenError, ReadAs
from understudy.server.config.document import Node
from understudy.server.config.faults import Faults, did_you_mean, shown
from understudy.server.config.settings import Settings
from understudy.server.config.variables import find_unset

SECTION = "understudy"

_ADAPTER = TypeAdapter(Settings)

_WORDS = {
    "missing": "is missing",
    "dataclass_type": "must be a mapping",
    "mapping_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
}


def read_section(node: Node, faults: Faults) -> Settings:
    """Return the settings of the section, or the defaults once there is a fault."""
    for lost, path in find_unset(node, SECTION):
        # LiteLLM's rule, a silent None, would turn a lost variable into a default here.
        faults.add(lost, path, f"the variable {lost.variable} is not set")
    for path, name, key, known in _unknown(node, Settings, SECTION):
        faults.add(key, f"{path}.{name}", f"there is no such key{did_you_mean(name, known)}")
    try:
        settings = _ADAPTER.validate_python(_plain(node) or {})
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            _add(node, detail, faults)
        return Settings()
    _check_together(node, settings, faults)
    return settings


def _plain(node: Node) -> object:
    """Return bare values. Null means the default, so such keys are left out."""
    if isinstance(node.value, Mapping):
        return {key: _plain(one) for key, one in node.value.items() if one.value is not None}
    if isinstance(node.value, tuple):
        return tuple(_plain(one) for one in node.value)
    return node.value


def _add(root: Node, detail: ErrorDetails, faults: Faults) -> None:
    node, path = _locate(root, detail["loc"])
    cause = detail.get("ctx", {}).get("error")
    hidden = isinstance(cause, HiddenError)
    if cause is not None:
        message = str(cause)
    elif detail["type"] in ("literal_error", "enum"):
        message = f"must be {detail['ctx']['expected']}" if "ctx" in detail else detail["msg"]
    else:
        message = _WORDS.get(detail["type"], detail["msg"])
    tail = "" if hidden or detail["type"] == "missing" else shown(node)
    faults.add(node, path, message + tail)


def _locate(root: Node, steps: Sequence[str | int]) -> tuple[Node, str]:
    """Return the deepest node on the way, and the whole path."""
    node, path = root, SECTION
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
        node = node.at(step) or node
    return node, path


def _unknown(
    node: Node, kind: object, path: str
) -> Iterator[tuple[str, str, Node, tuple[str, ...]]]:
    """Yield each key that no dataclass on its way has: path, name, node, names there are."""
    kind, many = _entry(kind)
    if many and isinstance(node.value, tuple):
        for index, item in enumerate(node.value):
            yield from _unknown(item, kind, f"{path}[{index}]")
    if many or not isinstance(kind, type) or not is_dataclass(kind):
        return
    if isinstance(node.value, Mapping):
        hints = get_type_hints(kind, include_extras=True)
        known = tuple(one.name for one in fields(kind))
        for name, one in node.value.items():
            if name in known:
                yield from _unknown(one, hints[name], f"{path}.{name}")
            else:
                yield path, name, one, known


def _entry(kind: object) -> tuple[object, bool]:
    """Return what a field, or each item of a list, stands as in the file; and whether a list."""
    if get_origin(kind) in (Union, UnionType):
        # What is optional stands in the file as what it is where it is there.
        kind = next((one for one in get_args(kind) if is_dataclass(one)), kind)
    if get_origin(kind) is tuple:
        return _entry(get_args(kind)[0])[0], True
    if get_origin(kind) is Annotated:
        for mark in get_args(kind)[1:]:
            if isinstance(mark, ReadAs):
                return mark.entry, False
    return kind, False


def _check_together(node: Node, settings: Settings, faults: Faults) -> None:
    """Note what is right by itself and wrong beside something else."""

    def fault(message: str, *steps: str) -> None:
        place, path = _locate(node, steps)
        faults.add(place, path, message)

    tls = settings.server.tls
    if (tls.cert_file is None) != (tls.key_file is None):
        fault("cert_file and key_file come together", "server", "tls")
    if tls.client_ca_file is not None and tls.cert_file is None:
        fault("client_ca_file needs cert_file and key_file", "server", "tls")
    if tls.clients and tls.client_ca_file is None:
        fault(
            "needs client_ca_file, which says whose certificates count", "server", "tls", "clients"
        )
    keys = settings.server.api_keys
    for what, given in (
        ("name", [key.identity.name for key in keys]),
        ("sha256", [key.sha256 for key in keys]),
    ):
        if len(set(given)) < len(given):
            fault(f"has the same {what} twice", "server", "api_keys")
    origins = [endpoint.origin for endpoint in settings.server.allowed_endpoints]
    if len(set(origins)) < len(origins):
        fault("has the same origin twice", "server", "allowed_endpoints")
    subjects = [client.subject for client in tls.clients]
    if len(set(subjects)) < len(subjects):
        fault("has the same subject twice", "server", "tls", "clients")

"""Puts a file and what it includes together, as LiteLLM does.

Lists are joined, anything else in an included file takes the place of what was there, and every
path counts from the first file's folder. What LiteLLM would replace in silence is a finding here.
"""

from collections.abc import Callable, Mapping
from posixpath import normpath

from understudy.server.config.document import Node, read_document
from understudy.server.config.faults import Faults, shown
from understudy.server.config.findings import Findings
from understudy.server.config.standing_table import Standing
from understudy.server.errors import ConfigError

INCLUDE = "include"
MOST_FILES = 64

ReadFile = Callable[[str], str]


def read_with_includes(
    text: str, file: str, read: ReadFile, faults: Faults, findings: Findings
) -> Node:
    """Return the top mapping of a file, included ones merged in.

    `read` returns the text of an included file; it raises OSError or ValueError if there is none.
    """
    root = _read_mapping(text, file)
    assert isinstance(root.value, Mapping)
    merged = dict(root.value)
    seen = {normpath(file)}
    waiting = _paths(root, faults)
    while waiting:
        item, path = waiting.pop(0)
        if normpath(path) in seen:
            faults.add(item, INCLUDE, f"{path!r} includes itself, or is included twice")
            continue
        if len(seen) == MOST_FILES:
            faults.add(item, INCLUDE, f"leads to more than {MOST_FILES} files")
            break
        seen.add(normpath(path))
        try:
            included = _read_mapping(read(path), path)
        except OSError as error:
            faults.add(item, INCLUDE, f"cannot read {path!r}: {error.strerror or 'no such file'}")
        except ConfigError as error:
            faults.adopt(error)
        except ValueError:
            faults.add(item, INCLUDE, f"cannot read {path!r}: it is no UTF-8 text")
        else:
            waiting += _paths(included, faults)
            _merge(merged, included, faults, findings)
    return root.with_value(merged)


def _read_mapping(text: str, file: str) -> Node:
    root = read_document(text, file)
    if root.value is None:
        return root.with_value({})
    if not isinstance(root.value, Mapping):
        raise ConfigError([f"{root.place}: must be a mapping{shown(root)}"])
    return root


def _paths(root: Node, faults: Faults) -> list[tuple[Node, str]]:
    node = root.at(INCLUDE)
    if node is None or node.value is None:
        return []
    if not isinstance(node.value, tuple):
        faults.add(node, INCLUDE, f"must be a list of files{shown(node)}")
        return []
    found: list[tuple[Node, str]] = []
    for item in node.value:
        if isinstance(item.value, str) and item.value.isprintable() and item.value:
            found.append((item, item.value))
        else:
            faults.add(item, INCLUDE, f"must be the name of a file{shown(item)}")
    return found


def _merge(merged: dict[str, Node], included: Node, faults: Faults, findings: Findings) -> None:
    assert isinstance(included.value, Mapping)
    for key, node in included.value.items():
        old = merged.get(key)
        if old is None or old.value is None:
            merged[key] = node
        elif isinstance(node.value, tuple) and isinstance(old.value, tuple):
            merged[key] = old.with_value((*old.value, *node.value))
        elif isinstance(node.value, tuple):
            faults.add(node, key, f"is a list here and something else at {old.place}")
        elif key == "understudy":
            faults.add(node, key, f"stands at {old.place} already; keep it in one file")
        else:
            findings.add(key, Standing.MISSED, f"the one at {node.place} takes its place", old)
            merged[key] = node

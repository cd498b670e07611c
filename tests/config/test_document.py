"""YAML comes in safely: bounded, plain, each value with its line."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.config.document import DEEPEST, LARGEST_FILE, Node, read_document
from understudy.server.errors import ConfigError


def plain(node: Node) -> object:
    if isinstance(node.value, tuple):
        return [plain(one) for one in node.value]
    if isinstance(node.value, dict):
        return {key: plain(one) for key, one in node.value.items()}
    return node.value


def fault(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_document(text, "c.yaml")
    (only,) = caught.value.faults
    return only


def test_values_remember_their_lines() -> None:
    root = read_document("a: 1\nb:\n  - x\n  - {c: 2}\n", "c.yaml")

    inner = root.at("b")
    assert inner is not None
    assert [inner.at(0), inner.at(1)] == [Node("x", "c.yaml", 3), inner.at(1)]
    deepest = inner.at(1)
    assert deepest is not None
    assert deepest.at("c") == Node(2, "c.yaml", 4)
    assert deepest.place == "c.yaml:4"


def test_a_date_is_text() -> None:
    assert plain(read_document("api_version: 2024-02-01", "c")) == {"api_version": "2024-02-01"}


def test_keys_are_text_whatever_they_look_like() -> None:
    assert plain(read_document("{4: a, on: b, null: c}", "c")) == {"4": "a", "on": "b", "null": "c"}


def test_merge_keys_yield_to_what_stands_beside_them() -> None:
    text = "base: &b {x: 1, y: 1}\nother: &o {y: 2, z: 2}\nhere: {<<: [*b, *o], x: 3}"

    here = read_document(text, "c").at("here")
    assert here is not None
    assert plain(here) == {"x": 3, "y": 1, "z": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "c.yaml:3: has the key 'a' twice"),
        ("a: {b: 1, 'b': 2}", "c.yaml:1: has the key 'b' twice"),
        ("a: !!python/object/apply:os.system [ls]", "c.yaml:1: has the tag !!python/object"),
        ("a: !!binary aGk=", "c.yaml:1: has the tag !!binary"),
        ("a: !mine x", "c.yaml:1: has a tag of its own"),
        ("\n? [a]\n: 1", "c.yaml:2: has a key that is no plain text"),
        ('"\\e[31m": 1', "c.yaml:1: has a key with control characters"),
        ('a: "\\ud800"', "c.yaml:1: holds half of a surrogate pair"),
        ("a: !!int x", "c.yaml:1: holds a number that cannot be read"),
        (f"a: {'9' * 5000}", "c.yaml:1: holds a number that cannot be read"),
        ("a: 1\n b: 2", "c.yaml:2: is not YAML: "),
        ("a: 1\n---\nb: 2", "c.yaml:2: is not YAML: "),
        ("a: 1\nb: \x00", "c.yaml:2: is not YAML: "),
        ("<<: 5", "c.yaml:1: merges (<<) what is no mapping"),
        ("&a [*a]", "c.yaml:1: is nested deeper"),
        ("&a {<<: *a}", "c.yaml:1: is nested deeper"),
        ("[" * 100_000, "c.yaml:1: is nested deeper"),
        ("a: [" + "1," * 200_000 + "1]", "c.yaml:1: holds more than"),
        ("#" * (LARGEST_FILE + 1), "c.yaml: is larger than"),
    ],
)
def test_what_is_not_plain_is_refused_with_its_line(text: str, expected: str) -> None:
    assert fault(text).startswith(expected)


def test_aliases_count_each_time_so_a_bomb_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    started = time.monotonic()

    assert "aliases counted each time" in fault("\n".join(lines))
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("value", ["*sk-canary", "!sk-canary x", "'sk-canary", "@sk-canary"])
def test_a_fault_never_quotes_what_may_be_a_key(value: str) -> None:
    assert "canary" not in fault(f"api_key: {value}")


def test_a_value_is_in_no_repr() -> None:
    assert "canary" not in repr(read_document("api_key: sk-canary", "c"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("ab1 ", max_size=3), inner)
        ),
        max_leaves=8,
    )
)
def test_what_was_dumped_is_read(value: object) -> None:
    assert plain(read_document(yaml.safe_dump(value), "c")) == value


def test_depth_within_the_bound_is_fine() -> None:
    depth = DEEPEST - 1

    assert read_document("[" * depth + "]" * depth, "c").line == 1

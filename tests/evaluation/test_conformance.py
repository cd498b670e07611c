"""JSON and its schemas, some of which are meant to take for ever."""

import json
import time
from typing import Any

import pytest

from understudy.server.evaluation.conformance import conforms, is_json


def _schema(value: Any) -> bytes:
    return json.dumps(value).encode()


_PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "born": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        "friends": {"type": "array", "items": {"$ref": "#/$defs/friend"}},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"friend": {"type": "object", "required": ["name"]}},
}


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"name": "Ann"}', True),
        ('{"name": "Ann", "born": "1970-01-01", "friends": [{"name": "Bob"}]}', True),
        ('{"name": "Ann", "born": "yesterday"}', False),
        ('{"name": "Ann", "friends": [{}]}', False),
        ('{"name": "Ann", "age": 5}', False),
        ("{}", False),
        ("Ann", False),
        ('```json\n{"name": "Ann"}\n```', False),
        ("", False),
    ],
)
def test_a_text_has_the_shape_that_was_asked_for_or_not(text: str, valid: bool) -> None:
    assert conforms(text, _schema(_PERSON)) is valid


@pytest.mark.parametrize(
    "schema",
    [
        b"",
        b"no json",
        b"[]",
        b'{"type": "unicorn"}',
        b'{"pattern": "("}',
        b'{"pattern": "(?=x)"}',
        b'{"$ref": "#/nowhere"}',
        b'{"$ref": "http://127.0.0.1:9/schema"}',
        b'{"$ref": "file:///etc/passwd"}',
        b'{"$schema": "http://127.0.0.1:9/schema"}',
        b'{"$id": "http://127.0.0.1:9/", "$ref": "other"}',
    ],
)
def test_what_is_no_schema_or_lies_elsewhere_says_nothing(schema: bytes) -> None:
    assert conforms("{}", schema) is None


def _doubling(levels: int) -> dict[str, Any]:
    defs: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)
    }
    return {"$defs": {**defs, f"d{levels}": {"type": "integer"}}, "$ref": "#/$defs/d0"}


def _nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


_LONG: list[tuple[Any, str]] = [
    (_doubling(40), "1"),
    ({"$ref": "#"}, "1"),
    ({"properties": {"a": {"$ref": "#"}}}, "{}"),
    (_nested(60), "1"),
    ({"unevaluatedProperties": False}, "{}"),
    ({"pattern": "(?:a{1,100}){1,50}b"}, json.dumps("a" * 60_000)),
    ({"pattern": "(?:(?:a{1,99}){1,99}){1,99}b"}, '"a"'),
    ({"patternProperties": {f"^(a|{n})*x": {} for n in range(2000)}}, json.dumps("y" * 9000)),
    ({"anyOf": [{"const": n} for n in range(5000)]}, json.dumps(list(range(9000)))),
    ({"enum": ["x" * 70_000]}, "1"),
]


@pytest.mark.parametrize(("schema", "text"), _LONG)
def test_what_would_take_long_is_not_checked(schema: dict[str, Any], text: str) -> None:
    """A caller's schema must not hold up the others' calls."""
    began = time.thread_time()
    assert conforms(text, _schema(schema)) is None
    assert time.thread_time() - began < 0.2


def test_values_nested_beyond_reason_end_somehow_and_soon() -> None:
    for depth in (200, 5_000, 100_000):
        assert conforms("[" * depth + "]" * depth, b'{"type": "array"}') in (True, False, None)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("{}", True),
        (' [1, "a", null] ', True),
        ("3", True),
        ("", False),
        ("{]", False),
        ("[01]", False),
        ("NaN", False),
        ("{'a': 1}", False),
        ('"\ud800"', False),
        ("[" * 200_000, False),
    ],
)
def test_what_is_json(text: str, valid: bool) -> None:
    assert is_json(text) is valid


def test_a_long_text_is_not_looked_at() -> None:
    assert is_json("[" + "1," * 200_000 + "1]") is None

"""Any JSON schema is filled with JSON, and to an end."""

import json
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from understudy.server.simulated.values import fill

Strategy = st.SearchStrategy[object]


FIELDS: dict[str, Strategy] = {
    "type": st.sampled_from(
        ["object", "array", "string", "number", "integer", "boolean", "null", "odd", None, 5]
    ),
    "minimum": st.integers(-5, 50),
    "maximum": st.integers(-5, 50),
    "minLength": st.integers(0, 20),
    "maxLength": st.integers(0, 20),
    "enum": st.lists(st.integers(), min_size=1, max_size=3),
    "$ref": st.sampled_from(["#", "#/properties/a", "#/nowhere", "elsewhere", ""]),
    "format": st.sampled_from(["date", "uuid", "odd"]),
}


def larger(inner: Strategy) -> Strategy:
    """A schema made of smaller ones."""
    named: Strategy = st.dictionaries(st.text(), inner, max_size=3)
    several: Strategy = st.lists(inner, max_size=2)
    shapes: tuple[dict[str, Strategy], ...] = (
        {"type": st.just("object"), "properties": named},
        {"type": st.just("array"), "items": inner},
        {"anyOf": several},
    )
    return st.one_of(*map(st.fixed_dictionaries, shapes))


LEAVES: Strategy = st.fixed_dictionaries({}, optional=FIELDS)
SCHEMAS: Strategy = st.recursive(LEAVES, larger, max_leaves=6)


@given(SCHEMAS, st.integers())
def test_any_schema_is_filled_with_json(schema: object, seed: int) -> None:
    json.dumps(fill(schema, Random(seed)))


def test_a_schema_without_end_is_filled_to_an_end() -> None:
    members = ",".join(f'"{name}":{{"$ref":"#"}}' for name in "abcdefgh")
    schema = json.loads(f'{{"type":"object","properties":{{{members}}}}}')

    assert len(json.dumps(fill(schema, Random(0)))) < 100_000

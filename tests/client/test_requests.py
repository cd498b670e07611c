"""The parameters of a call become the fields of a request, whole."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.client.requests import build_request, name_split
from understudy.v1.chat_pb2 import (
    FunctionDefinition,
    JsonSchema,
    ResponseFormat,
    Tool,
    ToolChoice,
)
from understudy.v1.completion_pb2 import CreateCompletionRequest as Request

PARAMETERS: dict[str, tuple[Mapping[str, object], Request]] = {
    "nothing": ({}, Request()),
    "none counts as not given": ({"temperature": None, "tools": None, "user": None}, Request()),
    "zeros are given": ({"temperature": 0, "seed": 0}, Request(temperature=0, seed=0)),
    "numbers": (
        {"temperature": 0.5, "top_p": 1, "n": 2, "max_tokens": 3, "max_completion_tokens": 4},
        Request(temperature=0.5, top_p=1, n=2, max_tokens=3, max_completion_tokens=4),
    ),
    "penalties": (
        {"presence_penalty": 1, "frequency_penalty": -1, "logit_bias": {50256: -100, "7": 1.5}},
        Request(presence_penalty=1, frequency_penalty=-1, logit_bias={"50256": -100, "7": 1.5}),
    ),
    "flags": (
        {"logprobs": True, "top_logprobs": 5, "parallel_tool_calls": False, "store": False},
        Request(logprobs=True, top_logprobs=5, parallel_tool_calls=False, store=False),
    ),
    "words": (
        {"user": "u", "reasoning_effort": "low", "verbosity": "high", "service_tier": "flex"},
        Request(user="u", reasoning_effort="low", verbosity="high", service_tier="flex"),
    ),
    "one stop": ({"stop": "END"}, Request(stop=["END"])),
    "several stops": ({"stop": ("a", "b")}, Request(stop=["a", "b"])),
    "labels": (
        {"metadata": {"team": "x"}, "request_id": "r1"},
        Request(metadata={"team": "x"}, request_id="r1"),
    ),
    "a split": ({"models": {"a": 0.8, "b": 1}}, Request(models={"a": 0.8, "b": 1})),
    "an experiment": (
        {"experiment": "e", "models": {"a": 1}, "split_mode": "register", "control": "a"},
        Request(
            experiment="e", models={"a": 1}, split_mode=Request.SPLIT_MODE_REGISTER, control="a"
        ),
    ),
    "no mirroring": ({"mirror_mode": "never"}, Request(mirror_mode=Request.MIRROR_MODE_NEVER)),
    "no mirroring, by enum": (
        {"mirror_mode": Request.MIRROR_MODE_NEVER},
        Request(mirror_mode=Request.MIRROR_MODE_NEVER),
    ),
    "a tool": (
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "description": "d",
                        "parameters": {"z": 1, "a": 2},
                        "strict": True,
                    },
                },
                {"type": "web_search", "user_location": {"city": "X"}},
                Tool(type="function", function=FunctionDefinition(name="g")),
                {"type": "function", "function": FunctionDefinition(name="h")},
            ]
        },
        Request(
            tools=[
                Tool(
                    type="function",
                    function=FunctionDefinition(
                        name="f", description="d", parameters_json='{"z":1,"a":2}', strict=True
                    ),
                ),
                Tool(type="web_search", extra_json='{"user_location":{"city":"X"}}'),
                Tool(type="function", function=FunctionDefinition(name="g")),
                Tool(type="function", function=FunctionDefinition(name="h")),
            ]
        ),
    ),
    "a mode of choice": ({"tool_choice": "auto"}, Request(tool_choice=ToolChoice(mode="auto"))),
    "a chosen function": (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        Request(tool_choice=ToolChoice(function="f")),
    ),
    "a choice as proto": (
        {"tool_choice": ToolChoice(function="f")},
        Request(tool_choice=ToolChoice(function="f")),
    ),
    "json": (
        {"response_format": {"type": "json_object"}},
        Request(response_format=ResponseFormat(type="json_object")),
    ),
    "a schema": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "s", "schema": {"type": "object"}, "strict": False},
            }
        },
        Request(
            response_format=ResponseFormat(
                type="json_schema",
                json_schema=JsonSchema(name="s", schema_json='{"type":"object"}', strict=False),
            )
        ),
    ),
    "a provider's own": (
        {"extra_body": {"top_k": 5, "big": 2**70}},
        Request(extra_body_json='{"top_k":5,"big":1180591620717411303424}'),
    ),
    "nothing of a provider's own": ({"extra_body": {}}, Request()),
}


@pytest.mark.parametrize(("parameters", "expected"), PARAMETERS.values(), ids=PARAMETERS)
def test_a_parameter_becomes_its_field(parameters: Mapping[str, object], expected: Request) -> None:
    assert build_request(None, [], parameters) == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)
objects = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), json_values, min_size=1
)


@given(objects)
def test_a_schema_keeps_its_key_order_and_its_integers(schema: dict[str, object]) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}

    text = build_request(None, [], {"tools": [tool]}).tools[0].function.parameters_json

    assert json.dumps(json.loads(text)) == json.dumps(schema)


@pytest.mark.parametrize(
    ("models", "use_client", "override_client", "id", "expected"),
    [
        ({"a": 1}, False, False, None, {"models": {"a": 1}}),
        (
            {"a": 1},
            True,
            False,
            "e",
            {"models": {"a": 1}, "experiment": "e", "split_mode": "register"},
        ),
        (None, True, False, "e", {"models": None, "experiment": "e", "split_mode": None}),
        (
            {"a": 1},
            True,
            True,
            "e",
            {"models": {"a": 1}, "experiment": "e", "split_mode": "override"},
        ),
        (
            {"a": 1},
            False,
            True,
            "e",
            {"models": {"a": 1}, "experiment": "e", "split_mode": "override"},
        ),
        ({"a": 1}, True, True, None, {"models": {"a": 1}}),
    ],
)
def test_a_split_test_names_its_target(
    models: Mapping[str, float] | None,
    use_client: bool,
    override_client: bool,
    id: str | None,
    expected: Mapping[str, object],
) -> None:
    assert name_split(models, use_client, override_client, id) == expected


@pytest.mark.parametrize(("use_client", "id"), [(True, None), (True, ""), (False, "e")])
def test_an_experiment_is_named_by_use_client_with_an_id(use_client: bool, id: str | None) -> None:
    with pytest.raises(ValueError, match="id="):
        name_split({"a": 1}, use_client, False, id)

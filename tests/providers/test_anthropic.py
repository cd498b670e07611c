"""What a prompt for Anthropic looks like on the wire, and what of it cannot be carried."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import Raw

from understudy.server.domain.chat import (
    ChatCall,
    FunctionDefinition,
    FunctionName,
    JsonValue,
    Message,
    NamedTool,
    Tool,
)
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import RefusedError, RequestError

from .anthropic_prompts import (
    LOOK,
    OPUS,
    asking,
    body_of,
    claude,
    encode,
    refusal_of,
)
from .samples import SCHEMA, call, everything

BODIES = Path(__file__).parent / "bodies"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_prompt_is_written_as_anthropic_expects_it(stream: bool) -> None:
    target = claude()
    recorded = BODIES / f"anthropic.{'stream' if stream else 'whole'}.json"

    request = encode(call(stream=stream), target)

    assert request.body == recorded.read_bytes().strip()
    assert request.endpoint is target.endpoint
    assert request.stream is stream
    assert request.warnings == ()


def test_all_that_can_be_carried_is_and_all_else_is_named() -> None:
    request = encode(everything(), claude("claude-sonnet-4-6", drop=True))

    assert request.body == (BODIES / "anthropic.everything.json").read_bytes().strip()
    named = " ".join(one.message for one in request.warnings)
    for field in ("messages[0].name", "n", "seed", "logit_bias"):
        assert repr(field) in named
    assert len(request.warnings) == 4


def test_schemas_and_arguments_keep_their_bytes() -> None:
    body = encode(everything(), claude("claude-sonnet-4-6", drop=True)).body

    assert body.count(SCHEMA) == 2
    assert b'"input":{"at": 1}' in body
    assert b'"cache":{"z":1,"a":2}' in body


@pytest.mark.parametrize(
    ("choice", "parallel", "written"),
    [
        ("auto", None, {"type": "auto"}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        (NamedTool(FunctionName("look")), None, {"type": "tool", "name": "look"}),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
    ],
)
def test_the_choice_of_tools_is_carried(
    choice: str | NamedTool | None, parallel: bool | None, written: object
) -> None:
    params = {} if parallel is None else {"parallel_tool_calls": parallel}

    assert body_of(asking(params, tools=(LOOK,), choice=choice)).get("tool_choice") == written


def test_a_choice_among_no_tools_goes_without_saying() -> None:
    for choice in ("auto", "none"):
        assert "tool_choice" not in body_of(asking({"parallel_tool_calls": False}, choice=choice))


def test_a_tool_without_parameters_takes_any_object() -> None:
    bare = Tool("function", FunctionDefinition("look"), {"cache_control": Raw(b'{"type" : "x"}')})
    own = Tool("web_search_20250305", extra={"name": Raw(b'"web_search"')})

    body = encode(asking(tools=(bare, own))).body

    assert (
        b'"tools":[{"name":"look","input_schema":{"type":"object","properties":{}},'
        b'"cache_control":{"type" : "x"}},{"type":"web_search_20250305","name":"web_search"}]'
    ) in body


@pytest.mark.parametrize(
    ("stop", "written"), [("X", ["X"]), (["X", "\n\nY"], ["X", "\n\nY"]), ([], None)]
)
def test_stops_are_carried(stop: JsonValue, written: object) -> None:
    assert body_of(asking({"stop": stop})).get("stop_sequences") == written


def test_labels_are_left_out_without_a_word() -> None:
    labels = {"store": True, "safety_identifier": "s", "metadata": {"a": "b"}, "n": 1, "seed": None}

    request = encode(asking({**labels, "logprobs": False, "presence_penalty": 0.0, "user": "u"}))

    assert request.warnings == ()
    assert json.loads(request.body).keys() == {
        "model", "messages", "system", "max_tokens", "metadata",
    }  # fmt: skip
    assert json.loads(request.body)["metadata"] == {"user_id": "u"}


@pytest.mark.parametrize(
    ("tier", "written"), [("auto", "auto"), ("default", "standard_only"), ("flex", None)]
)
def test_classes_of_service_that_both_have_are_named(tier: str, written: str | None) -> None:
    assert body_of(asking({"service_tier": tier})).get("service_tier") == written


@pytest.mark.parametrize(
    ("field", "params"),
    [
        ("n", {"n": 2}),
        ("seed", {"seed": 0}),
        ("logprobs", {"logprobs": True}),
        ("top_logprobs", {"top_logprobs": 3}),
        ("presence_penalty", {"presence_penalty": 0.5}),
        ("frequency_penalty", {"frequency_penalty": -0.5}),
        ("logit_bias", {"logit_bias": {"1": 1.0}}),
        ("verbosity", {"verbosity": "low"}),
        ("stop[1]", {"stop": ["X", " \n"]}),
        ("temperature", {"temperature": 1.5}),
        ("reasoning_effort", {"reasoning_effort": "high", "max_tokens": 1024}),
        ("reasoning_effort", {"reasoning_effort": "very"}),
        ("temperature", {"reasoning_effort": "low", "temperature": 0.5}),
        ("top_p", {"reasoning_effort": "low", "top_p": 0.9}),
    ],
)
def test_what_cannot_be_carried_is_an_error_or_a_recorded_loss(
    field: str, params: Mapping[str, object]
) -> None:
    assert refusal_of(asking(params)) == field


def test_anthropic_s_own_members_pass_byte_for_byte_and_win() -> None:
    extra = {
        "top_k": b"5",
        "thinking": b'{"type" : "adaptive"}',
        "mcp_servers": b"[ ]",
        "output_config": b'{"task_budget" : 1.0}',
    }

    body = encode(asking({"reasoning_effort": "low"}, extra=extra), claude(OPUS)).body

    assert b'"top_k":5' in body
    assert b'"thinking":{"type" : "adaptive"}' in body
    assert b'"mcp_servers":[ ]' in body
    assert json.loads(body)["output_config"] == {"effort": "low", "task_budget": 1.0}
    assert b'"task_budget":1.0' in body


def test_an_output_configuration_that_is_no_object_is_the_caller_s_to_mend() -> None:
    with pytest.raises(RequestError, match="output_config"):
        encode(asking({"reasoning_effort": "low"}, extra={"output_config": b"1"}), claude(OPUS))


def test_the_operator_s_words_count_where_the_caller_has_none() -> None:
    target = claude(defaults={"max_tokens": 9, "top_k": 3, "stop": "Z", "extra_body": {"a": [1]}})

    body = body_of(asking({"max_tokens": 7}), target)

    assert (body["max_tokens"], body["top_k"], body["stop_sequences"]) == (7, 3, ["Z"])
    assert body["a"] == [1]


@pytest.mark.parametrize("name", ["model", "messages", "stream"])
def test_nobody_can_replace_what_is_ours(name: str) -> None:
    assert body_of(asking(extra={name: b'"x"'})) == body_of(asking())


def test_a_lone_surrogate_is_the_caller_s_to_mend() -> None:
    with pytest.raises(RequestError, match="lone surrogate"):
        encode(ChatCall((Message("user", "\ud800"),), {}))


def test_a_deployment_without_an_endpoint_is_refused() -> None:
    unusable = Deployment(
        id="d", group="g", provider="anthropic", model="m", endpoint=None, unusable="no key"
    )

    with pytest.raises(RefusedError, match="no key"):
        encode(call(), unusable)

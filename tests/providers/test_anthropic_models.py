"""What Anthropic's models take, and what of a prompt some of them cannot be told."""

from collections.abc import Mapping
from typing import cast

import pytest
from msgspec import Raw, structs

from understudy.server.domain.chat import (
    FunctionCall,
    FunctionDefinition,
    JsonSchema,
    Message,
    ResponseFormat,
    Tool,
    ToolCall,
)

from .anthropic_prompts import (
    HAIKU,
    LOOK,
    NEWEST,
    OPUS,
    SONNET,
    asking,
    body_of,
    claude,
    encode,
    refusal_of,
)
from .samples import SCHEMA


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        ("claude-3-haiku-20240307", 4_096),
        ("claude-2.1", 4_096),
        ("claude-3-5-sonnet-20241022", 8_192),
        ("claude-3-7-sonnet-latest", 64_000),
        ("claude-opus-4-1-20250805", 32_000),
        ("claude-opus-4-20250514", 32_000),
        (SONNET, 64_000),
        ("claude-opus-4-5-20251101", 64_000),
        (HAIKU, 64_000),
        (OPUS, 128_000),
        ("claude-sonnet-5", 128_000),
        ("anthropic.claude-fable-5-1", 128_000),
        ("kimi-k2", 8_192),
    ],
)
def test_a_model_s_own_limit_stands_in_for_one_that_is_not_asked_for(
    model: str, limit: int
) -> None:
    assert body_of(asking(), claude(model))["max_tokens"] == limit
    assert body_of(asking({"max_completion_tokens": 5}), claude(model))["max_tokens"] == 5


@pytest.mark.parametrize(
    ("field", "model", "params"),
    [
        ("top_p", HAIKU, {"temperature": 0.2, "top_p": 0.9}),
        ("temperature", "claude-opus-4-7", {"temperature": 0.2}),
        ("top_p", "claude-sonnet-5", {"top_p": 0.9}),
        ("reasoning_effort", "claude-3-5-haiku-20241022", {"reasoning_effort": "low"}),
        ("reasoning_effort", NEWEST, {"reasoning_effort": "none"}),
        ("temperature", OPUS, {"temperature": 0, "reasoning_effort": "low"}),
    ],
)
def test_what_a_model_cannot_be_told_is_lost(
    field: str, model: str, params: Mapping[str, object]
) -> None:
    assert refusal_of(asking(params), model) == field


def test_a_sampling_parameter_that_changes_nothing_is_no_loss() -> None:
    plain = {"temperature": 1, "top_p": 1.0}

    assert body_of(asking(plain)).items() >= plain.items()
    assert body_of(asking({**plain, "top_p": 0.5}), claude(HAIKU)).keys() >= {"top_p"}
    for model in (HAIKU, NEWEST):
        assert encode(asking(plain), claude(model)).warnings == ()


@pytest.mark.parametrize(
    ("model", "effort", "written"),
    [
        (SONNET, "low", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (HAIKU, "high", {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        (SONNET, "none", {}),
        (OPUS, "minimal", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (OPUS, "max", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
        (OPUS, "none", {}),
        ("claude-sonnet-5", "xhigh", {"output_config": {"effort": "xhigh"}}),
        ("claude-sonnet-5", "none", {"thinking": {"type": "disabled"}}),
        (NEWEST, "medium", {"output_config": {"effort": "medium"}}),
    ],
)
def test_the_effort_is_told_in_the_way_that_the_model_knows(
    model: str, effort: str, written: Mapping[str, object]
) -> None:
    plain, told = (
        body_of(asking(params), claude(model)) for params in ({}, {"reasoning_effort": effort})
    )

    assert told == {**plain, **written}


def test_thoughts_leave_room_for_an_answer() -> None:
    body = body_of(asking({"reasoning_effort": "high", "max_tokens": 2000}))

    assert body["thinking"] == {"type": "enabled", "budget_tokens": 1999}


def test_a_forced_tool_and_thinking_exclude_each_other() -> None:
    forced = asking({"reasoning_effort": "low"}, tools=(LOOK,), choice="required")

    assert refusal_of(forced, SONNET) == "reasoning_effort"
    assert refusal_of(forced, NEWEST) == "tool_choice"
    body = body_of(forced, claude(OPUS))
    assert "thinking" not in body
    assert body["output_config"] == {"effort": "low"}


def test_answers_are_held_to_a_schema_where_the_model_can_be() -> None:
    shape = ResponseFormat("json_schema", JsonSchema("s", schema=Raw(SCHEMA)))

    body = encode(asking(shape=shape), claude(HAIKU)).body

    assert b'"output_config":{"format":{"type":"json_schema","schema":' + SCHEMA + b"}}" in body
    assert refusal_of(asking(shape=shape), SONNET) == "response_format"
    assert refusal_of(asking(shape=ResponseFormat("json_object"))) == "response_format"
    assert "output_config" not in body_of(asking(shape=ResponseFormat("text")))


def test_strict_tools_are_for_models_that_can_be_held_to_a_schema() -> None:
    strict = Tool("function", FunctionDefinition("look", strict=True))

    tools = cast(list[dict[str, object]], body_of(asking(tools=(strict,)), claude(HAIKU))["tools"])

    assert tools[0]["strict"] is True
    assert refusal_of(asking(tools=(strict,)), SONNET) == "tools[0].function.strict"


def test_thoughts_that_cannot_be_sent_along_are_not_begun_between_tool_calls() -> None:
    prompt = structs.replace(
        asking({"reasoning_effort": "low"}, tools=(LOOK,)),
        messages=(
            Message("user", "Look."),
            Message(
                "assistant", tool_calls=(ToolCall("c", "function", FunctionCall("look", "{}")),)
            ),
            Message("tool", "a cat", tool_call_id="c"),
        ),
    )

    assert refusal_of(prompt, SONNET) == "reasoning_effort"
    assert "thinking" in body_of(prompt, claude(OPUS))


def test_a_caller_s_own_thinking_counts_before_the_effort() -> None:
    own = {"thinking": b'{"type" : "enabled", "budget_tokens": 5000}'}
    params = {"reasoning_effort": "low", "max_tokens": 9000}

    body = encode(asking(params, extra=own)).body

    assert own["thinking"] in body
    assert body.count(b"budget_tokens") == 1
    assert refusal_of(asking({"temperature": 0.2}, extra=own)) == "temperature"
    assert encode(asking({"temperature": 0.2}, extra={"thinking": b'{"type":"disabled"}'})).body

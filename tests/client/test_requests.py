"""What callers write becomes the request, whole; what has no place in one is refused."""

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.client.parameters import MessageInput
from understudy.client.requests import build_request, name_split
from understudy.v1.chat_pb2 import (
    ChatMessage,
    ContentPart,
    FunctionCall,
    FunctionDefinition,
    ImageUrl,
    InputAudio,
    InputFile,
    JsonSchema,
    ResponseFormat,
    Tool,
    ToolCall,
    ToolChoice,
)
from understudy.v1.completion_pb2 import CreateCompletionRequest as Request

USER = ChatMessage(role="user", content="hi")

MESSAGES: dict[str, tuple[Mapping[str, object], ChatMessage]] = {
    "text": ({"role": "user", "content": "hi"}, USER),
    "empty text": ({"role": "user", "content": ""}, ChatMessage(role="user", content="")),
    "no content": ({"role": "assistant", "content": None}, ChatMessage(role="assistant")),
    "parts": (
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                {"type": "image_url", "image_url": "https://x/z.png"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                {"type": "file", "file": {"file_id": "f1"}},
                {"type": "refusal", "refusal": "no"},
                {"type": "video_url", "video_url": {"url": "https://x/v.mp4"}},
                ContentPart(type="text", text="proto"),
            ],
        },
        ChatMessage(
            role="user",
            content_parts=[
                ContentPart(
                    type="text", text="see", extra_json='{"cache_control":{"type":"ephemeral"}}'
                ),
                ContentPart(
                    type="image_url", image_url=ImageUrl(url="https://x/y.png", detail="low")
                ),
                ContentPart(type="image_url", image_url=ImageUrl(url="https://x/z.png")),
                ContentPart(type="input_audio", input_audio=InputAudio(data="AA==", format="wav")),
                ContentPart(type="file", file=InputFile(file_id="f1")),
                ContentPart(type="refusal", refusal="no"),
                ContentPart(type="video_url", extra_json='{"video_url":{"url":"https://x/v.mp4"}}'),
                ContentPart(type="text", text="proto"),
            ],
        ),
    ),
    "tool calls": (
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "f", "arguments": "{bad json"},
                    "thought_signature": "s",
                },
                ToolCall(id="c2"),
                {"id": "c3", "function": FunctionCall(name="g")},
            ],
            "function_call": None,
            "annotations": [],
        },
        ChatMessage(
            role="assistant",
            tool_calls=[
                ToolCall(
                    id="c1",
                    type="function",
                    function=FunctionCall(name="f", arguments="{bad json"),
                    extra_json='{"thought_signature":"s"}',
                ),
                ToolCall(id="c2"),
                ToolCall(id="c3", function=FunctionCall(name="g")),
            ],
            extra_json='{"annotations":[]}',
        ),
    ),
    "tool answer": (
        {"role": "tool", "tool_call_id": "c1", "content": "42", "name": "f"},
        ChatMessage(role="tool", tool_call_id="c1", content="42", name="f"),
    ),
    "what a model said": (
        {"role": "assistant", "content": "x", "refusal": "r", "reasoning_content": "because"},
        ChatMessage(role="assistant", content="x", refusal="r", reasoning_content="because"),
    ),
}


@pytest.mark.parametrize(("source", "expected"), MESSAGES.values(), ids=MESSAGES)
def test_a_message_in_openais_shape_becomes_the_proto_message(
    source: MessageInput, expected: ChatMessage
) -> None:
    assert build_request(None, [source], {}).messages[0] == expected


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


FAULTS: dict[str, tuple[object, Mapping[str, object], type[Exception], str]] = {
    "messages as text": ("hi", {}, TypeError, "messages: a list is needed, not str"),
    "one message": ({"role": "user"}, {}, TypeError, "messages: a list is needed, not dict"),
    "a message as text": (["hi"], {}, TypeError, "messages[0]: a dict is needed, not str"),
    "a number as content": (
        [USER, {"role": "user", "content": 5}],
        {},
        TypeError,
        "messages[1].content: a list is needed, not int",
    ),
    "no parts": (
        [{"role": "user", "content": []}],
        {},
        ValueError,
        "messages[0].content: a list of parts must not be empty",
    ),
    "two parts in one": (
        [{"role": "user", "content": [{"text": "a", "refusal": "b"}]}],
        {},
        ValueError,
        "messages[0].content[0]: text and refusal are parts of their own",
    ),
    "an unknown key where there is no room": (
        [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "x": 1}}]}],
        {},
        ValueError,
        "messages[0].tool_calls[0].function: the key 'x' is not known there",
    ),
    "a lone surrogate": (
        [{"role": "user", "content": "secret \ud800"}],
        {},
        ValueError,
        "messages[0].content: the text holds a lone surrogate, which cannot be sent",
    ),
    "a text for a number": (
        [],
        {"temperature": "hot"},
        TypeError,
        "temperature: str is not what belongs there",
    ),
    "too large": ([], {"n": 2**40}, ValueError, "n: the number is out of range"),
    "a label that is no text": (
        [],
        {"metadata": {"team": 7}},
        TypeError,
        "metadata['team']: int is not what belongs there",
    ),
    "a stop that is no text": ([], {"stop": [1]}, TypeError, "stop[0]: a text is needed, not int"),
    "NaN": (
        [],
        {"extra_body": {"x": float("nan")}},
        ValueError,
        "extra_body: Out of range float values are not JSON compliant",
    ),
    "what JSON has no form for": (
        [],
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": {1}}}}]},
        TypeError,
        "tools[0].function.parameters: set has no form in JSON",
    ),
    "a schema as text": (
        [],
        {"tools": [{"function": {"name": "f", "parameters": "{}"}}]},
        TypeError,
        "tools[0].function.parameters: a dict is needed, not str",
    ),
    "a format with more": (
        [],
        {"response_format": {"type": "text", "grammar": "g"}},
        ValueError,
        "response_format: the key 'grammar' is not known there",
    ),
    "another choice": (
        [],
        {"tool_choice": {"type": "allowed_tools"}},
        ValueError,
        "tool_choice: only a function can be chosen",
    ),
    "an unknown word": (
        [],
        {"mirror_mode": "sometimes"},
        ValueError,
        "mirror_mode: 'sometimes' is not one of never",
    ),
    "an unknown parameter": (
        [],
        {"top_k": 5},
        TypeError,
        "completion() takes no 'top_k'; what a provider understands and Understudy has no name",
    ),
    "a key": (
        [],
        {"api_key": "sk-1"},
        TypeError,
        "completion() takes no 'api_key': that is for the server's configuration, not for callers",
    ),
}


@pytest.mark.parametrize(("messages", "parameters", "kind", "words"), FAULTS.values(), ids=FAULTS)
def test_what_has_no_place_is_refused_by_its_path(
    messages: list[MessageInput],
    parameters: Mapping[str, object],
    kind: type[Exception],
    words: str,
) -> None:
    with pytest.raises(kind) as caught:
        build_request(None, messages, parameters)

    assert type(caught.value) is kind
    assert str(caught.value).startswith(words)


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

"""Whatever a caller asks, what is written for Anthropic is what its rules allow."""

import json
from collections.abc import Mapping
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionCall,
    FunctionDefinition,
    FunctionName,
    ImageUrl,
    InputAudio,
    InputFile,
    JsonSchema,
    JsonValue,
    Message,
    NamedTool,
    ResponseFormat,
    Tool,
    ToolCall,
)
from understudy.server.domain.deployment import Deployment, Endpoint
from understudy.server.errors import RequestError
from understudy.server.providers import dialect

from .anthropic_rules import find_faults

WORDS = st.sampled_from(["", " ", "\n\t", "Hi", "Grüße \U0001f600", "\u2028", "x" * 50])
IDS = st.sampled_from(["call_1", "a.b:0", "functions.look:1", "é"])
SCHEMA = Raw(b'{"type":"object"}')
MODELS = st.sampled_from(
    """
    claude-3-haiku-20240307 claude-3-5-haiku-20241022 claude-3-7-sonnet-latest claude-opus-4-1
    claude-sonnet-4-20250514 claude-haiku-4-5 claude-sonnet-4-6 claude-opus-4-8 claude-opus-5
    claude-sonnet-5-5 claude-fable-5-1 some-other-model
    """.split()  # noqa: SIM905, a list of names
)
PARTS = st.one_of(
    WORDS.map(lambda text: ContentPart("text", text=text)),
    WORDS.map(lambda text: ContentPart("refusal", refusal=text)),
    st.sampled_from(
        [
            ContentPart("image_url", image_url=ImageUrl("https://x.example/a.png", "low")),
            ContentPart("image_url", image_url=ImageUrl("http://x.example/a.png")),
            ContentPart("image_url", image_url=ImageUrl("data:image/png;base64,AAAA")),
            ContentPart("file", file=InputFile("data:application/pdf;base64,AAAA", UNSET, "a")),
            ContentPart("file", file=InputFile("data:text/csv;base64,AAAA")),
            ContentPart("file", file=InputFile("data:application/zip;base64,AAAA")),
            ContentPart("input_audio", input_audio=InputAudio("AAAA", "wav")),
        ]
    ),
)
CONTENT = WORDS | st.lists(PARTS, max_size=3).map(tuple)
TOOLS = st.lists(
    st.sampled_from(
        [
            Tool("function", FunctionDefinition("look")),
            Tool("function", FunctionDefinition("find", "Finds.", SCHEMA, True)),
        ]
    ),
    max_size=2,
    unique_by=lambda one: cast(FunctionDefinition, one.function).name,
).map(tuple)
CHOICES = st.sampled_from([UNSET, "auto", "none", "required", NamedTool(FunctionName("look"))])
SHAPES = st.sampled_from(
    [
        UNSET,
        ResponseFormat("text"),
        ResponseFormat("json_object"),
        ResponseFormat("json_schema", JsonSchema("s", schema=SCHEMA)),
        ResponseFormat("json_schema", JsonSchema("s")),
    ]
)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from([0, 0.0, 0.5, 1, 1.0, 2.0]),
        "top_p": st.sampled_from([0.0, 0.5, 0.99, 1.0]),
        "max_tokens": st.integers(1, 4096),
        "max_completion_tokens": st.integers(1, 4096),
        "stop": st.lists(WORDS, max_size=3) | WORDS,
        "n": st.integers(1, 3),
        "user": st.just("u"),
        "reasoning_effort": st.sampled_from(["none", "minimal", "low", "high", "xhigh", "max"]),
        "parallel_tool_calls": st.booleans(),
        "service_tier": st.sampled_from(["auto", "default", "flex"]),
        "store": st.booleans(),
        "seed": st.integers(),
        "logprobs": st.booleans(),
        "verbosity": st.just("low"),
        "logit_bias": st.just({"1": 1.0}),
    },
)


def _speak(role: str) -> st.SearchStrategy[tuple[Message, ...]]:
    return CONTENT.map(lambda content: (Message(role, content),))


@st.composite
def _use_tools(draw: st.DrawFn) -> tuple[Message, ...]:
    """Calls, and the result of each."""
    names = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    arguments = st.sampled_from(["", "{}", '{"a" : [1.0]}'])
    calls = (
        ToolCall(name, "function", FunctionCall("look", draw(arguments)), index=at)
        for at, name in enumerate(names)
    )
    said = Message("assistant", draw(st.none() | WORDS), tool_calls=tuple(calls))
    return (said, *(Message("tool", draw(CONTENT), tool_call_id=name) for name in names))


TURNS = st.lists(
    st.one_of(*map(_speak, ("system", "developer", "user", "assistant")), _use_tools()), max_size=5
).map(lambda turns: tuple(message for turn in turns for message in turn))


@settings(max_examples=300)
@given(MODELS, TURNS, PARAMS, TOOLS, CHOICES, SHAPES)
def test_what_is_written_is_taken(
    model: str,
    messages: tuple[Message, ...],
    params: Mapping[str, JsonValue],
    tools: tuple[Tool, ...],
    choice: str | NamedTool,
    shape: ResponseFormat,
) -> None:
    target = Deployment(
        id="d",
        group="g",
        provider="anthropic",
        model=model,
        endpoint=Endpoint("https://models.example/v1/messages", ()),
        drop_params=True,
    )
    if not tools and choice not in (UNSET, "auto", "none"):
        choice = "auto"  # the caller's own mistake
    call = ChatCall((Message("user", "Hi"), *messages), params, tools, choice, shape)

    try:
        body = json.loads(dialect("anthropic").encode(call, target).body)
    except RequestError as error:
        assert error.field  # noqa: PT017, most calls do not fail
        return

    assert list(find_faults(body)) == []

"""Which tools Ollama is offered, what it cannot be told of them, and what its dialects carry."""

from dataclasses import replace

import pytest
from msgspec import Raw

from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionDefinition,
    ImageUrl,
    InputAudio,
    InputFile,
    JsonSchema,
    Message,
    NamedTool,
    ResponseFormat,
    Tool,
)
from understudy.server.domain.chat import FunctionName as Name
from understudy.server.errors import RequestError
from understudy.server.providers.features import Feature
from understudy.server.providers.ollama import OllamaChatDialect, OllamaGenerateDialect

from .ollama_samples import body_of, target
from .samples import SCHEMA, call

TOOL = Tool("function", FunctionDefinition("look", "Looks.", Raw(SCHEMA)))
HELLO = (Message("user", "hi"),)


@pytest.mark.parametrize("choice", ["auto", "none", "required", NamedTool(Name("look"))])
def test_tools_may_be_offered_or_withheld_but_not_imposed(choice: str | NamedTool) -> None:
    prompt = ChatCall(HELLO, {}, (TOOL,), choice)

    if choice in ("auto", "none"):
        assert ("tools" in body_of(prompt)) is (choice == "auto")
    else:
        with pytest.raises(RequestError) as caught:
            body_of(prompt)
        assert caught.value.field == "tool_choice"
        assert "tools" in body_of(prompt, replace(target(), drop_params=True))


def test_one_tool_at_a_time_cannot_be_asked_for() -> None:
    with pytest.raises(RequestError) as caught:
        body_of(ChatCall(HELLO, {"parallel_tool_calls": False}, (TOOL,)))

    assert caught.value.field == "parallel_tool_calls"


def test_tools_that_are_no_functions_cannot_be_offered() -> None:
    with pytest.raises(RequestError) as caught:
        body_of(ChatCall(HELLO, {}, (TOOL, Tool("web_search"))))

    assert caught.value.field == "tools[1]"


def test_tools_for_generate_are_an_error_that_names_the_way_out() -> None:
    with pytest.raises(RequestError, match="ollama_chat/"):
        body_of(ChatCall(HELLO, {}, (TOOL,)), target("ollama"))
    with pytest.raises(RequestError, match="tools"):
        body_of(call(extra={"tools": b'[{"type":"function"}]'}), target("ollama"))
    withheld = body_of(ChatCall(HELLO, {}, (TOOL,), "none"), target("ollama"))

    assert "tools" not in withheld


def part(content: ContentPart) -> ChatCall:
    return ChatCall((Message("user", (content,)),), {})


CALLS = {
    Feature.STREAM: call(stream=True),
    Feature.SYSTEM: call(),
    Feature.TOOLS: ChatCall(HELLO, {}, (TOOL,)),
    Feature.PARALLEL_TOOLS: ChatCall(HELLO, {"parallel_tool_calls": True}, (TOOL, TOOL)),
    Feature.TOOL_CHOICE: ChatCall(HELLO, {}, (TOOL,), "required"),
    Feature.IMAGES: part(ContentPart("image_url", image_url=ImageUrl("data:;base64,AAAA"))),
    Feature.AUDIO: part(ContentPart("input_audio", input_audio=InputAudio("AAAA", "wav"))),
    Feature.FILES: part(ContentPart("file", file=InputFile(file_id="f"))),
    Feature.JSON_MODE: ChatCall(HELLO, {}, response_format=ResponseFormat("json_object")),
    Feature.JSON_SCHEMA: ChatCall(
        HELLO, {}, response_format=ResponseFormat("json_schema", JsonSchema("s"))
    ),
    Feature.LOGPROBS: call(params={"logprobs": True}),
    Feature.MANY: call(params={"n": 2}),
    Feature.SEED: call(params={"seed": 1}),
    Feature.STOP: call(params={"stop": ["X"]}),
    Feature.PENALTIES: call(params={"presence_penalty": 1.0, "frequency_penalty": 1.0}),
    Feature.LOGIT_BIAS: call(params={"logit_bias": {"11": 1.0}}),
    Feature.EFFORT: call(params={"reasoning_effort": "low"}),
}


@pytest.mark.parametrize("feature", CALLS)
@pytest.mark.parametrize("dialect", [OllamaChatDialect(), OllamaGenerateDialect()])
def test_what_a_dialect_says_it_carries_it_takes_and_nothing_else(
    dialect: OllamaChatDialect | OllamaGenerateDialect, feature: Feature
) -> None:
    try:
        dialect.encode(CALLS[feature], target())
        taken = True
    except RequestError:
        taken = False

    assert (feature in dialect.carries) is taken


def test_what_only_answers_have_is_told_too() -> None:
    replies = {Feature.USAGE, Feature.CACHED_TOKENS, Feature.REASONING}

    assert replies <= OllamaChatDialect.carries
    assert OllamaGenerateDialect.carries < OllamaChatDialect.carries

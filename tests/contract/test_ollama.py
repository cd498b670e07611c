"""All that a chat call carries reaches an Ollama that is strict, and comes back, over HTTP."""

import json

import pytest
from msgspec import UNSET, Raw

from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionCall,
    FunctionDefinition,
    ImageUrl,
    JsonSchema,
    JsonValue,
    Message,
    ResponseFormat,
    Tool,
    ToolCall,
)
from understudy.server.domain.completion import PromptTokensDetails, Usage
from understudy.server.errors import Reason, UpstreamError

from .faithful import Called, Failing, Told
from .ollama_asking import HELLO, PATHS, ask, hear, to
from .ollama_server import OllamaServer

SCHEMA = b'{"type":"object","properties":{"a":{"type":"integer"}}}'
PIXEL = "iVBORw0KGgo="

both = pytest.mark.parametrize("provider", PATHS)
framed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@both
@framed
@pytest.mark.asyncio
async def test_words_and_counts_come_back(provider: str, stream: bool) -> None:
    heard = await hear(provider, Told("Hello there. ", cached_tokens=5), stream)

    assert (heard.message.role, heard.message.content) == ("assistant", "Hello there. ")
    assert heard.finish == "stop"
    assert heard.completion.model == "llama3.2"
    assert heard.completion.created == 1762942830
    assert heard.completion.usage == Usage(11, 7, 18, PromptTokensDetails(cached_tokens=5))
    said = [one.choices[0].message.content for one in heard.deltas]
    assert said == (["Hello", " there. ", ""] if stream else [])
    assert heard.body["stream"] is stream


@both
@framed
@pytest.mark.asyncio
async def test_parameters_are_taken(provider: str, stream: bool) -> None:
    params: dict[str, JsonValue] = {
        "temperature": 0.2,
        "top_p": 0.9,
        "max_completion_tokens": 16,
        "seed": 7,
        "stop": ["X"],
        "presence_penalty": 0.5,
        "frequency_penalty": 1,
        "user": "u",
    }
    extra = {"num_ctx": Raw(b"8192"), "keep_alive": Raw(b'"10m"'), "top_k": Raw(b"40")}

    heard = await hear(
        provider,
        Told(finish="length"),
        stream,
        lambda stream: ChatCall(HELLO, params, extra=extra, stream=stream),
    )

    assert heard.body["options"] == {
        "temperature": 0.2,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["X"],
        "presence_penalty": 0.5,
        "frequency_penalty": 1,
        "num_predict": 16,
        "num_ctx": 8192,
        "top_k": 40,
    }
    assert heard.finish == "length"


@framed
@pytest.mark.asyncio
async def test_parallel_tool_calls_go_round(stream: bool) -> None:
    calls = (Called("look", '{"at": 1}', "call_a"), Called("sniff", "{}", "call_b"))
    tools = tuple(
        Tool("function", FunctionDefinition(name, "Does.", Raw(SCHEMA)))
        for name in ("look", "sniff")
    )
    before = (
        Message("user", "What is there?"),
        Message(
            "assistant",
            None,
            tool_calls=(ToolCall("call_0", "function", FunctionCall("look", '{"at":0}')),),
        ),
        Message("tool", "nothing", tool_call_id="call_0"),
    )

    heard = await hear(
        "ollama_chat",
        Told("I look.", calls, finish="tool_calls"),
        stream,
        lambda stream: ChatCall(before, {}, tools, stream=stream),
    )

    made = heard.message.tool_calls
    assert made is not UNSET
    functions = [one.function for one in made if one.function is not UNSET]
    assert [one.id for one in made] == ["call_a", "call_b"]
    assert [(one.name, json.loads(one.arguments)) for one in functions] == [
        ("look", {"at": 1}),
        ("sniff", {}),
    ]
    assert heard.finish == "tool_calls"


@both
@framed
@pytest.mark.asyncio
async def test_pictures_are_shown(provider: str, stream: bool) -> None:
    parts = (
        ContentPart("text", text="What is this?"),
        ContentPart("image_url", image_url=ImageUrl(f"data:image/png;base64,{PIXEL}")),
    )

    heard = await hear(
        provider,
        Told("A dot."),
        stream,
        lambda stream: ChatCall((Message("user", parts),), {}, stream=stream),
    )

    assert json.dumps([PIXEL]) in json.dumps(heard.body)
    assert heard.message.content == "A dot."


@both
@framed
@pytest.mark.parametrize(
    ("form", "written"),
    [
        (ResponseFormat("json_object"), "json"),
        (ResponseFormat("json_schema", JsonSchema("s", schema=Raw(SCHEMA))), json.loads(SCHEMA)),
    ],
)
@pytest.mark.asyncio
async def test_json_is_asked_for(
    provider: str, stream: bool, form: ResponseFormat, written: object
) -> None:
    heard = await hear(
        provider,
        Told('{"a": 1}'),
        stream,
        lambda stream: ChatCall(HELLO, {}, response_format=form, stream=stream),
    )

    assert heard.body["format"] == written
    assert heard.message.content == '{"a": 1}'


@both
@framed
@pytest.mark.parametrize(("effort", "thoughts"), [("high", "Hm, well."), ("none", UNSET)])
@pytest.mark.asyncio
async def test_thoughts_are_heard_unless_none_are_wished(
    provider: str, stream: bool, effort: str, thoughts: object
) -> None:
    heard = await hear(
        provider,
        Told(reasoning="Hm, well."),
        stream,
        lambda stream: ChatCall(HELLO, {"reasoning_effort": effort}, stream=stream),
    )

    assert heard.message.reasoning_content == thoughts
    assert heard.message.content == "Hello there."


@both
@framed
@pytest.mark.asyncio
async def test_probabilities_come_back(provider: str, stream: bool) -> None:
    heard = await hear(
        provider,
        Told(logprobs=True),
        stream,
        lambda stream: ChatCall(HELLO, {"logprobs": True, "top_logprobs": 2}, stream=stream),
    )

    odds = heard.completion.choices[0].logprobs
    assert odds is not None
    assert [(one.token, len(one.top_logprobs)) for one in odds.content] == [
        ("Hello", 2),
        (" there.", 2),
    ]


@both
@pytest.mark.asyncio
async def test_a_stream_that_breaks_off_says_after_how_much(provider: str) -> None:
    async with OllamaServer(Failing("internal", after=1)) as server:
        with pytest.raises(UpstreamError, match="has terminated") as caught:
            await ask(server, ChatCall(HELLO, {}, stream=True), to(server, provider))

    assert caught.value.reason is Reason.UPSTREAM_STREAM_ERROR
    assert caught.value.delivered == 1


@both
@pytest.mark.asyncio
async def test_a_key_is_shown_where_there_is_one(provider: str) -> None:
    async with OllamaServer(key="sk-mine") as server:
        call = ChatCall(HELLO, {})
        await ask(server, call, to(server, provider, "sk-mine"))
        with pytest.raises(UpstreamError) as caught:
            await ask(server, call, to(server, provider, "sk-other"))

    assert caught.value.reason is Reason.UPSTREAM_CREDENTIALS_REJECTED


@both
@pytest.mark.parametrize(
    "extra",
    [
        {"num_ctx": Raw(b'"much"')},
        {"think": Raw(b'"hard"')},
        {"top_logprobs": Raw(b"21")},
        {"format": Raw(b'"xml"')},
        {"nonsense": Raw(b"1")},
    ],
)
@pytest.mark.asyncio
async def test_the_server_is_strict(provider: str, extra: dict[str, Raw]) -> None:
    async with OllamaServer() as server:
        with pytest.raises(UpstreamError) as caught:
            await ask(server, ChatCall(HELLO, {}, extra=extra), to(server, provider))

    assert caught.value.reason is Reason.UPSTREAM_REJECTED_REQUEST

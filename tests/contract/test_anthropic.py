"""Everything that a chat call carries to Anthropic and back, over HTTP, whole and streamed."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import cast

import pytest
import pytest_asyncio
from msgspec import UNSET, Raw, structs

from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionCall,
    FunctionDefinition,
    ImageUrl,
    InputFile,
    JsonSchema,
    JsonValue,
    Message,
    ResponseFormat,
    Tool,
    ToolCall,
)
from understudy.server.domain.completion import Completion, Delta, PromptTokensDetails, Usage
from understudy.server.domain.deployment import Deployment, Endpoint
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers import dialect
from understudy.server.upstream import HttpUpstream

from .anthropic_server import AnthropicServer
from .faithful import Called, Failing, Told

SONNET = "claude-sonnet-4-6"
SCHEMA = Raw(
    b'{"type":"object","properties":{"at":{"type":"integer"}},"additionalProperties":false}'
)
LOOK = Tool("function", FunctionDefinition("look", "Looks.", SCHEMA, True))
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest_asyncio.fixture
async def server() -> AsyncIterator[AnthropicServer]:
    async with AnthropicServer() as running:
        yield running


def claude(server: AnthropicServer, model: str = SONNET, key: str = "") -> Deployment:
    headers = (
        ("content-type", "application/json"),
        ("x-api-key", key or server.key),
        ("anthropic-version", "2023-06-01"),
    )
    return Deployment(
        id="d",
        group="g",
        provider="anthropic",
        model=model,
        endpoint=Endpoint(f"{server.base}/v1/messages", headers),
    )


async def ask(target: Deployment, prompt: ChatCall) -> tuple[list[Delta], Completion]:
    """Send a prompt over HTTP; return the deltas and the whole answer."""
    language = dialect("anthropic")
    request = language.encode(prompt, target)
    assert request.warnings == ()
    deltas: list[Delta] = []
    async with HttpUpstream() as upstream:
        deadline = asyncio.get_running_loop().time() + 5
        async with upstream.exchange(request, deadline) as exchange:
            reader = language.reader(prompt.stream, exchange.status, exchange.headers)
            async for chunk in exchange.chunks():
                deltas.extend(reader.feed(chunk))
            return deltas, reader.finish()


def asking(*messages: Message, stream: bool, **params: object) -> ChatCall:
    return ChatCall(
        messages or (Message("user", "Hi"),),
        cast(Mapping[str, JsonValue], params),
        stream=stream,
    )


def told_text(deltas: list[Delta]) -> str:
    contents = [one.message.content for delta in deltas for one in delta.choices]
    return "".join(one for one in contents if isinstance(one, str))


@BOTH
@pytest.mark.asyncio
async def test_words_come_back_with_their_figures(server: AnthropicServer, stream: bool) -> None:
    server.told = Told("Hello, Grüße \U0001f600.", cached_tokens=4)
    prompt = asking(
        Message("system", "You are terse."),
        Message("user", "Hi"),
        Message("assistant", ""),
        Message("user", "Hello?"),
        stream=stream,
        temperature=0.2,
        max_tokens=16,
        stop=["X"],
        user="u",
    )

    deltas, answer = await ask(claude(server), prompt)

    choice = answer.choices[0]
    assert choice.message == Message("assistant", "Hello, Grüße \U0001f600.")
    assert choice.finish_reason == "stop"
    assert answer.model == SONNET
    assert answer.id.startswith("msg_")
    assert answer.usage == Usage(11, 7, 18, PromptTokensDetails(cached_tokens=4))
    if stream:
        assert told_text(deltas) == choice.message.content
        assert len(deltas) > 3
    else:
        assert deltas == []


@BOTH
@pytest.mark.asyncio
async def test_several_tools_are_called_at_once(server: AnthropicServer, stream: bool) -> None:
    calls = (Called("look", '{"at": 1, "why": "é"}', "toolu_1"), Called("look", "{}", "toolu_2"))
    server.told = Told("", calls, finish="tool_calls")
    prompt = structs.replace(asking(stream=stream), tools=(LOOK,), tool_choice="required")

    deltas, answer = await ask(claude(server), prompt)

    message = answer.choices[0].message
    assert message.content is None
    assert answer.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls is not UNSET
    assert [one.id for one in message.tool_calls] == ["toolu_1", "toolu_2"]
    functions = [one.function for one in message.tool_calls if one.function is not UNSET]
    assert [one.name for one in functions] == ["look", "look"]
    assert [one.arguments for one in functions][1] == "{}"
    pieces = [one.message.tool_calls for delta in deltas for one in delta.choices]
    assert {one[0].index for one in pieces if one is not UNSET} == ({0, 1} if stream else set())


@BOTH
@pytest.mark.asyncio
async def test_the_story_goes_on_after_tool_calls(server: AnthropicServer, stream: bool) -> None:
    prompt = asking(
        Message("user", "Look twice."),
        Message(
            "assistant",
            None,
            tool_calls=(
                ToolCall("a.1", "function", FunctionCall("look", '{"at":1}')),
                ToolCall("a.2", "function", FunctionCall("look", "")),
            ),
        ),
        Message("tool", "a cat", tool_call_id="a.1"),
        Message("tool", "", tool_call_id="a.2"),
        Message("user", "Well?"),
        stream=stream,
        parallel_tool_calls=False,
        reasoning_effort="low",
    )

    _, answer = await ask(claude(server), structs.replace(prompt, tools=(LOOK,)))

    assert answer.choices[0].message.content == "Hello there."


@BOTH
@pytest.mark.asyncio
async def test_pictures_and_documents_are_taken(server: AnthropicServer, stream: bool) -> None:
    parts = (
        ContentPart("text", text="What is this?", extra={"cache_control": Raw(b'{"type":"x"}')}),
        ContentPart("image_url", image_url=ImageUrl("https://x.example/a.png")),
        ContentPart("image_url", image_url=ImageUrl("data:image/png;base64,iVBORw0=")),
        ContentPart("file", file=InputFile("data:application/pdf;base64,JVBERi0=", filename="a")),
        ContentPart("file", file=InputFile("data:text/plain;base64,SGk=")),
    )

    _, answer = await ask(claude(server), asking(Message("user", parts), stream=stream))

    assert answer.choices[0].message.content == "Hello there."


@BOTH
@pytest.mark.parametrize("model", ["claude-sonnet-4-20250514", SONNET, "claude-opus-5-5"])
@pytest.mark.asyncio
async def test_thoughts_come_back_beside_the_answer(
    server: AnthropicServer, model: str, stream: bool
) -> None:
    server.told = Told(reasoning="Let me think about it.")

    _, answer = await ask(claude(server, model), asking(stream=stream, reasoning_effort="high"))

    message = answer.choices[0].message
    assert message.reasoning_content == "Let me think about it."
    assert message.content == "Hello there."


@BOTH
@pytest.mark.asyncio
async def test_an_answer_is_held_to_a_schema(server: AnthropicServer, stream: bool) -> None:
    server.told = Told('{"at":1}')
    shape = ResponseFormat("json_schema", JsonSchema("s", "S.", SCHEMA, True))

    _, answer = await ask(
        claude(server), structs.replace(asking(stream=stream), response_format=shape)
    )

    assert answer.choices[0].message.content == '{"at":1}'


@BOTH
@pytest.mark.parametrize("finish", ["length", "content_filter"])
@pytest.mark.asyncio
async def test_an_answer_says_why_it_ended(
    server: AnthropicServer, finish: str, stream: bool
) -> None:
    server.told = Told("" if finish == "content_filter" else "Hello", finish=finish)

    _, answer = await ask(claude(server, "claude-3-haiku-20240307"), asking(stream=stream))

    assert answer.choices[0].finish_reason == finish


@BOTH
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("credentials", Reason.UPSTREAM_CREDENTIALS_REJECTED),
        ("forbidden", Reason.UPSTREAM_FORBIDDEN),
        ("model", Reason.UPSTREAM_MODEL_NOT_FOUND),
        ("rate", Reason.UPSTREAM_RATE_LIMITED),
        ("quota", Reason.UPSTREAM_QUOTA_EXHAUSTED),
        ("context", Reason.CONTEXT_LENGTH_EXCEEDED),
        ("policy", Reason.CONTENT_POLICY_REJECTED),
        ("invalid", Reason.UPSTREAM_REJECTED_REQUEST),
        ("overloaded", Reason.UPSTREAM_OVERLOADED),
        ("internal", Reason.UPSTREAM_INTERNAL_ERROR),
    ],
)
@pytest.mark.asyncio
async def test_failures_have_their_reasons(
    server: AnthropicServer, kind: str, reason: Reason, stream: bool
) -> None:
    server.told = Failing(kind)

    with pytest.raises(UpstreamError) as caught:
        await ask(claude(server), asking(stream=stream))

    assert caught.value.reason is reason
    assert caught.value.retry_after == (3 if kind == "rate" else None)
    if kind == "context":
        assert caught.value.metadata == {"limitTokens": "200000", "requestedTokens": "210000"}


@pytest.mark.parametrize(("after", "reason"), [(0, Reason.UPSTREAM_OVERLOADED), (2, None)])
@pytest.mark.asyncio
async def test_a_stream_that_breaks_off_says_so(
    server: AnthropicServer, after: int, reason: Reason | None
) -> None:
    server.told = Failing("overloaded", after=after)

    with pytest.raises(UpstreamError) as caught:
        await ask(claude(server), asking(stream=True))

    assert caught.value.reason is (reason or Reason.UPSTREAM_STREAM_ERROR)
    assert caught.value.delivered == after


@pytest.mark.asyncio
async def test_a_wrong_key_is_told_apart(server: AnthropicServer) -> None:
    with pytest.raises(UpstreamError) as caught:
        await ask(claude(server, key="sk-canary-other"), asking(stream=False))

    assert caught.value.reason is Reason.UPSTREAM_CREDENTIALS_REJECTED


@pytest.mark.parametrize(
    ("model", "extra", "words"),
    [
        (SONNET, {"nonsense": b"1"}, "nonsense: Extra inputs are not permitted"),
        ("claude-3-5-haiku-20241022", {"max_tokens": b"9000"}, "9000 > 8192"),
    ],
)
@pytest.mark.asyncio
async def test_what_the_provider_refuses_is_quoted(
    server: AnthropicServer, model: str, extra: Mapping[str, bytes], words: str
) -> None:
    raws = {name: Raw(value) for name, value in extra.items()}

    with pytest.raises(UpstreamError) as caught:
        await ask(claude(server, model), structs.replace(asking(stream=False), extra=raws))

    assert caught.value.reason is Reason.UPSTREAM_REJECTED_REQUEST
    assert words in caught.value.message

"""What every provider is asked, and what must come of it, in no provider's terms.

A question says which features it needs, which of its words must arrive at the provider, and what
of the answer must reach the caller.
"""

from collections.abc import Callable
from dataclasses import dataclass

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
from understudy.server.domain.completion import Completion
from understudy.server.providers.features import Feature

from .checks import (
    calls,
    check_cached,
    check_logprobs,
    check_many,
    check_reasoning,
    check_refusal,
    check_thought,
    check_usage,
    says,
)
from .faithful import Called, Told

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
PAGE = "JVBERi0xLjQKJSVFT0YK"
SOUND = "UklGRiQAAABXQVZF"

ASK = Message("user", "Greet me.")


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt and its answer. `wish` are the features that a prompt asks for.

    `brought` are those that an answer merely holds, or that change nothing about it: a provider
    without them answers all the same, and nothing is checked. `witnesses` are words of the prompt
    that its provider must read.
    """

    name: str
    call: ChatCall
    told: Told
    check: Callable[[Completion], None]
    wish: frozenset[Feature] = frozenset()
    brought: frozenset[Feature] = frozenset()
    witnesses: tuple[str, ...] = ()


def _user(part: ContentPart) -> tuple[Message, ...]:
    return (Message("user", (ContentPart("text", text="Look:"), part)),)


def _ask(
    messages: tuple[Message, ...] = (ASK,), **params: JsonValue
) -> ChatCall:  # the usual prompt
    return ChatCall(messages, {"max_tokens": 64, **params})


def _ask_with(
    tools: tuple[str, ...],
    messages: tuple[Message, ...] = (ASK,),
    choice: NamedTool | None = None,
    shape: ResponseFormat | None = None,
) -> ChatCall:
    schema = Raw(b'{"type":"object","properties":{"city":{"type":"string"}}}')
    return ChatCall(
        messages,
        {"max_tokens": 64},
        tuple(Tool("function", FunctionDefinition(one, f"Does {one}.", schema)) for one in tools),
        UNSET if choice is None else choice,
        UNSET if shape is None else shape,
    )


_WEATHER = Called("get_weather", '{"city": "Bern"}', "call_1")
_TIME = Called("get_time", '{"city": "Lima"}', "call_2")
_SCHEMA = Raw(b'{"type":"object","properties":{"greeting":{"type":"string"}}}')
_TOOL_TURN = (
    Message("user", "How is the weather?"),
    Message(
        "assistant",
        None,
        tool_calls=(
            ToolCall("call_1", "function", FunctionCall("get_weather", '{"city": "Bern"}')),
        ),
    ),
    Message("tool", "Sunny spells", tool_call_id="call_1"),
)
_F = Feature
_TOOLS = frozenset({_F.TOOLS})

QUESTIONS = (
    Question("text", _ask(), Told(), says(), witnesses=("Greet",)),
    Question(
        "system prompt",
        _ask((Message("system", "Be terse."), ASK)),
        Told(),
        says(),
        frozenset({_F.SYSTEM}),
        witnesses=("terse", "Greet"),
    ),
    Question(
        "several turns",
        _ask((Message("user", "Alpha"), Message("assistant", "Beta"), Message("user", "Gamma"))),
        Told(),
        says(),
        witnesses=("Alpha", "Beta", "Gamma"),
    ),
    Question(
        "a tool",
        _ask_with(("get_weather",)),
        Told("", (_WEATHER,), finish="tool_calls"),
        calls(_WEATHER),
        _TOOLS,
        witnesses=("get_weather", "city"),
    ),
    Question(
        "parallel tools",
        _ask_with(("get_weather", "get_time")),
        Told("", (_WEATHER, _TIME), finish="tool_calls"),
        calls(_WEATHER, _TIME),
        _TOOLS,
        frozenset({_F.PARALLEL_TOOLS}),
        witnesses=("get_weather", "get_time"),
    ),
    Question(
        "a tool's result",
        _ask_with(("get_weather",), _TOOL_TURN),
        Told(),
        says(),
        _TOOLS,
        witnesses=("Sunny", "Bern"),
    ),
    Question(
        "a chosen tool",
        _ask_with(("get_weather", "get_time"), choice=NamedTool(FunctionName("get_time"))),
        Told("", (_TIME,), finish="tool_calls"),
        calls(_TIME),
        _TOOLS | {_F.TOOL_CHOICE},
    ),
    Question(
        "an image",
        _ask(_user(ContentPart("image_url", image_url=ImageUrl(f"data:image/png;base64,{PIXEL}")))),
        Told(),
        says(),
        frozenset({_F.IMAGES}),
        witnesses=(PIXEL[:60], "Look"),
    ),
    Question(
        "sound",
        _ask(_user(ContentPart("input_audio", input_audio=InputAudio(SOUND, "wav")))),
        Told(),
        says(),
        frozenset({_F.AUDIO}),
        witnesses=(SOUND,),
    ),
    Question(
        "a file",
        _ask(
            _user(
                ContentPart(
                    "file",
                    file=InputFile(f"data:application/pdf;base64,{PAGE}", filename="a.pdf"),
                )
            )
        ),
        Told(),
        says(),
        frozenset({_F.FILES}),
        witnesses=(PAGE,),
    ),
    Question(
        "JSON",
        _ask_with((), shape=ResponseFormat("json_object")),
        Told('{"greeting": "hi"}'),
        says('{"greeting": "hi"}'),
        frozenset({_F.JSON_MODE}),
    ),
    Question(
        "JSON of a schema",
        _ask_with((), shape=ResponseFormat("json_schema", JsonSchema("greeting", schema=_SCHEMA))),
        Told('{"greeting": "hi"}'),
        says('{"greeting": "hi"}'),
        frozenset({_F.JSON_SCHEMA}),
        witnesses=("greeting",),
    ),
    Question(
        "log probabilities",
        _ask(logprobs=True, top_logprobs=1),
        Told(logprobs=True),
        check_logprobs,
        frozenset({_F.LOGPROBS}),
    ),
    Question("two answers", _ask(n=2), Told(choices=2), check_many, frozenset({_F.MANY})),
    Question("a seed", _ask(seed=4711), Told(), says(), frozenset({_F.SEED}), witnesses=("4711",)),
    Question(
        "stop words",
        _ask(stop=["ENOUGH"]),
        Told(),
        says(),
        frozenset({_F.STOP}),
        witnesses=("ENOUGH",),
    ),
    Question(
        "penalties",
        _ask(presence_penalty=0.125, frequency_penalty=0.375),
        Told(),
        says(),
        frozenset({_F.PENALTIES}),
        witnesses=("0.125", "0.375"),
    ),
    Question(
        "a bias",
        _ask(logit_bias={"50256": -100.0}),
        Told(),
        says(),
        frozenset({_F.LOGIT_BIAS}),
        witnesses=("50256",),
    ),
    Question(
        "the user",
        _ask(user="user-77"),
        Told(),
        says(),
        brought=frozenset({_F.USER}),
        witnesses=("user-77",),
    ),
    Question(
        "effort",
        _ask(reasoning_effort="high", max_tokens=8192),
        Told(),
        says(),
        frozenset({_F.EFFORT}),
    ),
    Question(
        "thoughts",
        _ask(),
        Told(reasoning="Let me think."),
        check_reasoning,
        brought=frozenset({_F.REASONING}),
    ),
    Question(
        "a refusal",
        _ask(),
        Told("", refusal="I will not."),
        check_refusal,
        brought=frozenset({_F.REFUSALS}),
    ),
    Question("the limit", _ask(), Told(finish="length"), says(finish="length")),
    Question(
        "a filter",
        _ask(),
        Told(finish="content_filter"),
        says(finish="content_filter"),
    ),
    Question("usage", _ask(), Told(), check_usage, brought=frozenset({_F.USAGE})),
    Question(
        "cached tokens",
        _ask(),
        Told(cached_tokens=5),
        check_cached,
        brought=frozenset({_F.CACHED_TOKENS}),
    ),
    Question(
        "tokens of thoughts",
        _ask(),
        Told(reasoning_tokens=3),
        check_thought,
        brought=frozenset({_F.REASONING_TOKENS}),
    ),
)

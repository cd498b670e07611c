"""What patterns find is in no string of a call, wherever it stands and however it is escaped."""

import json
import time
from typing import Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from understudy.server.capturing import Levels, Pattern, PatternError, Redactor
from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionCall,
    FunctionDefinition,
    ImageUrl,
    Message,
    Tool,
    ToolCall,
)
from understudy.server.domain.completion import Choice, Logprobs, TokenLogprob

CANARY: Final = "canary-7f3a"
REDACTOR: Final = Redactor([Pattern(r"canary-[0-9a-f]+", "<gone>")])


def everywhere(word: str) -> tuple[Message, ...]:
    """Messages that hold a word wherever messages can hold one."""
    image = ImageUrl(f"https://x/{word}", detail="low")
    call = ToolCall(
        id=word,
        type="function",
        function=FunctionCall(name=word, arguments=json.dumps({"to": [word], "n": 1})),
        extra={"more": Raw(f'{{"deep":[{{"er":"{word}"}}]}}'.encode())},
    )
    return (
        Message("user", content=word, name=word),
        Message("user", content=(ContentPart("text", text=f"a {word} b"),)),
        Message("user", content=(ContentPart("image_url", image_url=image),)),
        Message("assistant", content=None, tool_calls=(call,), reasoning_content=word),
        Message("assistant", refusal=word, extra={"thinking": Raw(json.dumps(word).encode())}),
        Message("tool", content=word, tool_call_id=word),
    )


def test_no_string_of_a_prompt_is_passed_over() -> None:
    redacted = REDACTOR.messages(everywhere(CANARY))

    assert msgspec.json.encode(redacted) == msgspec.json.encode(everywhere("<gone>"))


def test_what_holds_nothing_stays_the_very_same() -> None:
    messages = everywhere("harmless")

    assert REDACTOR.messages(messages) is messages


def test_escapes_hide_nothing_in_a_functions_arguments() -> None:
    redactor = Redactor([Pattern("José", "X")])
    escaped = '{"name": "Jos\\u00e9", "n": 1}'
    messages = (
        Message("assistant", tool_calls=(ToolCall(function=FunctionCall("f", escaped)),)),
        Message("user", content="", extra={"x": Raw(b'["Jos\\u00e9"]')}),
    )

    redacted = msgspec.json.encode(redactor.messages(messages)).decode()

    assert "Jos" not in redacted
    assert r"{\"name\":\"X\",\"n\":1}" in redacted


def test_probabilities_do_not_spell_what_was_replaced() -> None:
    tokens = Logprobs((TokenLogprob("canary", -0.1), TokenLogprob("-7f3a", -0.1)))
    said = Choice(0, Message("assistant", content=CANARY), "stop", tokens)
    harmless = Choice(0, Message("assistant", content="hi"), "stop", tokens)

    assert REDACTOR.choices((said, harmless)) == (
        Choice(0, Message("assistant", content="<gone>"), "stop"),
        harmless,
    )


def test_tools_and_parameters_are_redacted_and_bare_calls_have_none() -> None:
    chat = ChatCall(
        (),
        {"temperature": 0.5, "user": CANARY, "stop": [CANARY], "reasoning_effort": "low"},
        tools=(Tool("function", FunctionDefinition("f", CANARY, Raw(b'{"a":"canary-1"}'))),),
        extra={"prediction": Raw(f'"{CANARY}"'.encode())},
    )

    assert b"canary" not in msgspec.json.encode(REDACTOR.value(chat))
    assert REDACTOR.value(chat).params["temperature"] == 0.5


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "(", "a*", "x{0,3}", "a" * 5000])
def test_patterns_that_cannot_be_used_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        Pattern(pattern)


def test_a_replacement_is_taken_as_it_is() -> None:
    assert Redactor([Pattern("(a)", r"\1\g<0>")]).text("bab") == r"b\1\g<0>b"


def test_a_refused_pattern_is_told_to_nobody_else(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PatternError):
        Pattern("(?=canary)")

    assert "canary" not in capfd.readouterr().err


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+b", "a(.*!)?", "(x+x+)+y", "(.*)(.*)(.*)9"])
def test_no_text_takes_a_pattern_long(pattern: str) -> None:
    begin = time.perf_counter()
    Redactor([Pattern(pattern, "<gone>")]).text("a" * 200_000)

    assert time.perf_counter() - begin < 10.0


def test_a_text_that_would_take_too_long_is_replaced_whole() -> None:
    assert Redactor([Pattern("a(.*!)?", "<gone>")]).text("a" * 200_000) == "<gone>"


@given(st.text(), st.text(alphabet="abcdef0123456789", min_size=1))
def test_text_around_a_match_is_kept(around: str, tail: str) -> None:
    kept = around.encode(errors="replace").decode()

    redacted = REDACTOR.text(f"{around} canary-{tail} {around}")

    assert redacted == REDACTOR.text(kept) + " <gone> " + REDACTOR.text(kept)


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.text() | st.integers(), lambda some: st.lists(some) | st.dictionaries(st.text(), some)
    )
)
def test_json_of_any_shape_is_searched(value: object) -> None:
    raw = Raw(json.dumps([value, CANARY, {CANARY: value}]).encode())

    assert b"canary" not in bytes(REDACTOR.value(raw))


def test_without_patterns_redacted_is_as_bare_as_metadata() -> None:
    levels = Levels((), Redactor())

    assert levels.at("redacted") is levels.at("metadata")

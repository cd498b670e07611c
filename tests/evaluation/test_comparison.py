"""How two answers differ, measure by measure."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from understudy.server.domain.chat import ContentPart, FunctionCall, Message, ToolCall
from understudy.server.domain.completion import Choice, Completion
from understudy.server.evaluation.comparison import MOST_WORDS_IN, compare

_CALL = ("get_weather", '{"city": "Bern", "days": 2}')


def said(text: str | tuple[ContentPart, ...] | None, refusal: str = "") -> Completion:
    """An answer in words."""
    message = Message("assistant", content=text, refusal=refusal or UNSET)
    return Completion((Choice(0, message, "stop"),))


def called(*calls: tuple[str, str], text: str | None = None) -> Completion:
    """An answer that calls functions."""
    wanted = tuple(
        ToolCall(f"id-{number}", "function", FunctionCall(name, arguments))
        for number, (name, arguments) in enumerate(calls)
    )
    message = Message("assistant", content=text, tool_calls=wanted)
    return Completion((Choice(0, message, "tool_calls"),))


@pytest.mark.parametrize(
    ("ours", "theirs", "equal", "normalized"),
    [
        ("Yes.", "Yes.", True, True),
        ("Yes.", "yes", False, True),
        ("It is  42!", "it is 42", False, True),
        ("straße", "STRASSE", False, True),
        ("Yes.", "No.", False, False),
        ("ab", "a b", False, False),
        ("", "", True, True),
        ("?!", "?  !", False, True),
        ("?!", "!?", False, False),
        ("こんにちは。", "こんにちは", False, True),
    ],
)
def test_equal_and_nearly_equal(ours: str, theirs: str, equal: bool, normalized: bool) -> None:
    told = compare(said(ours), said(theirs))
    assert (told.equal, told.normalized_equal) == (equal, normalized)
    assert (told.primary_length, told.silent_length) == (len(ours), len(theirs))


@pytest.mark.parametrize(
    ("ours", "theirs", "similarity"),
    [
        ("the cat sat", "the cat sat", 1.0),
        ("the cat sat", "The cat, sat!", 1.0),
        ("the cat sat", "the cat ran", 0.5),
        ("the cat sat", "a dog ran off", 0.0),
        ("yes", "yes indeed", 2 / 3),
        ("", "something", 0.0),
        ("今日は雨", "今日は晴", 2 / 3),
    ],
)
def test_similarity_counts_neighbouring_words(ours: str, theirs: str, similarity: float) -> None:
    assert compare(said(ours), said(theirs)).similarity == pytest.approx(similarity)


@given(st.text(max_size=200), st.text(max_size=200))
def test_measures_know_no_sides_and_stay_in_bounds(ours: str, theirs: str) -> None:
    told, turned = compare(said(ours), said(theirs)), compare(said(theirs), said(ours))
    assert told.similarity is not None
    assert 0 <= told.similarity <= 1
    assert told.similarity == turned.similarity
    assert (told.equal, told.normalized_equal) == (turned.equal, turned.normalized_equal)
    assert not told.equal or (told.normalized_equal and told.similarity == 1)


@pytest.mark.parametrize(
    ("ours", "theirs", "both"),
    [
        ('{"a": 1}', "[1]", True),
        ('{"a": 1}', "certainly!", False),
        ("certainly!", '{"a": 1}', False),
        ("certainly!", "of course!", None),
        ("[" * 100_000, "{}", False),
        ("{}", '"' + "x" * (300 << 10) + '"', None),
    ],
)
def test_json_on_both_sides(ours: str, theirs: str, both: bool | None) -> None:
    assert compare(said(ours), said(theirs)).both_json is both


def test_a_schema_is_held_against_each_side() -> None:
    schema = b'{"type": "object", "required": ["a"]}'
    told = compare(said('{"a": 1}'), said('{"b": 1}'), schema)
    assert (told.primary_schema_valid, told.silent_schema_valid) == (True, False)
    told = compare(said("{}"), said("{}"))
    assert (told.primary_schema_valid, told.silent_schema_valid) == (None, None)


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ([_CALL], [_CALL], True),
        ([_CALL], [("get_weather", '{"days":2.0,"city":"Bern"}')], True),
        ([_CALL, ("now", "")], [("now", "{}"), _CALL], True),
        ([_CALL], [("get_weather", '{"city":"Basel","days":2}')], False),
        ([_CALL], [("get_climate", _CALL[1])], False),
        ([_CALL], [_CALL, _CALL], False),
        ([_CALL], [], False),
        ([("f", '{"a": true}')], [("f", '{"a": 1}')], False),
        ([("f", "no json")], [("f", "no json")], True),
        ([("f", "[" * 50_000)], [("f", "[" * 50_000)], True),
        ([("f", "x" * 100_000)], [("f", "x")], None),
        ([], [], None),
    ],
)
def test_tool_calls_are_compared_by_name_and_arguments(
    ours: list[tuple[str, str]], theirs: list[tuple[str, str]], same: bool | None
) -> None:
    told = compare(called(*ours), called(*theirs))
    assert told.same_tool_calls is same
    assert told.equal is (same is not False)


def test_the_same_words_with_other_calls_are_not_equal() -> None:
    told = compare(called(_CALL, text="Let me see."), said("Let me see."))
    assert (told.equal, told.normalized_equal, told.similarity) == (False, False, 1.0)


def test_refusals_parts_and_empty_answers_are_read() -> None:
    parts = (ContentPart("text", text="Hello "), ContentPart("text", text="you"))
    assert compare(said(parts), said("Hello you")).equal
    assert compare(said(None, refusal="I cannot."), said("I cannot.")).equal
    assert compare(Completion(()), said(None)).equal


def test_the_first_choices_are_compared_whatever_their_order() -> None:
    first = Choice(0, Message("assistant", content="one"))
    second = Choice(1, Message("assistant", content="two"))
    assert compare(Completion((second, first)), Completion((first, second))).equal


def test_long_texts_cost_little() -> None:
    """What holds the interpreter lock holds up every primary."""
    within = "word " * (MOST_WORDS_IN // 5)
    beyond = "word " * 400_000
    began = time.thread_time()

    told = compare(said(beyond), said(beyond + "!"))

    assert time.thread_time() - began < 0.02
    assert (told.similarity, told.normalized_equal) == (None, False)
    began = time.thread_time()
    assert compare(said(within), said(within[::-1])).similarity == 0.0
    assert time.thread_time() - began < 0.05

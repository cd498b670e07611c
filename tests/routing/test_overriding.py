"""A variant's prompt is the caller's but for what the variant changes."""

import json
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw, structs

from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionDefinition,
    FunctionName,
    JsonValue,
    Message,
    NamedTool,
    ResponseFormat,
    Tool,
)
from understudy.server.domain.deployment import SilentModel
from understudy.server.domain.experiments import MirrorPart, Overrides, State
from understudy.server.errors import RequestError
from understudy.server.providers.openai import write_body
from understudy.server.routing.overriding import LIMITS, PARAMS, TYPED, override, silent_models
from understudy.v1 import completion_pb2

from .experimenting import experiment
from .making import deployment

CALLED = ChatCall(
    (
        Message("system", content="Answer in verse."),
        Message("user", content=(ContentPart("text", text="hi"),)),
    ),
    {"temperature": 1.0, "max_completion_tokens": 9, "user": "u"},
    (Tool("function", FunctionDefinition("f", parameters=Raw(b'{"a" : 1}'))),),
    "auto",
    ResponseFormat("json_object"),
    {"top_k": Raw(b" 5"), "seed ": Raw(b"1")},
    True,
)

NAMES = st.sampled_from([*sorted(PARAMS - LIMITS - {"temperature", "top_p"}), "top_k", "min_p"])


def spell(value: object, is_wide: bool) -> Raw:
    return Raw(json.dumps(value, indent=2 if is_wide else None).encode())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
TEXTS = st.builds(spell, JSON, st.booleans())
OVERRIDES = st.builds(
    Overrides,
    st.none() | st.text(max_size=9),
    st.none() | st.floats(0, 2),
    st.none() | st.integers(1, 99),
    st.none() | st.floats(0, 1),
    st.dictionaries(NAMES, TEXTS, max_size=4),
)
CHATS = st.builds(
    ChatCall,
    st.lists(
        st.builds(Message, st.sampled_from(["system", "user"]), content=st.text()), max_size=3
    ).map(tuple),
    st.dictionaries(st.sampled_from(sorted(PARAMS)), st.integers(0, 3), max_size=4),
    extra=st.dictionaries(st.sampled_from(["top_k", "min_p", "other", "seed"]), TEXTS, max_size=3),
)


def sent(chat: ChatCall) -> dict[str, object]:
    """Return the members of the body that goes to OpenAI, each as it is written."""
    body = msgspec.json.encode(write_body(chat, deployment("one")))
    members = msgspec.json.decode(body, type=dict[str, Raw])
    return {name: bytes(value) for name, value in members.items()}


def written(value: JsonValue) -> bytes:
    return msgspec.json.encode(value)


@given(CHATS, OVERRIDES)
def test_what_is_set_is_sent_as_written_and_all_else_as_the_caller_sent_it(
    chat: ChatCall, overrides: Overrides
) -> None:
    before, after = sent(chat), sent(override(chat, overrides))

    own: dict[str, bytes] = {name: bytes(text) for name, text in overrides.params.items()}
    for name in ("temperature", "max_tokens", "top_p"):
        if (value := getattr(overrides, name)) is not None:
            own[name] = written(value)
    limits: set[str] = set() if LIMITS.isdisjoint(own) else set(LIMITS)
    kept = {name: value for name, value in before.items() if name not in own.keys() | limits}
    assert after == {**kept, **own, "messages": after["messages"]}


@given(CHATS, OVERRIDES)
def test_the_callers_messages_follow_unchanged(chat: ChatCall, overrides: Overrides) -> None:
    messages = override(chat, overrides).messages

    own = () if overrides.system_prompt is None else (overrides.system_prompt,)
    assert messages[len(own) :] == chat.messages
    assert [(one.role, one.content) for one in messages[: len(own)]] == [
        ("system", prompt) for prompt in own
    ]


@given(CHATS, OVERRIDES)
def test_the_callers_prompt_is_left_alone(chat: ChatCall, overrides: Overrides) -> None:
    copy = msgspec.json.encode(chat)

    override(chat, overrides)

    assert msgspec.json.encode(chat) == copy


@given(CHATS)
def test_nothing_to_change_changes_nothing(chat: ChatCall) -> None:
    assert override(chat, Overrides()) == chat


def test_a_limit_replaces_the_callers_under_either_name() -> None:
    assert override(CALLED, Overrides(max_tokens=7)).params == {
        "temperature": 1.0,
        "max_tokens": 7,
        "user": "u",
    }
    newer = Overrides(params={"max_completion_tokens": Raw(b"7")})
    assert override(structs.replace(CALLED, params={"max_tokens": 9}), newer).params == {
        "max_completion_tokens": 7
    }


def test_a_parameter_is_sent_once_wherever_the_caller_put_it() -> None:
    chat = ChatCall((), {}, extra={"seed": Raw(b"1"), "top_k": Raw(b"2")})
    changed = override(chat, Overrides(params={"seed": Raw(b"3"), "top_k": Raw(b"4")}))

    assert changed.params == {"seed": 3}
    assert changed.extra == {"top_k": Raw(b"4")}


def test_a_value_that_would_be_written_otherwise_stays_text() -> None:
    changed = override(
        ChatCall((), {}),
        Overrides(params={"parallel_tool_calls": Raw(b"false"), "presence_penalty": Raw(b"0.50")}),
    )

    assert changed.params == {"parallel_tool_calls": False, "presence_penalty": Raw(b"0.50")}


def test_tools_and_formats_have_their_types() -> None:
    changed = override(
        CALLED,
        Overrides(
            params={
                "tools": Raw(
                    b'[{"type":"function","function":{"name":"g","parameters":{"b":1.50, "a":2}}}]'
                ),
                "tool_choice": Raw(b'{"type": "function", "function": {"name": "g"}}'),
                "response_format": Raw(b'{"type": "text"}'),
            }
        ),
    )

    parameters = Raw(b'{"b":1.50, "a":2}')
    assert changed.tools == (Tool("function", FunctionDefinition("g", parameters=parameters)),)
    assert changed.tool_choice == NamedTool(FunctionName("g"))
    assert changed.response_format == ResponseFormat("text")
    assert changed.params == CALLED.params
    assert changed.extra == CALLED.extra


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tools", b'[{"type":"function","function":{"name":"g"},"cache_control":{"a": 1}}]'),
        ("tools", b'[{"type":"function","function":{"name":"g","extra":1}}]'),
        ("tool_choice", b'{"function":{"name":"g"}}'),
        ("response_format", b'{"type":"json_object","schema":{"a": 1.50}}'),
    ],
)
def test_what_no_type_holds_is_sent_as_written(name: str, text: bytes) -> None:
    assert sent(override(CALLED, Overrides(params={name: Raw(text)})))[name] == text


def test_null_takes_away_what_the_caller_wished() -> None:
    null = Raw(b"null")
    changed = override(CALLED, Overrides(params=dict.fromkeys(TYPED, null)))

    assert changed.tools == ()
    assert changed.tool_choice is UNSET
    assert changed.response_format is UNSET
    assert not TYPED & sent(changed).keys()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tools", b"7"),
        ("tools", b'[{"function":{}}]'),
        ("tool_choice", b"[]"),
        ("response_format", b'"json"'),
    ],
)
def test_a_value_that_has_not_openais_type_is_refused(name: str, text: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        override(CALLED, Overrides(params={name: Raw(text)}))

    assert caught.value.field == name


def test_the_parameters_are_those_of_the_contract() -> None:
    ours = {
        "model", "messages", "models", "experiment", "split_mode", "control", "request_id",
        "metadata", "extra_body", "extra_body_json", "mirror_mode",
    }  # fmt: skip
    names = set(completion_pb2.CreateCompletionRequest.DESCRIPTOR.fields_by_name)

    assert names - ours == PARAMS | TYPED


SILENT = (SilentModel("llama-2", 0.5), SilentModel("gpt-4", 0.1, 3.0, "mine", {"n": 1}))
MIRROR = (
    MirrorPart("gpt-4", 0.25, 9.0, Overrides("theirs", 0.5, 7, 0.9, {"top_k": Raw(b" 5")})),
    MirrorPart("other"),
)


def test_an_experiment_says_how_where_both_name_a_silent_model() -> None:
    live = structs.replace(experiment(), mirror=MIRROR)
    primary = replace(deployment("one"), silent_models=SILENT)

    assert silent_models(live, primary) == (
        SILENT[0],
        SilentModel(
            "gpt-4",
            0.25,
            9.0,
            "theirs",
            {"temperature": 0.5, "max_tokens": 7, "top_p": 0.9, "top_k": Raw(b" 5")},
        ),
        SilentModel("other"),
    )


@pytest.mark.parametrize("state", [one for one in State if one is not State.RUNNING])
def test_an_experiment_that_does_not_run_mirrors_nothing(state: State) -> None:
    ended = structs.replace(experiment(state), mirror=MIRROR)

    assert silent_models(ended, replace(deployment("one"), silent_models=SILENT)) == SILENT

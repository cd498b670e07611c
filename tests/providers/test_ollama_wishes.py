"""What is wished of an answer, as Ollama is told it, and what cannot be wished there."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import Raw

from understudy.server.domain.chat import (
    ChatCall,
    JsonSchema,
    JsonValue,
    Message,
    ResponseFormat,
)
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError, RequestError
from understudy.server.providers import dialect

from .ollama_samples import DIALECTS, body_of, options_of, target
from .samples import SCHEMA, call, everything

BODIES = Path(__file__).parent / "bodies"
HELLO = (Message("user", "hi"),)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", DIALECTS)
def test_a_prompt_is_written_as_ollama_expects_it(provider: str, stream: bool) -> None:
    to = target(provider)
    recorded = BODIES / f"{provider}.{'stream' if stream else 'whole'}.json"

    request = dialect(provider).encode(call(stream=stream), to)

    assert request.body == recorded.read_bytes().strip()
    assert request.endpoint is to.endpoint
    assert request.stream is stream
    assert request.warnings == ()


@pytest.mark.parametrize("provider", DIALECTS)
def test_all_that_can_be_carried_is_and_the_rest_is_recorded(provider: str) -> None:
    request = dialect(provider).encode(everything(), replace(target(provider), drop_params=True))

    recorded = BODIES / f"{provider}.everything.json"
    assert request.body == recorded.read_bytes().strip()
    assert request.body.count(SCHEMA) == (2 if provider == "ollama_chat" else 1)
    lost = [one.message.split("'")[1] for one in request.warnings]
    assert (
        lost
        == {
            "ollama": [
                "tools",
                "messages[0].name",
                "messages[1].content[1]",
                "messages[2].tool_calls",
                "messages[3]",
                "logit_bias",
                "n",
            ],
            "ollama_chat": [
                "messages[0].name",
                "messages[1].content[1]",
                "tool_choice",
                "logit_bias",
                "n",
            ],
        }[provider]
    )


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({"max_tokens": 5}, {"num_predict": 5}),
        ({"max_completion_tokens": 5, "max_tokens": 9}, {"num_predict": 5}),
        ({"stop": "X"}, {"stop": ["X"]}),
        ({"stop": Raw(b'"X"')}, {"stop": ["X"]}),
        ({"stop": ["X", "Y"]}, {"stop": ["X", "Y"]}),
        (
            {"seed": 7, "presence_penalty": 0.5, "frequency_penalty": -1.0},
            {"seed": 7, "presence_penalty": 0.5, "frequency_penalty": -1.0},
        ),
        ({}, None),
    ],
)
@pytest.mark.parametrize("provider", DIALECTS)
def test_parameters_are_options(
    provider: str, params: dict[str, JsonValue], options: object
) -> None:
    assert options_of(call(params=params), target(provider)) == options


@pytest.mark.parametrize("provider", DIALECTS)
def test_ollama_s_own_options_are_taken_from_caller_and_operator(provider: str) -> None:
    to = target(provider, {"num_ctx": 8192, "mirostat": 2, "keep_alive": "10m"})

    body = body_of(
        call(params={}, extra={"repeat_penalty": b"1.1", "mirostat": b"1", "top_k": b"40"}), to
    )

    assert body["options"] == {"num_ctx": 8192, "mirostat": 1, "repeat_penalty": 1.1, "top_k": 40}
    assert body["keep_alive"] == "10m"


def test_options_may_come_as_the_object_that_ollama_has() -> None:
    to = target(defaults={"extra_body": {"options": {"num_ctx": 1, "top_k": 1}}})

    assert options_of(call(params={"seed": 3}), to) == {"seed": 3, "num_ctx": 1, "top_k": 1}
    assert options_of(call(params={"seed": 3}, extra={"options": b'{"top_k":2}'}), to) == {
        "seed": 3,
        "top_k": 2,
    }
    assert options_of(call(params={"seed": 3}, extra={"options": b"null"})) == {"seed": 3}
    with pytest.raises(RequestError, match="options"):
        body_of(call(extra={"options": b"[1]"}))


def test_the_caller_wins_over_the_operator_whichever_name_either_used() -> None:
    to = target(defaults={"num_predict": 500, "think": True, "format": "json", "temperature": 1.0})
    said = ChatCall(
        HELLO,
        {"max_completion_tokens": 5, "reasoning_effort": "none", "temperature": 0.1},
        response_format=ResponseFormat("json_schema", JsonSchema("s", schema=Raw(b'{"a":1}'))),
    )

    body = body_of(said, to)

    assert body["options"] == {"num_predict": 5, "temperature": 0.1}
    assert (body["think"], body["format"]) == (False, {"a": 1})


def test_a_caller_who_wants_text_gets_it() -> None:
    said = ChatCall(HELLO, {}, response_format=ResponseFormat("text"))

    assert "format" not in body_of(said, target(defaults={"format": "json"}))


def test_an_operator_s_word_stands_where_the_caller_says_nothing() -> None:
    to = target(
        defaults={
            "max_tokens": 9,
            "reasoning_effort": "low",
            "response_format": {"type": "json_object"},
            "tools": [{"type": "function", "function": {"name": "f"}}],
        }
    )

    body = body_of(call(params={}), to)

    assert body["options"] == {"num_predict": 9}
    assert (body["think"], body["format"]) == ("low", "json")
    assert body["tools"] == [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (ResponseFormat("text"), None),
        (ResponseFormat("json_object"), "json"),
        (ResponseFormat("json_schema"), "json"),
        (ResponseFormat("json_schema", JsonSchema("s")), "json"),
        (ResponseFormat("json_schema", JsonSchema("s", schema=Raw(b'{"a":1}'))), {"a": 1}),
    ],
)
@pytest.mark.parametrize("provider", DIALECTS)
def test_the_answer_s_form_is_told(provider: str, form: ResponseFormat, written: object) -> None:
    body = body_of(ChatCall(HELLO, {}, response_format=form), target(provider))

    assert body.get("format") == written


def test_a_form_may_come_in_the_extra_body_too() -> None:
    assert body_of(call(extra={"response_format": b'{"type":"json_object"}'}))["format"] == "json"
    with pytest.raises(RequestError, match="response_format"):
        body_of(call(extra={"response_format": b"17"}))


@pytest.mark.parametrize(
    ("effort", "think"),
    [("none", False), ("low", "low"), ("medium", "medium"), ("high", "high"), ("max", "max")],
)
@pytest.mark.parametrize("provider", DIALECTS)
def test_effort_is_thinking(provider: str, effort: str, think: object) -> None:
    assert body_of(call(params={"reasoning_effort": effort}), target(provider))["think"] == think


def test_ollama_s_own_words_beside_the_prompt_stay_there() -> None:
    chat = body_of(call(params={}, extra={"think": b"true", "truncate": b"false"}))
    generate = body_of(
        call(params={}, extra={"raw": b"true", "template": b'"{{ .Prompt }}"'}), target("ollama")
    )

    assert (chat["think"], chat["truncate"], "options" in chat) == (True, False, False)
    assert (generate["raw"], generate["template"]) == (True, "{{ .Prompt }}")


def test_probabilities_are_asked_for_beside_the_prompt() -> None:
    body = body_of(call(params={"logprobs": True, "top_logprobs": 3}))

    assert (body["logprobs"], body["top_logprobs"], "options" in body) == (True, 3, False)


LOST: list[dict[str, JsonValue]] = [
    {"n": 2},
    {"logit_bias": {"11": 0.5}},
    {"verbosity": "low"},
    {"service_tier": "flex"},
    {"reasoning_effort": "minimal"},
]


@pytest.mark.parametrize("params", LOST)
@pytest.mark.parametrize("provider", DIALECTS)
def test_what_cannot_be_carried_is_an_error_or_a_recorded_loss(
    provider: str, params: dict[str, JsonValue]
) -> None:
    (name,) = params

    with pytest.raises(RequestError) as caught:
        body_of(call(params=params), target(provider))
    request = dialect(provider).encode(
        call(params=params), replace(target(provider), drop_params=True)
    )

    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    assert caught.value.field == name
    assert [one.reason for one in request.warnings] == ["DROPPED_PARAMETER"]
    assert request.body == dialect(provider).encode(call(params={}), target(provider)).body


NOTHING: list[dict[str, JsonValue]] = [
    {"n": 1},
    {"n": None},
    {"logit_bias": {}},
    {"service_tier": "auto"},
    {"parallel_tool_calls": True},
    {"parallel_tool_calls": False},  # there are no tools
    {"user": "u", "store": True},
    {"reasoning_effort": ""},
]


@pytest.mark.parametrize("params", NOTHING)
@pytest.mark.parametrize("provider", DIALECTS)
def test_labels_and_wishes_for_nothing_are_left_out_without_a_word(
    provider: str, params: dict[str, JsonValue]
) -> None:
    to = target(provider)

    assert dialect(provider).encode(call(params=params), to) == dialect(provider).encode(
        call(params={}), to
    )


def test_labels_in_the_extra_body_are_left_out_too() -> None:
    labels = {"safety_identifier": b'"x"', "prompt_cache_key": b'"y"', "user": b'"z"', "n": b"1"}

    assert body_of(call(extra=labels)) == body_of(call())


@pytest.mark.parametrize("name", ["model", "messages", "stream", "stream_options", "metadata"])
@pytest.mark.parametrize("provider", DIALECTS)
def test_nobody_can_replace_what_is_ours(provider: str, name: str) -> None:
    plain = body_of(call(), target(provider))

    assert body_of(call(extra={name: b'"x"'}), target(provider)) == plain
    assert body_of(call(), target(provider, {name: "x"})) == plain


@pytest.mark.parametrize("provider", DIALECTS)
def test_a_deployment_without_an_endpoint_is_refused(provider: str) -> None:
    unusable = Deployment(
        id="d", group="g", provider=provider, model="m", endpoint=None, unusable="no base"
    )

    with pytest.raises(RefusedError, match="no base"):
        dialect(provider).encode(call(), unusable)

"""What a prompt for Petals looks like on the wire, and what its answers mean."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from understudy.server.domain.chat import (
    ChatCall,
    ContentPart,
    FunctionCall,
    FunctionDefinition,
    ImageUrl,
    JsonValue,
    Message,
    ResponseFormat,
    Tool,
    ToolCall,
)
from understudy.server.domain.completion import Choice, Completion
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RefusedError, RequestError, UpstreamError
from understudy.server.providers import dialect

from .samples import call, deployment, read

BODIES = Path(__file__).parent / "bodies"
MODEL = "petals-team/StableBeluga2"
MIB = 1024 * 1024


def petals(*, drop: bool = False, defaults: Mapping[str, object] | None = None) -> Deployment:
    return replace(deployment("petals", MODEL, defaults), drop_params=drop)


def form_of(prompt: ChatCall, target: Deployment | None = None) -> dict[str, str]:
    body = dialect("petals").encode(prompt, target or petals()).body
    fields = parse_qs(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


def asking(
    params: Mapping[str, object] | None = None, extra: Mapping[str, bytes] | None = None
) -> ChatCall:
    return call(params=cast(Mapping[str, JsonValue], params or {}), extra=extra)


def refusal_of(prompt: ChatCall) -> str:
    """Encode what cannot be carried; return the field, having seen it dropped where allowed."""
    with pytest.raises(RequestError) as caught:
        form_of(prompt)
    assert caught.value.reason is Reason.UNSUPPORTED_PARAMETER
    warnings = dialect("petals").encode(prompt, petals(drop=True)).warnings
    assert [one.reason for one in warnings] == ["DROPPED_PARAMETER"]
    return caught.value.field


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_prompt_is_written_as_petals_expects_it(stream: bool) -> None:
    target = petals(drop=True)

    request = dialect("petals").encode(call(stream=stream), target)

    assert request.body == (BODIES / "petals.form").read_bytes().strip()
    assert request.endpoint is target.endpoint
    assert not request.stream
    assert [one.message for one in request.warnings] == [
        "petals does not take 'stop', so it was dropped"
    ]


def test_a_conversation_is_one_text() -> None:
    prompt = ChatCall(
        (
            Message("developer", "Be terse."),
            Message("user", (ContentPart("text", text="2 + "), ContentPart("text", text="2?"))),
            Message("assistant", "4 & more", reasoning_content="hm"),
            Message("assistant", None, refusal="No."),
            Message("user", "Grüße,\nnoch\u2028mehr \U0001f600"),
            Message("user", ""),
        ),
        {},
    )

    assert form_of(prompt) == {
        "model": MODEL,
        "inputs": (
            "System: Be terse.\n\nUser: 2 + 2?\n\nAssistant: 4 & more\n\nAssistant: No.\n\n"
            "User: Grüße,\nnoch\u2028mehr \U0001f600\n\nAssistant:"
        ),
        "max_new_tokens": "1024",
    }


@pytest.mark.parametrize(
    ("params", "written"),
    [
        ({}, {}),
        ({"temperature": 0.2}, {"do_sample": "1", "temperature": "0.2"}),
        ({"temperature": 0}, {"do_sample": "0"}),
        ({"temperature": 0.0, "top_p": 0.5}, {"do_sample": "0"}),
        ({"top_p": 0.5}, {"do_sample": "1", "top_p": "0.5"}),
        ({"max_completion_tokens": 5}, {"max_new_tokens": "5"}),
    ],
)
def test_parameters_are_fields_of_the_form(
    params: Mapping[str, object], written: Mapping[str, str]
) -> None:
    plain = form_of(asking())

    assert form_of(asking(params)) == {**plain, **written}


def test_fields_of_its_own_are_passed_on() -> None:
    extra = {"top_k": b"40", "flag": b"true", "note": b'"a b"', "nothing": b"null"}
    target = petals(defaults={"repetition_penalty": 1.2, "max_tokens": 9})

    form = form_of(asking(extra=extra), target)

    assert form.items() >= {"top_k": "40", "flag": "1", "note": "a b"}.items()
    assert form.items() >= {"repetition_penalty": "1.2", "max_new_tokens": "9"}.items()
    assert "nothing" not in form
    assert refusal_of(asking(extra={"list": b"[1]"})) == "list"


def test_labels_are_left_out_without_a_word() -> None:
    labels: dict[str, object] = {
        "store": True,
        "user": "u",
        "service_tier": "auto",
        "n": 1,
        "stop": [],
    }

    assert form_of(asking(labels)) == form_of(asking())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stop", ["X"]),
        ("n", 2),
        ("seed", 1),
        ("logprobs", True),
        ("presence_penalty", 1.0),
        ("frequency_penalty", 1.0),
        ("logit_bias", {"1": 1.0}),
        ("reasoning_effort", "low"),
        ("verbosity", "low"),
    ],
)
def test_parameters_that_cannot_be_carried_are_lost(field: str, value: object) -> None:
    assert refusal_of(asking({field: value})) == field


def test_tools_and_formats_are_lost() -> None:
    tools = (Tool("function", FunctionDefinition("f")),)

    assert refusal_of(structs.replace(asking(), tools=tools)) == "tools"
    assert refusal_of(structs.replace(asking(), tool_choice="required")) == "tool_choice"
    for kind in ("json_object", "json_schema"):
        prompt = structs.replace(asking(), response_format=ResponseFormat(kind))
        assert refusal_of(prompt) == "response_format"
    assert form_of(structs.replace(asking(), response_format=ResponseFormat("text")))


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (
            Message("user", (ContentPart("image_url", image_url=ImageUrl("https://x/a")),)),
            "messages[0].content[0]",
        ),
        (Message("tool", "x", tool_call_id="c"), "messages[0]"),
        (
            Message("assistant", tool_calls=(ToolCall("c", "function", FunctionCall("f")),)),
            "messages[0].tool_calls",
        ),
        (Message("user", "Hi", name="bob"), "messages[0].name"),
        (Message("user", "Hi", extra={"x": Raw(b"1")}), "messages[0].x"),
    ],
)
def test_what_is_no_text_is_lost(message: Message, field: str) -> None:
    assert refusal_of(ChatCall((message,), {})) == field


def test_a_lone_surrogate_is_the_caller_s_to_mend() -> None:
    with pytest.raises(RequestError, match="lone surrogate"):
        form_of(ChatCall((Message("user", "\ud800"),), {}))


def test_a_deployment_without_an_endpoint_is_refused() -> None:
    unusable = replace(petals(), endpoint=None, unusable="no base")

    with pytest.raises(RefusedError, match="no base"):
        form_of(call(), unusable)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_comes_whole_and_uncounted(stream: bool) -> None:
    deltas, answer = read(
        [b'{"ok":true,', b'"outputs":" Hello.\\n"}\n'], provider="petals", stream=stream
    )

    assert deltas == []
    assert answer == Completion((Choice(0, Message("assistant", "Hello.\n"), "stop"),))
    assert answer.usage is None


def outcome(pieces: list[bytes], status: int = 200) -> Completion | UpstreamError:
    try:
        return read(pieces, provider="petals", stream=True, status=status)[1]
    except UpstreamError as error:
        return error


def traceback(raised: str) -> bytes:
    text = f'Traceback (most recent call last):\n  File "/secret/path.py", line 1, in f\n{raised}\n'
    return json.dumps({"ok": False, "traceback": text}).encode()


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        ("KeyError: 'petals-team/Nobody'", Reason.UPSTREAM_MODEL_NOT_FOUND),
        ("ValueError: invalid literal for int()", Reason.UPSTREAM_REJECTED_REQUEST),
        ("petals.x.MissingBlocksError: No servers", Reason.UPSTREAM_UNAVAILABLE),
        ("TimeoutError", Reason.UPSTREAM_GATEWAY_TIMEOUT),
        ("RuntimeError: shapes\n  of tensors", Reason.UPSTREAM_INTERNAL_ERROR),
        (
            "ValueError: Maximum length exceeded: prefix 0 + current 9 exceeds pre-allocated 8",
            Reason.CONTEXT_LENGTH_EXCEEDED,
        ),
    ],
)
def test_a_traceback_becomes_a_reason_and_its_last_line(raised: str, reason: Reason) -> None:
    error = outcome([traceback(raised)])

    assert isinstance(error, UpstreamError)
    assert (error.reason, error.status) == (reason, 200)
    assert raised.partition("\n")[0] in error.message
    assert "secret" not in error.message


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.UPSTREAM_EMPTY_RESPONSE),
        (b'{"ok":true}', Reason.UPSTREAM_EMPTY_RESPONSE),
        (b'{"ok":false}', Reason.UPSTREAM_INTERNAL_ERROR),
        (b'{"ok":true,"outputs":1}', Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"ok":true,"outputs":"a"', Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b"<html>", Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b"Hello", Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"outputs":"' + b"\xff" * MIB + b'"}', Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"outputs":' + b"[" * MIB, Reason.UPSTREAM_MALFORMED_RESPONSE),
        (b'{"ok":' + b"9" * MIB, Reason.UPSTREAM_MALFORMED_RESPONSE),
        (
            b'{"ok":false,"traceback":"' + b"a.b" * (MIB // 3) + b'"}',
            Reason.UPSTREAM_INTERNAL_ERROR,
        ),
        (
            b'{"ok":false,"traceback":"' + b"\\n" * (MIB // 2) + b'"}',
            Reason.UPSTREAM_INTERNAL_ERROR,
        ),
    ],
)
def test_a_reply_that_is_no_answer_says_why(body: bytes, reason: Reason) -> None:
    error = outcome([body])

    assert isinstance(error, UpstreamError)
    assert error.reason is reason
    assert len(error.message) < 500


@given(st.lists(st.binary(max_size=80), max_size=5), st.sampled_from([200, 400, 500]))
def test_arbitrary_bytes_raise_nothing_else(pieces: list[bytes], status: int) -> None:
    for lead in (b"", b"{", b'{"ok":true,"outputs":"', b'{"ok":false,"traceback":"'):
        outcome([lead, *pieces], status)


@given(st.text(), st.data())
def test_cuts_change_no_answer(text: str, data: st.DataObject) -> None:
    body = json.dumps({"ok": True, "outputs": " " + text}).encode()
    at = data.draw(st.integers(0, len(body)))

    found = outcome([body[:at], body[at:]])

    assert isinstance(found, Completion)
    assert found.choices[0].message.content == text

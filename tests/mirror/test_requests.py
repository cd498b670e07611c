"""What a silent model is sent: the primary's prompt, and of its caller nothing."""

import json
from dataclasses import replace

import pytest
from msgspec import UNSET, Raw, structs

from understudy.server.domain.chat import (
    ChatCall,
    FunctionDefinition,
    JsonValue,
    Message,
    ResponseFormat,
    Tool,
)
from understudy.server.domain.completion import Warning
from understudy.server.domain.deployment import Deployment
from understudy.server.domain.mirroring import Outcome
from understudy.server.errors import Reason
from understudy.server.mirror.rewriting import rewrite
from understudy.server.ports import HttpRequest
from understudy.server.providers.openai import OpenAiDialect

from ..stub.faultstub import FaultStub
from .playing import Notes, answered, chat, mirroring, offer, target

_ORIGIN = "http://127.0.0.1:9"


@pytest.mark.asyncio
async def test_the_silent_request_is_the_primarys_but_for_who_asks() -> None:
    """M-21: no caller, no metadata, no trace; the silent deployment's own model and key."""
    prompt = ChatCall(
        (Message("system", content="Be brief."), Message("user", content="hi", name="ann")),
        {"temperature": 0.5, "user": "caller-7", "store": True, "max_tokens": 9},
        tools=(Tool("function", FunctionDefinition("f", parameters=Raw(b'{"type":"object"}'))),),
        tool_choice="auto",
        response_format=ResponseFormat("json_object"),
        extra={
            "metadata": Raw(b'{"team":"x"}'),
            "safety_identifier": Raw(b'"caller-7"'),
            "top_k": Raw(b"4"),
        },
    )
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        one = offer(target(stub, "gpt-4"), prompt=prompt)
        mirror.offer(one)
        mirror.settle(answered(one))
        await notes.wait_for(1)
        (seen,) = stub.requests

    assert json.loads(seen.body) == {
        "model": "gpt-4",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi", "name": "ann"},
        ],
        "temperature": 0.5,
        "store": False,
        "max_tokens": 9,
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        ],
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "top_k": 4,
    }
    assert seen.headers["authorization"] == "Bearer sk-silent"
    assert "caller-7" not in seen.head.decode()


def test_the_operators_prompt_comes_first_and_its_parameters_count() -> None:
    prompt = chat(temperature=0.1, max_tokens=5, top_p=0.5)
    params: dict[str, JsonValue] = {"max_completion_tokens": 2000, "temperature": 1}

    sent = rewrite(prompt, target(_ORIGIN, system_prompt="Think.", params=params))

    assert sent.messages == (Message("system", content="Think."), Message("user", content="hi"))
    assert sent.params == {"max_completion_tokens": 2000, "temperature": 1, "top_p": 0.5}


def test_the_callers_prompt_is_never_changed() -> None:
    """The rival appends to the caller's own list."""
    params: dict[str, JsonValue] = {"user": "ann", "store": True}
    extra = {"store": Raw(b"true"), "metadata": Raw(b"{}")}
    prompt = structs.replace(chat(), params=params, extra=extra)
    messages = prompt.messages

    rewrite(prompt, target(_ORIGIN, system_prompt="Think.", params={"n": 2}))

    assert prompt.messages is messages
    assert params == {"user": "ann", "store": True}
    assert extra == {"store": Raw(b"true"), "metadata": Raw(b"{}")}


def test_nothing_is_stored_and_where_nobody_spoke_of_it_nothing_is_said() -> None:
    assert "store" not in rewrite(chat(), target(_ORIGIN)).params
    assert rewrite(chat(store=True), target(_ORIGIN)).params["store"] is False
    extra = {"store": Raw(b"true")}
    sent = rewrite(structs.replace(chat(), extra=extra), target(_ORIGIN))
    assert sent.extra == {"store": Raw(b"false")}


def test_parameters_cannot_change_whom_or_what_is_asked() -> None:
    params: dict[str, JsonValue] = {"model": "other", "stream": True, "messages": ["x"]}

    sent = rewrite(chat(), target(_ORIGIN, params=params))

    assert (sent.params, sent.stream) == ({}, False)


def test_the_operators_shape_replaces_the_callers() -> None:
    prompt = structs.replace(
        chat(),
        tools=(Tool("function"),),
        tool_choice="auto",
        response_format=ResponseFormat("json_object"),
        extra={"top_k": Raw(b"4")},
    )
    params: dict[str, JsonValue] = {
        "tools": [],
        "tool_choice": "none",
        "response_format": Raw(b'{"type":"text"}'),
        "top_k": 1,
    }

    sent = rewrite(prompt, target(_ORIGIN, params=params))

    assert (sent.tools, sent.tool_choice, sent.response_format) == ((), UNSET, UNSET)
    assert (sent.extra, sent.params) == ({}, params)


class _Terse(OpenAiDialect):
    """A dialect that knows no `top_p`."""

    def encode(self, call: ChatCall, deployment: Deployment) -> HttpRequest:
        assert deployment.drop_params
        params = {name: value for name, value in call.params.items() if name != "top_p"}
        request = super().encode(structs.replace(call, params=params), deployment)
        return replace(request, warnings=(_DROPPED,) if params != call.params else ())


_DROPPED = Warning("DROPPED_PARAM", "top_p is not known here")


@pytest.mark.asyncio
async def test_what_the_silent_dialect_cannot_take_is_dropped_and_named() -> None:
    """M-21: shown on the pair, whatever the deployment's own `drop_params` says."""
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes, speak=lambda _: _Terse()) as mirror:
        one = offer(target(stub), prompt=chat(top_p=0.5, seed=1))
        mirror.offer(one)
        mirror.settle(answered(one))

        (end,) = await notes.wait_for(1)
        assert end.call is not None
        assert end.call.warnings == (_DROPPED,)
        assert "top_p" not in json.loads(stub.requests[0].body)


@pytest.mark.asyncio
async def test_a_prompt_that_cannot_be_written_is_never_sent() -> None:
    notes = Notes()
    async with FaultStub() as stub, mirroring(notes) as mirror:
        mirror.offer(offer(target(stub), prompt=chat("half a pair: \ud800")))

        (end,) = await notes.wait_for(1)
        assert (end.outcome, end.reason) == (Outcome.FAILED, Reason.INVALID_REQUEST)
        assert end.call is None
        assert mirror.state.silent_models[0].spent == 0
    assert stub.count == 0

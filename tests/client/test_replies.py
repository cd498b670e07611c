"""Answers become dicts of OpenAI's shape, and messages come back from them as they were."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.client import to_dict
from understudy.client.messages import build_message
from understudy.v1.chat_pb2 import (
    ChatMessage,
    CompletionTokensDetails,
    FunctionCall,
    Logprobs,
    TokenLogprob,
    ToolCall,
    TopLogprob,
    Usage,
)
from understudy.v1.completion_pb2 import (
    Choice,
    ChoiceDelta,
    Cost,
    CreateCompletionResponse,
    Model,
    Routing,
    StreamCompletionResponse,
    Warning,
)


def test_an_answer_has_openais_shape_and_ours_under_one_key() -> None:
    answer = CreateCompletionResponse(
        id="chatcmpl-1",
        created=1700000000,
        model="gpt-4-0613",
        choices=[
            Choice(
                index=0,
                message=ChatMessage(role="assistant", content="hello"),
                finish_reason="stop",
                logprobs=Logprobs(
                    content=[
                        TokenLogprob(
                            token="hello",
                            logprob=-0.5,
                            bytes=[104],
                            top_logprobs=[TopLogprob(token="hi", logprob=-1.0)],
                        )
                    ]
                ),
            )
        ],
        usage=Usage(
            prompt_tokens=1,
            completion_tokens=2,
            total_tokens=3,
            completion_tokens_details=CompletionTokensDetails(reasoning_tokens=1),
        ),
        routing=Routing(pair_id="p", model_group="g", attempts=1, config_revision=2**40),
        cost=Cost(nano_usd=7, status=Cost.STATUS_EXACT),
        warnings=[Warning(reason="DROPPED_PARAMETER", message="seed")],
        provider_fields_json='{"x_groq":{"id":"1"}}',
        system_fingerprint="fp",
        service_tier="default",
    )

    assert to_dict(answer) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "gpt-4-0613",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello"},
                "finish_reason": "stop",
                "logprobs": {
                    "content": [
                        {
                            "token": "hello",
                            "logprob": -0.5,
                            "bytes": [104],
                            "top_logprobs": [{"token": "hi", "logprob": -1.0, "bytes": None}],
                        }
                    ],
                    "refusal": None,
                },
            }
        ],
        "usage": {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "completion_tokens_details": {
                "reasoning_tokens": 1,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "system_fingerprint": "fp",
        "service_tier": "default",
        "understudy": {
            "routing": {
                "request_id": "",
                "pair_id": "p",
                "experiment": "",
                "variant": "",
                "model_group": "g",
                "deployment": "",
                "provider": "",
                "model": "",
                "attempts": 1,
                "config_revision": 2**40,
            },
            "cost": {"nano_usd": 7, "status": "STATUS_EXACT"},
            "warnings": [{"reason": "DROPPED_PARAMETER", "message": "seed"}],
            "provider_fields": {"x_groq": {"id": "1"}},
        },
    }


def test_unknown_is_not_zero() -> None:
    answer = to_dict(CreateCompletionResponse(choices=[Choice()], cost=Cost()))

    assert answer["usage"] is None
    assert answer["choices"][0]["finish_reason"] is None
    assert answer["understudy"] == {"cost": {"nano_usd": None, "status": "STATUS_UNSPECIFIED"}}


def test_a_message_without_content_says_so() -> None:
    call = ToolCall(id="c", type="function", function=FunctionCall(name="f", arguments="{}"))
    message = ChatMessage(role="assistant", tool_calls=[call])

    assert to_dict(message) == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
    }


def test_a_piece_has_only_what_it_brings() -> None:
    call = ToolCall(index=0, function=FunctionCall(arguments='{"a'))
    piece = StreamCompletionResponse(
        id="1",
        choices=[
            ChoiceDelta(delta=ChatMessage(content="")),
            ChoiceDelta(index=1, delta=ChatMessage(tool_calls=[call])),
            ChoiceDelta(index=2, finish_reason="length"),
        ],
    )

    assert to_dict(piece) == {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "",
        "choices": [
            {"index": 0, "delta": {"content": ""}, "finish_reason": None, "logprobs": None},
            {
                "index": 1,
                "delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"a'}}]},
                "finish_reason": None,
                "logprobs": None,
            },
            {"index": 2, "delta": {}, "finish_reason": "length", "logprobs": None},
        ],
        "usage": None,
        "system_fingerprint": None,
        "service_tier": None,
    }


def test_a_model_has_openais_shape() -> None:
    model = Model(id="gpt-4", state=Model.STATE_USABLE, providers=["openai"])

    assert to_dict(model) == {
        "id": "gpt-4",
        "object": "model",
        "owned_by": "understudy",
        "understudy": {
            "alias_of": None,
            "state": "STATE_USABLE",
            "reason": None,
            "providers": ["openai"],
        },
    }


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
extras = st.dictionaries(
    st.sampled_from(["cache_control", "x", "annotations"]),
    st.lists(st.integers()) | st.dictionaries(words, st.integers()),
)


def dicts(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    fixed = st.fixed_dictionaries(required, optional=optional)

    def merge(known: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        return {**more, **known}

    return st.builds(merge, fixed, extras)


parts = (
    dicts({"type": st.just("text"), "text": words}, {})
    | dicts(
        {
            "type": st.just("image_url"),
            "image_url": st.fixed_dictionaries({"url": words}, optional={"detail": words}),
        },
        {},
    )
    | dicts({"type": st.just("file"), "file": st.fixed_dictionaries({"file_id": words})}, {})
    | dicts({"type": words}, {})
)
calls = dicts(
    {"id": words, "type": st.just("function")},
    {"function": st.fixed_dictionaries({"name": words, "arguments": words})},
)
messages = dicts(
    {"role": words, "content": st.none() | words | st.lists(parts, min_size=1)},
    {
        "name": words,
        "refusal": words,
        "tool_call_id": words,
        "reasoning_content": words,
        "tool_calls": st.lists(calls, min_size=1),
    },
)


@given(messages)
def test_a_message_comes_back_as_it_was(source: dict[str, Any]) -> None:
    assert to_dict(build_message(source, "messages[0]")) == source


@pytest.mark.parametrize("kind", [CreateCompletionResponse, StreamCompletionResponse])
def test_an_empty_answer_is_still_a_dict(kind: type[Any]) -> None:
    assert to_dict(kind())["choices"] == []

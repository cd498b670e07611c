"""What those who follow OpenAI refuse or call otherwise, and what becomes of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest
from msgspec import Raw

from understudy.server.domain.chat import ChatCall, ContentPart, JsonValue, Message
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import Reason, RequestError
from understudy.server.providers import dialect
from understudy.server.providers.features import Feature
from understudy.server.providers.openai_accents import ACCENTS, carried_by

from .samples import call, deployment

ASK = Message("user", "Hi.")


def encode(prompt: ChatCall, target: Deployment) -> tuple[dict[str, object], list[str]]:
    """Return the body, and what was dropped from it."""
    request = dialect(target.provider).encode(prompt, target)
    body: dict[str, object] = json.loads(request.body)
    assert {one.reason for one in request.warnings} <= {"DROPPED_PARAMETER"}
    return body, [one.message.split("'")[1] for one in request.warnings]


REFUSED: list[tuple[str, str, JsonValue]] = [
    ("cerebras", "presence_penalty", 0.5),
    ("cerebras", "frequency_penalty", 0.5),
    ("cerebras", "logit_bias", {"1": 1.0}),
    ("gemini", "presence_penalty", 0.5),
    ("gemini", "frequency_penalty", -0.5),
    ("gemini", "seed", 0),
    ("groq", "n", 2),
    ("groq", "logprobs", True),
    ("groq", "top_logprobs", 0),
    ("groq", "logit_bias", {"1": 1.0}),
    ("mistral", "logprobs", True),
    ("mistral", "top_logprobs", 3),
    ("mistral", "logit_bias", {"1": 1.0}),
    ("mistral", "verbosity", "low"),
]


@pytest.mark.parametrize(("provider", "name", "value"), REFUSED)
def test_what_a_provider_refuses_is_not_sent(provider: str, name: str, value: JsonValue) -> None:
    prompt = call(params={name: value})

    with pytest.raises(RequestError) as caught:
        encode(prompt, deployment(provider))
    body, dropped = encode(prompt, replace(deployment(provider), drop_params=True))

    assert (caught.value.reason, caught.value.field) == (Reason.UNSUPPORTED_PARAMETER, name)
    assert f"{provider} does not take {name!r}" in caught.value.message
    assert name not in body
    assert dropped == [name]


@pytest.mark.parametrize(
    ("provider", "name", "value"),
    [
        ("groq", "n", 1),
        ("groq", "logprobs", False),
        ("cerebras", "presence_penalty", 0.0),
        ("cerebras", "logit_bias", {}),
        ("gemini", "frequency_penalty", 0.0),
        ("cerebras", "service_tier", "auto"),
        ("mistral", "user", "u"),
        ("mistral", "store", True),
        ("mistral", "service_tier", "auto"),
    ],
)
def test_what_changes_no_answer_is_left_out_without_a_word(
    provider: str, name: str, value: JsonValue
) -> None:
    body, dropped = encode(call(params={name: value}), deployment(provider))

    assert name not in body
    assert dropped == []


def test_what_has_another_name_is_called_so() -> None:
    body, dropped = encode(call(params={"seed": 7}), deployment("mistral"))

    assert body["random_seed"] == 7
    assert "seed" not in body
    assert dropped == []


@pytest.mark.parametrize(
    "provider",
    ["baseten", "deepseek", "huggingface", "mistral", "nvidia_nim", "perplexity", "together_ai"],
)
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_limit_goes_by_the_name_that_is_known(provider: str, name: str) -> None:
    body, _ = encode(call(params={name: 9}), deployment(provider))

    assert {key: body[key] for key in body if "tokens" in key} == {"max_tokens": 9}


def test_who_brings_usage_unasked_is_not_asked_for_it() -> None:
    streaming = call(stream=True)
    insisting = deployment("mistral", defaults={"stream_options": {"include_usage": True}})

    assert "stream_options" not in encode(streaming, deployment("mistral"))[0]
    assert "stream_options" in encode(streaming, insisting)[0]
    assert "stream_options" in encode(streaming, deployment("groq"))[0]


@pytest.mark.parametrize("provider", ["groq", "mistral"])
def test_names_of_speakers_are_told_by_their_place(provider: str) -> None:
    prompt = ChatCall((ASK, Message("user", "Hi.", name="ann")), {})

    with pytest.raises(RequestError) as caught:
        encode(prompt, deployment(provider))
    body, dropped = encode(prompt, replace(deployment(provider), drop_params=True))

    assert caught.value.field == "messages[1].name"
    assert dropped == ["messages[1].name"]
    assert body["messages"] == [{"role": "user", "content": "Hi."}] * 2


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        ("openai", {"content": "So.", "reasoning_content": "Hm."}),
        ("groq", {"content": "So.", "reasoning": "Hm."}),
        ("cerebras", {"content": "So.", "reasoning": "Hm."}),
        (
            "mistral",
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
                    {"type": "text", "text": "So."},
                ]
            },
        ),
    ],
)
def test_earlier_thoughts_are_told_as_the_provider_tells_them(
    provider: str, expected: Mapping[str, object]
) -> None:
    prompt = ChatCall((Message("assistant", "So.", reasoning_content="Hm."), ASK), {})

    body, dropped = encode(prompt, deployment(provider))

    messages = body["messages"]
    assert isinstance(messages, list)
    assert messages[0] == {"role": "assistant", **expected}
    assert dropped == []


def test_thoughts_stand_before_content_of_parts_or_none() -> None:
    parts = Message(
        "assistant",
        (ContentPart("text", text="So."),),
        reasoning_content="Hm.",
        extra={"prefix": Raw(b"true")},
    )
    prompt = ChatCall((parts, Message("assistant", None, reasoning_content="Hm.")), {})

    body, _ = encode(prompt, deployment("mistral"))

    messages = cast(list[dict[str, list[dict[str, str]]]], body["messages"])
    assert [[one["type"] for one in message["content"]] for message in messages] == [
        ["thinking", "text"],
        ["thinking"],
    ]
    assert json.dumps(messages[0]["prefix"]) == "true"


SAMPLING: Mapping[str, JsonValue] = {
    "temperature": 0.5,
    "top_p": 0.5,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "logit_bias": {"1": 1.0},
    "logprobs": True,
    "top_logprobs": 2,
    "stop": ["X"],
}
OF_OPENAI = [one for one in SAMPLING if one != "stop"]
OF_XAI = ["presence_penalty", "frequency_penalty", "stop"]


@pytest.mark.parametrize(
    ("provider", "model", "refused"),
    [
        *(("openai", one, OF_OPENAI) for one in ("o1", "o1-mini", "o3", "o4-mini", "ft:o3:org")),
        *(("openai", one, OF_OPENAI) for one in ("gpt-5", "gpt-5-mini", "gpt-5-nano-2025-08-07")),
        ("azure", "prod-gpt5-mini", OF_OPENAI),
        *(("openai", one, []) for one in ("gpt-4o", "gpt-5-chat-latest", "gpt-5.1", "gpt-5.2-pro")),
        ("openrouter", "openai/o3", []),
        ("deepseek", "deepseek-reasoner", ["logprobs", "top_logprobs"]),
        ("deepseek", "deepseek-chat", []),
        ("xai", "grok-4", OF_XAI),
        ("xai", "grok-4-1-fast-reasoning", OF_XAI),
        ("xai", "grok-4-1-fast-non-reasoning", []),
        ("xai", "grok-3", []),
    ],
)
def test_reasoning_models_are_spared_what_they_refuse_where_that_is_allowed(
    provider: str, model: str, refused: list[str]
) -> None:
    strict = deployment(provider, model)

    sent, nothing = encode(call(params=SAMPLING), strict)
    body, dropped = encode(call(params=SAMPLING), replace(strict, drop_params=True))

    assert sent.keys() >= SAMPLING.keys()
    assert nothing == []
    assert dropped == refused
    assert body.keys() & SAMPLING.keys() == SAMPLING.keys() - set(refused)


def test_a_reasoning_model_may_be_known_by_its_operator_only() -> None:
    target = replace(deployment("azure", "prod-7"), is_reasoning=True, drop_params=True)

    body, dropped = encode(call(params={"temperature": 0.5, "max_tokens": 9}), target)

    assert body["max_completion_tokens"] == 9
    assert dropped == ["temperature"]


def test_a_reasoning_model_s_only_value_is_no_loss() -> None:
    params: Mapping[str, JsonValue] = {"temperature": 1.0, "top_p": 1, "presence_penalty": 0.0}
    target = replace(deployment("openai", "o3"), drop_params=True)

    assert encode(call(params=params), target)[1] == []


@pytest.mark.parametrize(
    ("provider", "missing"),
    [
        ("openai", {Feature.REASONING}),
        ("azure", {Feature.REASONING}),
        ("groq", {Feature.LOGPROBS, Feature.LOGIT_BIAS, Feature.MANY}),
        ("mistral", {Feature.LOGPROBS, Feature.LOGIT_BIAS, Feature.USER}),
        ("cerebras", {Feature.PENALTIES, Feature.LOGIT_BIAS}),
        ("gemini", {Feature.PENALTIES, Feature.SEED}),
        ("openrouter", set[Feature]()),
        ("hosted_vllm", set[Feature]()),
    ],
)
def test_a_provider_s_features_follow_from_what_it_refuses(
    provider: str, missing: set[Feature]
) -> None:
    assert set(Feature) - carried_by(provider) == missing


def test_accents_are_of_providers_that_are_spoken_to() -> None:
    for provider in ACCENTS:
        assert dialect(provider) is dialect("openai")

"""What goes over the wire, byte for byte, for each provider."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from understudy.server.domain.chat import ChatCall, Message
from understudy.server.domain.deployment import Deployment
from understudy.server.errors import RefusedError, RequestError
from understudy.server.providers import dialect
from understudy.server.providers.families import SPOKEN

from .samples import SCHEMA, call, deployment, everything

BODIES = Path(__file__).parent / "bodies"
MODELS = {
    "openai": "gpt-4",
    "azure": "chatgpt-v-2",
    "huggingface": "tgi",
    "together_ai": "meta-llama/Llama-2-70b-chat-hf",
    "baseten": "deepseek-ai/DeepSeek-V3",
    "openrouter": "meta-llama/llama-2-70b-chat",
    "litellm_proxy": "gpt-4",
    "custom_openai": "my-model",
    "ai21": "jamba-large",
    "ai21_chat": "jamba-large",
    "aiml": "gpt-4o",
    "cerebras": "llama-3.3-70b",
    "codestral": "codestral-latest",
    "cohere": "command-a-03-2025",
    "cohere_chat": "command-a-03-2025",
    "dashscope": "qwen-plus",
    "databricks": "databricks-meta-llama-3-3-70b-instruct",
    "deepinfra": "meta-llama/Meta-Llama-3.1-70B-Instruct",
    "deepseek": "deepseek-chat",
    "featherless_ai": "Qwen/Qwen2.5-72B-Instruct",
    "fireworks_ai": "accounts/fireworks/models/llama-v3p1-70b-instruct",
    "friendliai": "meta-llama-3.1-70b-instruct",
    "gemini": "gemini-2.5-flash",
    "github": "openai/gpt-4o",
    "groq": "llama-3.3-70b-versatile",
    "hosted_vllm": "meta-llama/Llama-3.1-8B-Instruct",
    "hyperbolic": "meta-llama/Meta-Llama-3.1-70B-Instruct",
    "inception": "mercury",
    "lambda_ai": "llama3.3-70b-instruct-fp8",
    "llamafile": "llamafile",
    "lm_studio": "qwen2.5-7b-instruct",
    "meta_llama": "Llama-4-Maverick-17B-128E-Instruct-FP8",
    "minimax": "MiniMax-M2",
    "mistral": "mistral-large-latest",
    "moonshot": "kimi-k2-turbo-preview",
    "morph": "morph-v3-large",
    "nebius": "meta-llama/Llama-3.3-70B-Instruct",
    "novita": "meta-llama/llama-3.3-70b-instruct",
    "nscale": "meta-llama/Llama-3.3-70B-Instruct",
    "nvidia_nim": "meta/llama-3.1-70b-instruct",
    "openai_like": "my-model",
    "ovhcloud": "Meta-Llama-3_3-70B-Instruct",
    "perplexity": "sonar",
    "sambanova": "Meta-Llama-3.3-70B-Instruct",
    "v0": "v0-1.5-md",
    "vercel_ai_gateway": "openai/gpt-4o",
    "volcengine": "doubao-1-5-pro-32k-250115",
    "wandb": "meta-llama/Llama-3.1-8B-Instruct",
    "xai": "grok-3",
    "xinference": "my-model",
    "zai": "glm-4.6",
}


def body_of(prompt: ChatCall, target: Deployment | None = None) -> dict[str, object]:
    target = target or deployment()
    body: dict[str, object] = json.loads(dialect(target.provider).encode(prompt, target).body)
    return body


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", MODELS)
def test_a_prompt_is_written_as_the_provider_expects_it(provider: str, stream: bool) -> None:
    target = deployment(provider, MODELS[provider])
    recorded = BODIES / f"{provider}.{'stream' if stream else 'whole'}.json"

    request = dialect(provider).encode(call(stream=stream), target)

    assert request.body == recorded.read_bytes().strip()
    assert request.endpoint is target.endpoint
    assert request.stream is stream
    assert request.warnings == ()


def test_every_provider_s_request_is_recorded() -> None:
    spoken = {one for one, family in SPOKEN.items() if family.dialect == "openai"}

    assert spoken == MODELS.keys()


def test_all_that_the_contract_has_reaches_the_wire() -> None:
    request = dialect("openai").encode(everything(), deployment())

    assert request.body == (BODIES / "openai.everything.json").read_bytes().strip()


@pytest.mark.parametrize("provider", MODELS)
def test_schemas_keep_their_bytes(provider: str) -> None:
    target = replace(deployment(provider), drop_params=True)
    request = dialect(provider).encode(everything(), target)

    assert request.body.count(SCHEMA) == 2


def test_the_caller_wins_over_the_operator() -> None:
    target = deployment(defaults={"temperature": 1, "top_k": 5, "seed": 1})

    body = body_of(call(params={"temperature": 0.2}, extra={"seed": b"2"}), target)

    assert (body["temperature"], body["top_k"], body["seed"]) == (0.2, 5, 2)


@pytest.mark.parametrize("mine", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("theirs", ["max_tokens", "max_completion_tokens"])
def test_a_caller_s_limit_replaces_the_operator_s_under_any_name(mine: str, theirs: str) -> None:
    body = body_of(call(params={theirs: 5}), deployment(defaults={mine: 500}))

    assert {name: body[name] for name in body if "tokens" in name} == {theirs: 5}


def test_extra_body_is_merged_and_the_caller_s_extra_over_it() -> None:
    target = deployment(defaults={"extra_body": {"top_k": 1, "provider": {"order": ["a", "b"]}}})

    body = body_of(call(extra={"top_k": b"2"}), target)

    assert body["top_k"] == 2
    assert body["provider"] == {"order": ["a", "b"]}
    assert "extra_body" not in body


@pytest.mark.parametrize("name", ["model", "messages", "stream", "stream_options"])
def test_nobody_can_replace_what_is_ours(name: str) -> None:
    plain = body_of(call())

    assert body_of(call(extra={name: b'"x"'})) == plain
    assert body_of(call(), deployment(defaults={name: "x"})) == plain
    assert body_of(call(), deployment(defaults={"extra_body": {name: "x"}})) == plain


def test_metadata_goes_nowhere() -> None:
    body = body_of(
        call(extra={"metadata": b'{"a":"b"}'}), deployment(defaults={"metadata": {"a": "b"}})
    )

    assert "metadata" not in body


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [
        ("openai", "o1-mini", "max_completion_tokens"),
        ("openai", "o3", "max_completion_tokens"),
        ("openai", "o4-mini", "max_completion_tokens"),
        ("openai", "gpt-5.1-chat", "max_completion_tokens"),
        ("azure", "prod-gpt5-mini", "max_completion_tokens"),
        ("openai", "gpt-4o1", "max_tokens"),
        ("openai", "gpt-4o-mini", "max_tokens"),
        ("openrouter", "openai/o3", "max_tokens"),
    ],
)
def test_reasoning_models_get_the_limit_under_the_name_they_know(
    provider: str, model: str, name: str
) -> None:
    body = body_of(call(params={"max_tokens": 9}), deployment(provider, model))

    assert {key: body[key] for key in body if "tokens" in key} == {name: 9}


def test_the_newer_limit_supersedes_the_older() -> None:
    both = call(params={"max_tokens": 9, "max_completion_tokens": 5})

    assert body_of(both, deployment("openai", "o3"))["max_completion_tokens"] == 5
    assert body_of(both, deployment("baseten"))["max_tokens"] == 5


def test_an_operator_may_turn_off_what_an_old_server_refuses() -> None:
    silent = deployment(defaults={"stream_options": None})
    other = deployment(defaults={"stream_options": {"include_usage": False}})

    assert "stream_options" not in body_of(call(stream=True), silent)
    assert body_of(call(stream=True), other)["stream_options"] == {"include_usage": False}
    assert "stream_options" not in body_of(call(), other)


def test_a_lone_surrogate_is_the_caller_s_to_mend() -> None:
    prompt = ChatCall((Message("user", "\ud800"),), {})

    with pytest.raises(RequestError, match="lone surrogate"):
        dialect("openai").encode(prompt, deployment())


@pytest.mark.parametrize("provider", ["groq", "mistral"])
def test_a_lone_surrogate_in_a_thought_is_no_other(provider: str) -> None:
    prompt = ChatCall((Message("assistant", "", reasoning_content="\ud800"),), {})

    with pytest.raises(RequestError, match="lone surrogate"):
        dialect(provider).encode(prompt, deployment(provider))


def test_a_deployment_without_an_endpoint_is_refused() -> None:
    unusable = Deployment(
        id="d", group="g", provider="openai", model="m", endpoint=None, unusable="OPENAI_API_KEY"
    )

    with pytest.raises(RefusedError, match="OPENAI_API_KEY"):
        dialect("openai").encode(call(), unusable)


def test_an_unknown_provider_has_no_dialect() -> None:
    with pytest.raises(KeyError):
        dialect("nobody")

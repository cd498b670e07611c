"""Providers with an interface of their own, and those that are data: URLs, headers, names."""

import pytest

from understudy.server.domain.deployment import Secret
from understudy.server.providers.catalog import dialect_of, resolve
from understudy.server.providers.families import BARE_NAMES, NOT_HERE, SPOKEN
from understudy.server.providers.targets import Wanted

from .resolving import KEY, endpoint, header


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("", "https://api.anthropic.com/v1/messages"),
        ("https://api.anthropic.com/", "https://api.anthropic.com/v1/messages"),
        ("https://h/v1", "https://h/v1/messages"),
        ("https://h/v1/", "https://h/v1/messages"),
        ("https://h/v1/messages", "https://h/v1/messages"),
        ("https://h/anthropic", "https://h/anthropic/v1/messages"),
    ],
)
def test_anthropic_takes_prompts_at_its_one_path(base: str, url: str) -> None:
    target = resolve(Wanted(model="anthropic/claude", api_base=base, api_key=KEY), {})

    assert endpoint(target).url == url
    assert (target.provider, target.model) == ("anthropic", "claude")
    assert header(target, "x-api-key") == "sk-1"
    assert header(target, "anthropic-version") == "2023-06-01"
    assert header(target, "authorization") is None
    assert header(target, "anthropic-beta") is None


def test_a_bare_claude_is_anthropics() -> None:
    target = resolve(Wanted(model="claude-3-opus"), {"ANTHROPIC_API_KEY": "k"})

    assert (target.provider, target.key_name) == ("anthropic", "ANTHROPIC_API_KEY")


@pytest.mark.parametrize(
    ("key", "environ", "beta"),
    [
        (Secret("sk-ant-oat01-x", "api_key"), {}, "oauth-2025-04-20"),
        (None, {"ANTHROPIC_API_KEY": "sk-ant-oat01-x"}, "oauth-2025-04-20"),
        (None, {"ANTHROPIC_AUTH_TOKEN": "sk-ant-oat01-x"}, "oauth-2025-04-20"),
        (None, {"ANTHROPIC_AUTH_TOKEN": "x"}, None),
    ],
)
def test_anthropics_tokens_are_bearers(
    key: Secret | None, environ: dict[str, str], beta: str | None
) -> None:
    target = resolve(Wanted(model="anthropic/claude", api_key=key), environ)

    assert (header(target, "authorization") or "").startswith("Bearer ")
    assert header(target, "anthropic-beta") == beta
    assert header(target, "x-api-key") is None


@pytest.mark.parametrize(
    ("key", "beta"), [("sk-ant-oat01-x", "oauth-2025-04-20,mine"), ("sk-ant-api-x", "mine")]
)
def test_the_operators_betas_leave_anthropics_token_its_own(key: str, beta: str) -> None:
    extra = {"Anthropic-Beta": "mine"}
    wanted = Wanted(model="anthropic/c", api_key=Secret(key, "api_key"), extra_headers=extra)

    assert header(resolve(wanted, {}), "anthropic-beta") == beta


@pytest.mark.parametrize("provider", ["ollama", "ollama_chat"])
@pytest.mark.parametrize(
    ("base", "stem"),
    [
        ("", "http://localhost:11434"),
        ("http://h:1/", "http://h:1"),
        (" http://h:1 ", "http://h:1"),
        ("http://h:1/api", "http://h:1"),
        ("http://h:1/api/chat", "http://h:1"),
        ("http://h:1/api/generate", "http://h:1"),
        ("http://h:1/v1", "http://h:1"),
        ("http://h:1/v1/chat/completions", "http://h:1"),
        ("http://h:1/gateway", "http://h:1/gateway"),
    ],
)
def test_ollama_is_asked_without_a_key(provider: str, base: str, stem: str) -> None:
    target = resolve(Wanted(model=f"{provider}/llama3:8b", api_base=base), {})

    call = "chat" if provider == "ollama_chat" else "generate"
    assert endpoint(target).url == f"{stem}/api/{call}"
    assert target.model == "llama3:8b"
    assert header(target, "authorization") is None


def test_a_key_for_ollama_goes_wherever_ollama_is() -> None:
    environ = {"OLLAMA_API_KEY": "k", "OLLAMA_API_BASE": "https://elsewhere"}

    for wanted in (Wanted(model="ollama/x"), Wanted(model="ollama/x", api_base="https://h")):
        assert header(resolve(wanted, environ), "authorization") == "Bearer k"


def test_petals_is_posted_a_form_at_the_address_as_written() -> None:
    url = "https://chat.petals.dev/api/v1/generate"
    target = resolve(Wanted(model="petals/org/m", api_base=url), {})

    assert endpoint(target).url == url
    assert target.model == "org/m"
    assert header(target, "content-type") == "application/x-www-form-urlencoded"
    assert header(target, "authorization") is None


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("huggingface/org/m", "org/m"),
        ("huggingface/novita/org/m", "org/m:novita"),
        ("huggingface/org/m:cheapest", "org/m:cheapest"),
    ],
)
def test_hugging_faces_router_is_told_the_inference_provider_after_the_model(
    model: str, name: str
) -> None:
    target = resolve(Wanted(model=model), {"HF_TOKEN": "k"})

    assert endpoint(target).url == "https://router.huggingface.co/v1/chat/completions"
    assert target.model == name
    assert header(target, "authorization") == "Bearer k"


def test_an_endpoint_of_hugging_face_is_asked_for_the_model_as_written() -> None:
    target = resolve(Wanted(model="huggingface/a/b/c", api_base="https://h"), {"HF_TOKEN": "k"})

    assert endpoint(target).url == "https://h/v1/chat/completions"
    assert target.model == "a/b/c"
    assert header(target, "authorization") == "Bearer k"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("llama-v3", "accounts/fireworks/models/llama-v3"),
        ("routers/x", "accounts/fireworks/routers/x"),
        ("accounts/me/models/x", "accounts/me/models/x"),
        ("x#accounts/me/deployments/y", "x#accounts/me/deployments/y"),
    ],
)
def test_fireworks_is_asked_for_a_model_by_its_whole_name(model: str, name: str) -> None:
    assert resolve(Wanted(model=f"fireworks_ai/{model}", api_key=KEY), {}).model == name


@pytest.mark.parametrize(
    ("model", "variable", "url"),
    [
        ("cohere/c", "CO_API_KEY", "https://api.cohere.ai/compatibility/v1"),
        ("command-r", "COHERE_API_KEY", "https://api.cohere.ai/compatibility/v1"),
        ("databricks/m", "DATABRICKS_API_KEY", "https://d/serving-endpoints"),
        ("featherless_ai/o/m", "FEATHERLESS_API_KEY", "https://api.featherless.ai/v1"),
        ("fireworks_ai/m", "FIREWORKS_AI_TOKEN", "https://api.fireworks.ai/inference/v1"),
        ("friendliai/m", "FRIENDLI_TOKEN", "https://api.friendli.ai/serverless/v1"),
        ("gemini/g", "GOOGLE_API_KEY", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ("github/openai/g", "GITHUB_API_KEY", "https://models.github.ai/inference"),
        ("meta_llama/m", "LLAMA_API_KEY", "https://api.llama.com/compat/v1"),
        ("vercel_ai_gateway/o/m", "VERCEL_OIDC_TOKEN", "https://ai-gateway.vercel.sh/v1"),
        ("zai/glm", "ZAI_API_KEY", "https://api.z.ai/api/paas/v4"),
    ],
)
def test_the_compatible_rest_is_data(model: str, variable: str, url: str) -> None:
    environ = {variable: "k", "DATABRICKS_API_BASE": "https://d/serving-endpoints"}
    target = resolve(Wanted(model=model), environ)

    assert endpoint(target).url == f"{url}/chat/completions"
    assert header(target, "authorization") == "Bearer k"
    assert dialect_of(target.provider) == "openai"


def test_a_variable_for_another_interface_of_a_provider_is_not_taken_for_ours() -> None:
    environ = {"COHERE_API_BASE": "https://api.cohere.com/v2/chat", "COHERE_API_KEY": "k"}

    target = resolve(Wanted(model="cohere/c"), environ)

    assert endpoint(target).url == "https://api.cohere.ai/compatibility/v1/chat/completions"


def test_every_address_of_ours_is_encrypted_and_every_key_has_a_name() -> None:
    for name, family in SPOKEN.items():
        assert family.base.startswith(("https://", "http://localhost:")) or not family.base, name
        assert family.keys or family.keyless or not family.base, name


def test_bare_names_lead_to_providers_that_are_known() -> None:
    assert {provider for _, provider in BARE_NAMES} <= SPOKEN.keys() | NOT_HERE

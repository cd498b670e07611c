"""Where prompts go and whose key goes with them, for each provider and each way to write a base."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.deployment import Secret
from understudy.server.providers.catalog import dialect_of, resolve
from understudy.server.providers.families import NOT_HERE, SPOKEN, DialectName
from understudy.server.providers.headers import UnsendableError
from understudy.server.providers.targets import Wanted

from .resolving import KEY, endpoint, header


@pytest.mark.parametrize(
    ("model", "base", "provider", "name", "url"),
    [
        ("gpt-4", "", "openai", "gpt-4", "https://api.openai.com/v1/chat/completions"),
        ("openai/gpt-4", "", "openai", "gpt-4", "https://api.openai.com/v1/chat/completions"),
        ("ft:gpt-4o:org::id", "", "openai", "ft:gpt-4o:org::id", "https://api.openai.com/v1/chat"),
        ("o3-mini", "", "openai", "o3-mini", "https://api.openai.com/v1/chat/completions"),
        ("openai/x", "http://h:8000", "openai", "x", "http://h:8000/chat/completions"),
        ("openai/x", "http://h/v1/", "openai", "x", "http://h/v1/chat/completions"),
        ("openai/x", "http://h/v1/chat/completions", "openai", "x", "http://h/v1/chat/completions"),
        ("openai/x", "http://h/v1?a=b", "openai", "x", "http://h/v1/chat/completions?a=b"),
        ("openai/org/x", "http://h/v1", "openai", "org/x", "http://h/v1/chat/completions"),
        ("huggingface/tgi", "https://h", "huggingface", "tgi", "https://h/v1/chat/completions"),
        ("huggingface/x", "https://h/x", "huggingface", "x", "https://h/x/v1/chat/completions"),
        ("huggingface/x", "https://h/v1", "huggingface", "x", "https://h/v1/chat/completions"),
        ("huggingface/https://h", "", "huggingface", "tgi", "https://h/v1/chat/completions"),
        ("huggingface/https://h/v1/", "", "huggingface", "tgi", "https://h/v1/chat/completions"),
        (
            "huggingface/https://h/a/chat/completions",
            "",
            "huggingface",
            "tgi",
            "https://h/a/chat/completions",
        ),
        (
            "together_ai/m/x",
            "",
            "together_ai",
            "m/x",
            "https://api.together.ai/v1/chat/completions",
        ),
        ("baseten/x", "", "baseten", "x", "https://inference.baseten.co/v1/chat/completions"),
        (
            "baseten/abCD1234",
            "",
            "baseten",
            "abCD1234",
            "https://model-abCD1234.api.baseten.co/environments/production/sync/v1/chat/completions",
        ),
        (
            "openrouter/v/m",
            "",
            "openrouter",
            "v/m",
            "https://openrouter.ai/api/v1/chat/completions",
        ),
        (
            "litellm_proxy/x",
            "http://p:4000",
            "litellm_proxy",
            "x",
            "http://p:4000/chat/completions",
        ),
        ("hosted_vllm/x", "http://h/v1", "hosted_vllm", "x", "http://h/v1/chat/completions"),
        ("custom_openai/x", "http://h/v1", "custom_openai", "x", "http://h/v1/chat/completions"),
        ("groq/x", "", "groq", "x", "https://api.groq.com/openai/v1/chat/completions"),
    ],
)
def test_each_way_to_name_a_model_leads_to_its_url(
    model: str, base: str, provider: str, name: str, url: str
) -> None:
    target = resolve(Wanted(model=model, api_base=base, api_key=KEY), {})

    assert (target.provider, target.model) == (provider, name)
    assert endpoint(target).url.startswith(url)
    assert header(target, "authorization") == "Bearer sk-1"
    assert dialect_of(target.provider) == "openai"


@pytest.mark.parametrize(
    ("model", "environ", "name"),
    [
        ("gpt-4", {"OPENAI_API_KEY": "k"}, "OPENAI_API_KEY"),
        ("huggingface/https://h", {"HUGGINGFACE_API_KEY": "k"}, "HUGGINGFACE_API_KEY"),
        ("huggingface/https://h", {"HUGGINGFACE_API_KEY": "k", "HF_TOKEN": "k"}, "HF_TOKEN"),
        ("huggingface/https://h", {}, ""),
        ("together_ai/x", {"TOGETHERAI_API_KEY": "k"}, "TOGETHERAI_API_KEY"),
        ("baseten/abcdefgh", {"BASETEN_API_KEY": "k"}, "BASETEN_API_KEY"),
        ("openrouter/x/y", {"OR_API_KEY": "k"}, "OR_API_KEY"),
        (
            "litellm_proxy/x",
            {"LITELLM_PROXY_API_KEY": "k", "LITELLM_PROXY_API_BASE": "http://p"},
            "LITELLM_PROXY_API_KEY",
        ),
        ("litellm_proxy/x", {"LITELLM_PROXY_API_BASE": "http://p"}, ""),
        ("gpt-4", {"OPENAI_BASE_URL": "http://p/v1", "OPENAI_API_KEY": "k"}, "OPENAI_API_KEY"),
        ("gpt-4", {"OPENAI_API_BASE": "http://p/v1"}, ""),
    ],
)
def test_keys_and_bases_come_from_the_environment(
    model: str, environ: dict[str, str], name: str
) -> None:
    target = resolve(Wanted(model=model), environ)

    assert target.key_name == name
    assert header(target, "authorization") == ("Bearer k" if name else None)


def test_a_base_of_hugging_face_from_the_environment_is_taken_as_it_is() -> None:
    target = resolve(Wanted(model="huggingface/x"), {"HF_API_BASE": "https://h/generate"})

    assert endpoint(target).url == "https://h/generate"


def test_a_key_of_the_environment_does_not_go_to_a_host_that_a_deployment_names() -> None:
    environ = {"OPENAI_API_KEY": "sk-canary"}
    target = resolve(Wanted(model="openai/x", api_base="http://elsewhere/v1"), environ)

    assert "canary" not in str(endpoint(target).headers)
    assert "write api_key: os.environ/OPENAI_API_KEY" in target.note


def test_it_does_go_to_the_providers_own_host_however_written() -> None:
    wanted = Wanted(model="openai/x", api_base="https://API.openai.com:443/v1/")

    assert resolve(wanted, {"OPENAI_API_KEY": "k"}).key_name == "OPENAI_API_KEY"


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted(model="together_ai/x"), "no key: set TOGETHER_API_KEY or api_key"),
        (Wanted(model="gpt-4"), "no key: set OPENAI_API_KEY or api_key"),
        (Wanted(model="azure/x", api_base="https://h"), "no key: set AZURE_API_KEY, api_key, "),
        (Wanted(model="azure/x", api_key=KEY), "no base: set AZURE_API_BASE or api_base"),
        (Wanted(model="custom_openai/x"), "no base: set api_base"),
        (Wanted(model="gpt-4", unset={"api_key": "MY"}), "no key: MY is not set"),
        (Wanted(model="gpt-4", api_key=KEY, unset={"api_base": "B"}), "no base: B is not set"),
        (
            Wanted(model="azure/x", api_base="https://h", unset={"azure_ad_token": "T"}),
            "no token: T is not set",
        ),
        (Wanted(model="anthropic/x"), "no key: set ANTHROPIC_API_KEY or api_key"),
        (Wanted(model="claude-3-opus"), "no key: set ANTHROPIC_API_KEY or api_key"),
        (
            Wanted(model="sagemaker/x"),
            "provider 'sagemaker' is not spoken here; keep it behind lite",
        ),
        (
            Wanted(model="watsonx/x"),
            "provider 'watsonx' is not spoken here; keep it behind litellm",
        ),
        (Wanted(model="gemini-pro"), "provider 'vertex_ai' is not spoken here; keep it behind"),
        (Wanted(model="databricks/x", api_key=KEY), "no base: set DATABRICKS_API_BASE or api_base"),
        (Wanted(model="petals/x"), "no base: set api_base, for example https://"),
        (Wanted(model="ollama/x", api_base="localhost:11434"), "api_base is not an http:// or"),
        (
            Wanted(model="bedrock/x"),
            "provider 'bedrock' is not spoken here; keep it behind litellm",
        ),
        (Wanted(model="x", provider="vertex_ai"), "provider 'vertex_ai' is not spoken here"),
        (Wanted(model="opnai/x"), "no provider is named 'opnai'; did you mean 'openai'?"),
        (Wanted(model="llama-2"), "'llama-2' does not say whose model it is"),
        (Wanted(model="openai/*", api_key=KEY), "wildcards are not served"),
        (
            Wanted(model="text-embedding-3-small", api_key=KEY),
            "'text-embedding-3-small' does not chat",
        ),
        (Wanted(model="huggingface/org/x"), "no key: set HF_TOKEN or api_key"),
        (Wanted(model="huggingface/tgi"), "no base: name your endpoint as huggingface/https://"),
        (Wanted(model="openai/x", api_base="localhost:80"), "api_base is not an http:// or https"),
        (Wanted(model="openai/x", api_base="file:///etc/passwd"), "api_base is not an http://"),
        (Wanted(model="openai/x", api_base="http://u:p@h"), "api_base holds a user name or"),
        (Wanted(model="openai/x", api_base="http://h:99999"), "api_base is not a URL"),
        (Wanted(model="openai/x", api_base="http://[::1"), "api_base is not a URL"),
        (Wanted(model="openai/x", api_base="http://h/#a"), "api_base holds a fragment"),
        (Wanted(model="openai/x", api_base="http://h /"), "api_base holds a space"),
        (
            Wanted(model="gpt-4", api_key=Secret("oidc/google", "api_key")),
            "oidc/ references are not",
        ),
    ],
)
def test_what_cannot_be_asked_says_why(wanted: Wanted, reason: str) -> None:
    target = resolve(wanted, {})

    assert target.unusable.startswith(reason)
    assert target.endpoint is None


def test_a_simulated_model_has_a_name_and_no_key() -> None:
    target = resolve(Wanted(model="simulated/gpt-4", api_key=KEY), {})

    assert endpoint(target).url == "simulated://gpt-4"
    assert header(target, "authorization") is None
    assert dialect_of(target.provider) == "simulated"


def test_every_request_says_who_asks_and_wants_no_compression() -> None:
    target = resolve(Wanted(model="gpt-4", api_key=KEY, organization="org-1"), {})

    assert header(target, "content-type") == "application/json"
    assert header(target, "accept-encoding") == "identity"
    assert header(target, "openai-organization") == "org-1"
    assert (header(target, "user-agent") or "").startswith("understudy/")


def test_openrouter_is_told_of_the_site_only_if_the_operator_names_it() -> None:
    environ = {"OPENROUTER_API_KEY": "k", "OR_SITE_URL": "https://me", "OR_APP_NAME": "mine"}

    target = resolve(Wanted(model="openrouter/x"), environ)
    assert (header(target, "http-referer"), header(target, "x-title")) == ("https://me", "mine")
    bare = resolve(Wanted(model="openrouter/x"), {"OPENROUTER_API_KEY": "k"})
    assert header(bare, "http-referer") is None


def test_the_operators_headers_are_added_and_count() -> None:
    extra = {"X-Team": "a", "Authorization": "Token t"}
    target = resolve(Wanted(model="gpt-4", api_key=KEY, extra_headers=extra), {})

    assert header(target, "x-team") == "a"
    assert header(target, "authorization") == "Token t"


@pytest.mark.parametrize("name", ["Host", "content-length", "Accept-Encoding", "a b", "", "a:"])
def test_headers_of_the_transport_are_not_the_operators_to_set(name: str) -> None:
    with pytest.raises(UnsendableError, match="extra_headers"):
        resolve(Wanted(model="gpt-4", api_key=KEY, extra_headers={name: "x"}), {})


@given(st.text(min_size=1))
def test_no_key_can_write_a_header_of_its_own(key: str) -> None:
    try:
        target = resolve(Wanted(model="gpt-4", api_key=Secret(key, "api_key")), {})
    except UnsendableError as error:
        assert len(key) < 4 or key not in error.message  # noqa: PT017
        return

    if target.endpoint is not None:
        assert all(value.isascii() and value.isprintable() for _, value in target.endpoint.headers)


@given(
    st.sampled_from([*SPOKEN, *NOT_HERE, "nobody"]),
    st.text(),
    st.text() | st.sampled_from(["http://h", "https://h/v1", "http://[", "//h", "http://h:x"]),
)
def test_whatever_the_model_and_base_there_is_an_endpoint_or_a_reason(
    provider: str, model: str, base: str
) -> None:
    target = resolve(Wanted(model=f"{provider}/{model}", api_base=base, api_key=KEY), {})

    assert (target.endpoint is None) == bool(target.unusable)
    assert "sk-1" not in repr(target)


def test_every_spoken_provider_has_a_dialect_and_no_other() -> None:
    assert {dialect_of(provider) for provider in SPOKEN} == set(get_args(DialectName))
    assert not SPOKEN.keys() & NOT_HERE

"""Where Azure takes prompts, and which of its credentials goes with them."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.deployment import ClientCredentials, Secret
from understudy.server.providers.catalog import resolve
from understudy.server.providers.jwt import read_expiry
from understudy.server.providers.redaction import redact
from understudy.server.providers.targets import AzureLogin, Wanted

from .reading import deployment, deployment_report, read
from .resolving import KEY, endpoint, header

LOGIN = {
    "AZURE_TENANT_ID": "tenant",
    "AZURE_CLIENT_ID": "client",
    "AZURE_CLIENT_SECRET": "sec~ret",
}


@pytest.mark.parametrize(
    ("base", "version", "url"),
    [
        (
            "https://x",
            "",
            "/openai/deployments/dep/chat/completions?api-version=2025-02-01-preview",
        ),
        (
            "https://x/",
            "2024-02-01",
            "/openai/deployments/dep/chat/completions?api-version=2024-02-01",
        ),
        ("https://x/openai", "V", "/openai/deployments/dep/chat/completions?api-version=V"),
        ("https://x/openai/", "V", "/openai/deployments/dep/chat/completions?api-version=V"),
        ("https://x/gw", "V", "/gw/openai/deployments/dep/chat/completions?api-version=V"),
        ("https://x?api-version=U", "", "/openai/deployments/dep/chat/completions?api-version=U"),
        ("https://x?api-version=U", "V", "/openai/deployments/dep/chat/completions?api-version=V"),
        (
            "https://x/openai/deployments/other/chat/completions?api-version=U",
            "",
            "/openai/deployments/other/chat/completions?api-version=U",
        ),
        (
            "https://x/openai/deployments/other",
            "V",
            "/openai/deployments/other/chat/completions?api-version=V",
        ),
        ("https://x/own/chat/completions", "V", "/own/chat/completions"),
    ],
)
def test_azure_takes_its_key_at_the_deployments_route(base: str, version: str, url: str) -> None:
    wanted = Wanted(model="azure/dep", api_base=base, api_key=KEY, api_version=version)
    target = resolve(wanted, {})

    assert endpoint(target).url == "https://x" + url
    assert header(target, "api-key") == "sk-1"
    assert header(target, "authorization") is None


@pytest.mark.parametrize(
    ("base", "version"),
    [
        ("https://x", "v1"),
        ("https://x/", "preview"),
        ("https://x/openai", "v1"),
        ("https://x/openai/v1", ""),
        ("https://x/openai/v1/", "2024-02-01"),
        ("https://x/openai/v1/chat/completions", ""),
    ],
)
def test_azure_takes_a_bearer_at_the_v1_route(base: str, version: str) -> None:
    wanted = Wanted(model="azure/dep", api_base=base, api_key=KEY, api_version=version)
    target = resolve(wanted, {})

    assert endpoint(target).url == "https://x/openai/v1/chat/completions"
    assert header(target, "authorization") == "Bearer sk-1"
    assert header(target, "api-key") is None


def test_azure_reads_version_base_and_key_from_the_environment() -> None:
    environ = {"AZURE_API_BASE": "https://x", "AZURE_API_VERSION": "v1", "AZURE_API_KEY": "a"}
    target = resolve(Wanted(model="azure/dep"), environ)

    assert endpoint(target).url == "https://x/openai/v1/chat/completions"
    assert target.key_name == "AZURE_API_KEY"


@pytest.mark.parametrize(
    ("key", "token", "environ", "name"),
    [
        (None, "t", {"AZURE_API_KEY": "k"}, "azure_ad_token"),
        ("k", "t", {}, "api_key"),
        (None, None, {"AZURE_AD_TOKEN": "t", "AZURE_API_KEY": "k"}, "AZURE_API_KEY"),
        (None, None, {"AZURE_AD_TOKEN": "t"}, "AZURE_AD_TOKEN"),
    ],
)
def test_azure_prefers_the_file_to_the_environment_and_keys_to_tokens(
    key: str | None, token: str | None, environ: dict[str, str], name: str
) -> None:
    wanted = Wanted(
        model="azure/dep",
        api_base="https://x",
        api_key=Secret(key, "api_key") if key else None,
        azure_ad_token=Secret(token, "azure_ad_token") if token else None,
    )

    target = resolve(wanted, environ)
    assert target.key_name == name
    expected = "authorization" if name.lower().endswith("token") else "api-key"
    assert header(target, expected) is not None


def test_a_deployment_name_is_quoted_in_the_path() -> None:
    target = resolve(Wanted(model="azure/a b/..", api_base="https://x", api_key=KEY), {})

    assert "/deployments/a%20b%2F../chat/" in endpoint(target).url


@pytest.mark.parametrize(
    ("model", "hinted"),
    [("azure/dep", False), ("azure/o_series/dep", True), ("azure/gpt5_series/dep", True)],
)
def test_a_hint_of_a_reasoning_model_is_kept_and_is_no_part_of_the_name(
    model: str, hinted: bool
) -> None:
    one = deployment(f"model: {model}, api_base: https://x, api_key: k")

    assert (one.model, one.is_reasoning) == ("dep", hinted)
    assert one.endpoint is not None
    assert "/deployments/dep/" in one.endpoint.url


def login(**environ: str) -> ClientCredentials:
    target = resolve(Wanted(model="azure/dep", api_base="https://x"), environ)
    found = endpoint(target).login
    assert found is not None
    assert target.key_name == "AZURE_CLIENT_SECRET"
    assert header(target, "authorization") is None
    assert header(target, "api-key") is None
    return found


def test_azure_signs_in_with_what_the_environment_says() -> None:
    found = login(**LOGIN)

    assert found.url == "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"
    assert found.client_id == "client"
    assert found.client_secret.value == "sec~ret"
    assert found.scope == "https://cognitiveservices.azure.com/.default"


def test_the_host_of_a_login_is_among_those_that_will_be_contacted() -> None:
    params = "{model: azure/d, api_base: https://x}"
    config = read(f"model_list: [{{model_name: g, litellm_params: {params}}}]", **LOGIN)

    assert config.report.hosts == ("login.microsoftonline.com", "x")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://login.microsoftonline.us/", "https://login.microsoftonline.us/tenant/"),
        ("login.partner.microsoftonline.cn", "https://login.partner.microsoftonline.cn/tenant/"),
    ],
)
def test_azure_signs_in_where_and_for_what_the_environment_says(written: str, url: str) -> None:
    found = login(**LOGIN, AZURE_AUTHORITY_HOST=written, AZURE_SCOPE="api://mine/.default")

    assert found.url.startswith(url)
    assert found.scope == "api://mine/.default"


def test_a_file_may_say_the_login_whole_or_in_part() -> None:
    one = deployment(
        "model: azure/dep, api_base: https://x, tenant_id: a/b, client_id: os.environ/MY_ID, "
        "azure_scope: mine",
        MY_ID="me",
        AZURE_CLIENT_SECRET="s",
    )

    assert one.endpoint is not None
    assert one.endpoint.login is not None
    assert one.endpoint.login.url.endswith(".com/a%2Fb/oauth2/v2.0/token")
    assert (one.endpoint.login.client_id, one.endpoint.login.scope) == ("me", "mine")


@pytest.mark.parametrize(
    ("params", "environ", "name"),
    [
        ("api_key: k, tenant_id: t, client_id: c, client_secret: s", {}, "api_key"),
        ("azure_ad_token: a, tenant_id: t, client_id: c, client_secret: s", {}, "azure_ad_token"),
        ("tenant_id: t, client_id: c, client_secret: s", {"AZURE_API_KEY": "k"}, "client_secret"),
        ("", {**LOGIN, "AZURE_API_KEY": "k"}, "AZURE_API_KEY"),
        ("", {**LOGIN, "AZURE_AD_TOKEN": "k"}, "AZURE_AD_TOKEN"),
        ("", LOGIN, "AZURE_CLIENT_SECRET"),
    ],
)
def test_what_the_file_says_counts_and_then_keys_tokens_logins(
    params: str, environ: dict[str, str], name: str
) -> None:
    found = deployment_report(f"model: azure/dep, api_base: https://x, {params}", **environ)

    assert (found.unusable, found.key) == ("", name)


@pytest.mark.parametrize(
    ("params", "environ", "reason"),
    [
        ("tenant_id: t", {}, "no login: set client_id or AZURE_CLIENT_ID"),
        ("tenant_id: t, client_id: c", {}, "no login: set client_secret or AZURE_CLIENT_SECRET"),
        (
            "tenant_id: t, client_id: c, client_secret: os.environ/S",
            {},
            "no login: S is not set",
        ),
        ("client_secret: os.environ/S", LOGIN | {"AZURE_CLIENT_SECRET": ""}, "no login: S is not"),
        (
            "tenant_id: t, client_id: c, client_secret: s",
            {"AZURE_AUTHORITY_HOST": "http://x"},
            "AZURE_AUTHORITY_HOST is not encrypted",
        ),
        (
            "tenant_id: t, client_id: c, client_secret: s",
            {"AZURE_AUTHORITY_HOST": "https://u:p@x"},
            "AZURE_AUTHORITY_HOST holds a user name",
        ),
    ],
)
def test_half_a_login_is_none(params: str, environ: dict[str, str], reason: str) -> None:
    found = deployment_report(f"model: azure/dep, api_base: https://x, {params}", **environ)

    assert found.unusable.startswith(reason)


def test_the_secret_of_a_login_is_nowhere_to_be_seen() -> None:
    wanted = Wanted(
        model="azure/dep",
        api_base="https://x",
        azure_login=AzureLogin(
            tenant_id=Secret("t"), client_id=Secret("c"), client_secret=Secret("canary/se+cret")
        ),
    )
    target = resolve(wanted, {})

    assert "canary" not in repr(wanted) + repr(target) + repr(endpoint(target).login)
    assert "canary" not in redact(
        "they said canary/se+cret and canary%2Fse%2Bcret", endpoint(target)
    )


def token(claims: object) -> str:
    """Return an unsigned web token."""
    parts = (json.dumps(one).encode() for one in ({"alg": "none"}, claims))
    return ".".join([*(urlsafe_b64encode(one).decode().rstrip("=") for one in parts), "sig"])


def test_a_pasted_token_is_reported_with_its_end() -> None:
    found = deployment_report(
        f"model: azure/dep, api_base: https://x, azure_ad_token: {token({'exp': 1700000000})}"
    )

    assert found.expires == 1700000000
    assert found.note.startswith("azure_ad_token is not renewed; set tenant_id, client_id")


def test_an_opaque_token_is_reported_without() -> None:
    found = deployment_report("model: azure/dep, api_base: https://x", AZURE_AD_TOKEN="opaque")

    assert found.expires is None
    assert found.note.startswith("AZURE_AD_TOKEN is not renewed")


@pytest.mark.parametrize("claims", [{}, [], {"exp": "soon"}, {"exp": None}, 7])
def test_a_token_that_does_not_say_when_it_ends(claims: object) -> None:
    assert read_expiry(token(claims)) is None


@given(st.text() | st.from_regex(r"[a-zA-Z0-9_-]*\.[a-zA-Z0-9_-]*\.[a-zA-Z0-9_-]*"))
def test_whatever_was_pasted_reading_its_end_does_not_fail(text: str) -> None:
    assert isinstance(read_expiry(text), float | None)

"""Where Azure takes prompts, and which of its credentials goes with them. Pure.

A key, a pasted token, or a login that yields tokens: what the file says counts before the
environment. Asking for a token is `upstream`'s work.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from understudy.server.domain.deployment import ClientCredentials, Endpoint, Secret
from understudy.server.providers.addresses import azure_url, base_fault
from understudy.server.providers.bases import Base
from understudy.server.providers.families import Family
from understudy.server.providers.headers import build_headers
from understudy.server.providers.jwt import read_expiry
from understudy.server.providers.keys import check_resolved, find_key, from_environment
from understudy.server.providers.naming import UnusableError
from understudy.server.providers.targets import AzureLogin, Target, Wanted

# LiteLLM's hints that a deployment, whose name says nothing, is of a reasoning model.
_REASONING = ("o_series/", "gpt5_series/")


_AUTHORITY = "https://login.microsoftonline.com"
_SCOPE = "https://cognitiveservices.azure.com/.default"
_VARIABLES = {
    "tenant_id": "AZURE_TENANT_ID",
    "client_id": "AZURE_CLIENT_ID",
    "client_secret": "AZURE_CLIENT_SECRET",
}


@dataclass(frozen=True, slots=True)
class _Credential:
    """One of the three, and the name it goes by."""

    name: str
    key: Secret | None = None
    token: Secret | None = None
    login: ClientCredentials | None = None


def find_azure(
    family: Family, model: str, base: Base, wanted: Wanted, environ: Mapping[str, str]
) -> Target:
    """Return where a deployment of Azure's is. Raises UnusableError, UnsendableError."""
    name = next((model.removeprefix(hint) for hint in _REASONING if model.startswith(hint)), model)
    fallback = environ.get("AZURE_API_VERSION", "")
    url, v1 = azure_url(base.url, name, wanted.api_version, fallback)
    credential = _find_credential(family, base, wanted, environ)
    endpoint = Endpoint(
        url,
        build_headers(_headers(credential, v1=v1), wanted.extra_headers),
        login=credential.login,
        trust=wanted.trust,
    )
    token = credential.token
    return Target(
        provider="azure",
        model=name,
        endpoint=endpoint,
        is_reasoning=name != model,
        key_name=credential.name,
        note=f"{token.name} is not renewed; {_ADVICE}" if token else "",
        expires=read_expiry(token.value) if token else None,
    )


_ADVICE = "set tenant_id, client_id and client_secret for tokens that are"


def _headers(credential: _Credential, *, v1: bool) -> list[tuple[str, str, str]]:
    secret = credential.key or credential.token
    if secret is None:
        return []
    if credential.key is not None and not v1:
        return [("api-key", secret.value, secret.name)]
    return [("authorization", f"Bearer {secret.value}", secret.name)]


def _find_credential(
    family: Family, base: Base, wanted: Wanted, environ: Mapping[str, str]
) -> _Credential:
    """Return what the file says, else what the environment does: a key, a token, a login."""
    if wanted.api_key is None:
        if (token := wanted.azure_ad_token) is not None:
            check_resolved(token)
            return _Credential(token.name, token=token)
        if wanted.azure_login != AzureLogin() or not wanted.unset.keys().isdisjoint(_VARIABLES):
            return _sign_in(wanted, environ)
    key, _ = find_key(family, base, replace(wanted, unset={}), environ)
    if key is not None:
        return _Credential(key.name, key=key)
    if variable := wanted.unset.get("api_key"):
        raise UnusableError(f"no key: {variable} is not set")
    if (token := from_environment(("AZURE_AD_TOKEN",), environ)) is not None:
        return _Credential(token.name, token=token)
    if variable := wanted.unset.get("azure_ad_token"):
        raise UnusableError(f"no token: {variable} is not set")
    if all(environ.get(variable) for variable in _VARIABLES.values()):
        return _sign_in(wanted, environ)
    raise UnusableError("no key: set AZURE_API_KEY, api_key, azure_ad_token or client_secret")


def _sign_in(wanted: Wanted, environ: Mapping[str, str]) -> _Credential:
    """Return the login, each part of it from the file or else from the environment."""
    written = wanted.azure_login

    def part(parameter: str, given: Secret | None) -> Secret:
        found = given or from_environment((_VARIABLES[parameter],), environ)
        if found is not None:
            return found
        lost = wanted.unset.get(parameter)
        told = f"{lost} is not set" if lost else f"set {parameter} or {_VARIABLES[parameter]}"
        raise UnusableError(f"no login: {told}")

    tenant = part("tenant_id", written.tenant_id)
    client = part("client_id", written.client_id)
    secret = part("client_secret", written.client_secret)
    login = ClientCredentials(
        url=f"{_find_authority(environ)}/{quote(tenant.value, safe='')}/oauth2/v2.0/token",
        client_id=client.value,
        client_secret=secret,
        scope=written.scope or environ.get("AZURE_SCOPE") or _SCOPE,
    )
    return _Credential(secret.name, login=login)


def _find_authority(environ: Mapping[str, str]) -> str:
    written = environ.get("AZURE_AUTHORITY_HOST", "").strip() or _AUTHORITY
    # Microsoft's own libraries take a bare host too.
    url = (written if "://" in written else f"https://{written}").rstrip("/")
    if fault := base_fault(url):
        raise UnusableError(f"AZURE_AUTHORITY_HOST {fault}")
    if not url.startswith("https://"):
        raise UnusableError("AZURE_AUTHORITY_HOST is not encrypted; write https://")
    return url

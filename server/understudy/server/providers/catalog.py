"""Turns one deployment's parameters and the environment into an endpoint, or says why not. Pure.

The providers themselves are data in `families`; writing and reading their language is the
dialects' work. A key is bound to the deployment that names it. One from the environment goes to
its provider's own servers, or to where the environment or a provider without servers of its own
says, and never to a host that a deployment merely names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from re import fullmatch
from urllib.parse import urlsplit

from understudy.server.domain.deployment import Endpoint, Secret
from understudy.server.providers.addresses import (
    azure_url,
    base_fault,
    huggingface_url,
    openai_url,
    simulated_url,
)
from understudy.server.providers.families import SPOKEN, DialectName, Family
from understudy.server.providers.headers import build_headers
from understudy.server.providers.naming import UnusableError, check_spoken, split_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a deployment says of where its prompts go. Empty and `None` mean unsaid.

    `unset` names, by parameter, the environment variables that are meant and not there.
    """

    model: str
    provider: str = ""  # custom_llm_provider
    api_base: str = field(default="", repr=False)
    api_key: Secret | None = None
    api_version: str = ""
    azure_ad_token: Secret | None = None
    organization: str = ""
    extra_headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    unset: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a deployment's prompts go. `endpoint` is `None` exactly if `unusable` says why."""

    provider: str
    model: str
    endpoint: Endpoint | None = None
    unusable: str = ""
    key_name: str = ""  # the variable or the place in the file, empty if no key is sent
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Base:
    url: str
    own: bool  # the provider's own server, which wants a key
    lent: bool  # the key from the environment may go there
    verbatim: bool = False


def dialect_of(provider: str) -> DialectName:
    """Return which dialect a provider speaks. Raises KeyError for one that we do not speak to."""
    return SPOKEN[provider].dialect


def resolve(wanted: Wanted, environ: Mapping[str, str]) -> Target:
    """Return where a deployment's prompts go, or why nowhere.

    Raises UnsendableError for a key or another header that HTTP cannot carry.
    """
    provider, model = "", wanted.model
    try:
        provider, model = split_name(wanted.model, wanted.provider)
        check_spoken(provider, model)
        if provider == "simulated":
            endpoint = Endpoint(simulated_url(model), (("content-type", "application/json"),))
            return Target(provider=provider, model=model, endpoint=endpoint)
        if provider == "huggingface" and model.startswith(("https://", "http://")):
            wanted = replace(wanted, api_base=wanted.api_base or model)
            model = "tgi"  # what Hugging Face's servers call whatever they serve
        family = SPOKEN[provider]
        base = _find_base(family, provider, model, wanted, environ)
        if provider == "azure":
            return _azure(family, model, base, wanted, environ)
        return _bearer(family, provider, model, base, wanted, environ)
    except UnusableError as error:
        return Target(provider=provider, model=model, unusable=str(error))


def _find_base(
    family: Family, provider: str, model: str, wanted: Wanted, environ: Mapping[str, str]
) -> _Base:
    if wanted.api_base:
        _check_base("api_base", wanted.api_base)
        own = bool(family.base) and _origin(wanted.api_base) == _origin(family.base)
        return _Base(wanted.api_base, own, lent=own or not family.base)
    for name in family.bases:
        if url := environ.get(name):
            _check_base(name, url)
            own = bool(family.base) and _origin(url) == _origin(family.base)
            return _Base(url, own, lent=True, verbatim=provider == "huggingface")
    if variable := wanted.unset.get("api_base"):
        # Falling back to the provider's own server would show it prompts meant for another.
        raise UnusableError(f"no base: {variable} is not set")
    if provider == "baseten" and fullmatch("[A-Za-z0-9]{8}", model):
        dedicated = f"https://model-{model}.api.baseten.co/environments/production/sync/v1"
        return _Base(dedicated, own=True, lent=True)
    if family.base:
        return _Base(family.base, own=True, lent=True)
    if provider == "huggingface":
        raise UnusableError(
            "the serverless router of Hugging Face is not spoken yet; "
            "name your endpoint as huggingface/https://HOST or in api_base"
        )
    raise UnusableError("no base: set " + " or ".join([*family.bases[:1], "api_base"]))


def _bearer(
    family: Family,
    provider: str,
    model: str,
    base: _Base,
    wanted: Wanted,
    environ: Mapping[str, str],
) -> Target:
    key, note = _find_key(family, base, wanted, environ)
    if key is None and base.own:
        raise UnusableError(f"no key: set {family.keys[0]} or api_key")
    headers = [] if key is None else [("authorization", f"Bearer {key.value}", key.name)]
    headers += _labels(provider, base, wanted, environ)
    if base.verbatim:
        url = base.url
    else:
        url = huggingface_url(base.url) if provider == "huggingface" else openai_url(base.url)
    return Target(
        provider=provider,
        model=model,
        endpoint=Endpoint(url, build_headers(headers, wanted.extra_headers)),
        key_name=key.name if key else "",
        note=note,
    )


def _azure(
    family: Family, model: str, base: _Base, wanted: Wanted, environ: Mapping[str, str]
) -> Target:
    model = model.removeprefix("o_series/").removeprefix("gpt5_series/")  # hints, not part of it
    fallback = environ.get("AZURE_API_VERSION", "")
    url, v1 = azure_url(base.url, model, wanted.api_version, fallback)
    key, token = _azure_credentials(family, base, wanted, environ)
    credential = key or token
    if credential is None:
        raise UnusableError("no key: set AZURE_API_KEY, api_key or azure_ad_token")
    if key is not None and not v1:
        header = ("api-key", key.value, key.name)
    else:
        header = ("authorization", f"Bearer {credential.value}", credential.name)
    return Target(
        provider="azure",
        model=model,
        endpoint=Endpoint(url, build_headers([header], wanted.extra_headers)),
        key_name=credential.name,
    )


def _azure_credentials(
    family: Family, base: _Base, wanted: Wanted, environ: Mapping[str, str]
) -> tuple[Secret | None, Secret | None]:
    """Return the key or the token: what the file says counts before the environment."""
    if wanted.api_key is None and wanted.azure_ad_token is not None:
        _check_resolved(wanted.azure_ad_token)
        return None, wanted.azure_ad_token
    key, _ = _find_key(family, base, wanted, environ)
    token = _from_environment(("AZURE_AD_TOKEN",), environ)
    if key is None and token is None and (variable := wanted.unset.get("azure_ad_token")):
        raise UnusableError(f"no token: {variable} is not set")
    return key, token


def _find_key(
    family: Family, base: _Base, wanted: Wanted, environ: Mapping[str, str]
) -> tuple[Secret | None, str]:
    """Return the key to send, if any, and what its operator should know of it."""
    if wanted.api_key is not None:
        _check_resolved(wanted.api_key)
        return wanted.api_key, ""
    found = _from_environment(family.keys, environ)
    if found is not None and base.lent:
        return found, ""
    if variable := wanted.unset.get("api_key"):
        raise UnusableError(f"no key: {variable} is not set")
    if found is None:
        return None, ""
    return None, (
        f"{found.name} stays with its provider; "
        f"write api_key: os.environ/{found.name} to send it to this host"
    )


def _labels(
    provider: str, base: _Base, wanted: Wanted, environ: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    """Return the headers that say on whose behalf a prompt is sent."""
    organization = wanted.organization
    if provider == "openai" and base.lent:
        organization = organization or environ.get("OPENAI_ORGANIZATION", "")
    labels = [("openai-organization", organization, "organization")]
    if provider == "openrouter":
        labels.append(("http-referer", environ.get("OR_SITE_URL", ""), "OR_SITE_URL"))
        labels.append(("x-title", environ.get("OR_APP_NAME", ""), "OR_APP_NAME"))
    return [label for label in labels if label[1]]


def _from_environment(names: tuple[str, ...], environ: Mapping[str, str]) -> Secret | None:
    return next((Secret(value, name) for name in names if (value := environ.get(name))), None)


def _check_base(name: str, url: str) -> None:
    if fault := base_fault(url):
        raise UnusableError(f"{name} {fault}")


def _check_resolved(secret: Secret) -> None:
    if secret.value.startswith("oidc/"):
        raise UnusableError("oidc/ references are not resolved here; give the token itself")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)

"""Turns one deployment's parameters and the environment into an endpoint, or says why not. Pure.

The providers themselves are data in `families`; writing and reading their language is the
dialects' work. The base is found in `bases`, the key in `keys`, and all that is Azure's in `azure`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from understudy.server.domain.deployment import Endpoint, Secret
from understudy.server.providers.addresses import (
    anthropic_url,
    huggingface_url,
    ollama_url,
    openai_url,
    simulated_url,
)
from understudy.server.providers.azure import find_azure
from understudy.server.providers.bases import Base, find_base
from understudy.server.providers.families import SPOKEN, DialectName, Family
from understudy.server.providers.headers import Header, build_headers
from understudy.server.providers.keys import find_key
from understudy.server.providers.naming import (
    UnusableError,
    check_spoken,
    name_for_fireworks,
    name_for_router,
    split_name,
)
from understudy.server.providers.targets import Target, Wanted

_URLS: Mapping[DialectName, Callable[[str], str]] = MappingProxyType(
    {
        "openai": openai_url,
        "anthropic": anthropic_url,
        "ollama": lambda base: ollama_url(base, "generate"),
        "ollama_chat": lambda base: ollama_url(base, "chat"),
        "petals": str,  # its operator writes the whole
    }
)
_ANTHROPIC_VERSION = "2023-06-01"
_ANTHROPIC_OAUTH = "oauth-2025-04-20"
_BETA = "anthropic-beta"


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
        base = find_base(family, provider, model, wanted, environ)
        if provider == "azure":
            return find_azure(family, model, base, wanted, environ)
        if provider == "huggingface" and base.url.rstrip("/") == family.base:
            model = name_for_router(model)
        if provider == "fireworks_ai":
            model = name_for_fireworks(model)
        return _find(family, provider, model, base, wanted, environ)
    except UnusableError as error:
        return Target(provider=provider, model=model, unusable=str(error))


def _find(
    family: Family,
    provider: str,
    model: str,
    base: Base,
    wanted: Wanted,
    environ: Mapping[str, str],
) -> Target:
    key, note = find_key(family, base, wanted, environ)
    if key is None and base.own and not family.keyless:
        raise UnusableError(f"no key: set {family.keys[0]} or api_key")
    headers = _headers(family.dialect, key)
    headers += _labels(provider, base, wanted, environ)
    theirs = _join_betas(headers, wanted.extra_headers)
    if base.verbatim:
        url = base.url
    elif provider == "huggingface":
        url = huggingface_url(base.url)
    else:
        url = _URLS[family.dialect](base.url)
    return Target(
        provider=provider,
        model=model,
        endpoint=Endpoint(url, build_headers(headers, theirs), trust=wanted.trust),
        key_name=key.name if key else "",
        note=note,
    )


def _headers(dialect: DialectName, key: Secret | None) -> list[Header]:
    """Return the headers of a dialect, the key's among them."""
    if dialect == "anthropic":
        return _anthropic_headers(key)
    headers = [] if key is None else [("authorization", f"Bearer {key.value}", key.name)]
    if dialect == "petals":
        headers.append(("content-type", "application/x-www-form-urlencoded", dialect))
    return headers


def _anthropic_headers(key: Secret | None) -> list[Header]:
    headers = [("anthropic-version", _ANTHROPIC_VERSION, "anthropic")]
    if key is None:
        return headers
    if key.value.startswith("sk-ant-oat"):  # of a person's subscription
        headers.append((_BETA, _ANTHROPIC_OAUTH, "anthropic"))
    elif key.name != "ANTHROPIC_AUTH_TOKEN":
        return [*headers, ("x-api-key", key.value, key.name)]
    return [*headers, ("authorization", f"Bearer {key.value}", key.name)]


def _join_betas(ours: list[Header], theirs: Mapping[str, str]) -> Mapping[str, str]:
    """Return the operator's headers, adding our word to the one that would replace ours.

    Without it Anthropic takes no token of a subscription.
    """
    said = "".join(f"{value}," for name, value, _ in ours if name == _BETA)
    return {
        name: said + value if name.lower() == _BETA else value for name, value in theirs.items()
    }


def _labels(provider: str, base: Base, wanted: Wanted, environ: Mapping[str, str]) -> list[Header]:
    """Return the headers that say on whose behalf a prompt is sent."""
    organization = wanted.organization
    if provider == "openai" and base.lent:
        organization = organization or environ.get("OPENAI_ORGANIZATION", "")
    labels = [("openai-organization", organization, "organization")]
    if provider == "openrouter":
        labels.append(("http-referer", environ.get("OR_SITE_URL", ""), "OR_SITE_URL"))
        labels.append(("x-title", environ.get("OR_APP_NAME", ""), "OR_APP_NAME"))
    return [label for label in labels if label[1]]

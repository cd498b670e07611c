"""Reads from a deployment's parameters where its prompts go, for the catalog to find the endpoint.

Everything here may be a credential, so no fault repeats a value.
"""

from collections.abc import Mapping
from dataclasses import replace

from understudy.server.config.fields import Fields
from understudy.server.domain.deployment import Secret, Trust
from understudy.server.providers.catalog import resolve
from understudy.server.providers.headers import UnsendableError
from understudy.server.providers.targets import AzureLogin, Target, Wanted

_CHAT_MODES = frozenset({None, "", "chat"})
_TRUTH = {"true": True, "false": False}


def find_target(
    group: str,
    params: Fields,
    info: Fields,
    environ: Mapping[str, str],
    trust: Trust | None = None,
) -> Target:
    """Return where a deployment's prompts go, or why nowhere. `trust` is the file's default."""
    why = _why_not(group, params, info)
    wanted = replace(_read_wanted(params), trust=read_trust(params) or trust)
    if not wanted.model:
        why = why or "no model: litellm_params.model is missing"
        return Target(provider="", model="", unusable=why)
    try:
        target = resolve(wanted, environ)
    except UnsendableError as error:
        if error.source in params.values:
            params.fault(error.source, error.message)
        else:
            params.faults.add(params.node, params.path, str(error))
        return Target(provider="", model=wanted.model, unusable="see the fault")
    if why:
        return Target(provider=target.provider, model=target.model, unusable=why)
    return target


def read_trust(section: Fields) -> Trust | None:
    """Return whose certificates count by LiteLLM's `ssl_verify`; None where it is not there."""
    node = section.values.get("ssl_verify")
    if node is None or node.value is None:
        return None
    if isinstance(node.value, bool):
        return Trust(verify=node.value)
    if not isinstance(node.value, str) or not node.value:
        section.fault("ssl_verify", "must be true, false, or the path of a CA file")
        return None
    word = _TRUTH.get(node.value.strip().lower())
    return Trust(ca_file=node.value) if word is None else Trust(verify=word)


def _why_not(group: str, params: Fields, info: Fields) -> str:
    """Return why it could not be asked even if its endpoint were found."""
    mode = info.text("mode")
    if "*" in group:
        return "wildcards are not served; name each model"
    if mode not in _CHAT_MODES:
        return f"its mode is {mode!r}, and only chat is served here"
    if params.has("mock_response"):
        return "mock_response is not served; use model: simulated/NAME"
    organization = params.values.get("organization")
    if organization is not None and isinstance(organization.value, tuple):
        return "it has several organizations; write one deployment for each"
    return ""


def _read_wanted(params: Fields) -> Wanted:
    organization = params.values.get("organization")
    several = organization is not None and isinstance(organization.value, tuple)
    unset = {
        "api_base" if key == "base_url" else key: node.variable
        for key, node in params.values.items()
        if node.variable and node.value is None
    }
    return Wanted(
        model=params.text("model") or "",
        provider=params.text("custom_llm_provider") or "",
        api_base=params.text("api_base") or params.text("base_url") or "",
        api_key=_secret(params, "api_key"),
        api_version=params.text("api_version") or "",
        azure_ad_token=_secret(params, "azure_ad_token"),
        azure_login=AzureLogin(
            tenant_id=_secret(params, "tenant_id"),
            client_id=_secret(params, "client_id"),
            client_secret=_secret(params, "client_secret"),
            scope=params.text("azure_scope") or "",
        ),
        organization="" if several else params.text("organization") or "",
        extra_headers={**_headers(params, "headers"), **_headers(params, "extra_headers")},
        unset=unset,
    )


def _secret(params: Fields, key: str) -> Secret | None:
    value = params.text(key)
    return Secret(value, params.values[key].variable or key) if value else None


def _headers(params: Fields, key: str) -> dict[str, str]:
    below = params.mapping(key)
    headers: dict[str, str] = {}
    for name, node in below.values.items():
        if isinstance(node.value, int | float) and not isinstance(node.value, bool):
            headers[name] = str(node.value)
        elif node.value is not None and (text := below.text(name)) is not None:
            headers[name] = text
    return headers

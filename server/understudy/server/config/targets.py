"""Reads from a deployment's parameters where its prompts go, for the catalog to find the endpoint.

Everything here may be a credential, so no fault repeats a value.
"""

from collections.abc import Mapping

from understudy.server.config.fields import Fields
from understudy.server.domain.deployment import Secret
from understudy.server.providers.catalog import Target, Wanted, resolve
from understudy.server.providers.headers import UnsendableError

_CHAT_MODES = frozenset({None, "", "chat"})


def find_target(group: str, params: Fields, info: Fields, environ: Mapping[str, str]) -> Target:
    """Return where a deployment's prompts go, or why nowhere."""
    why = _why_not(group, params, info)
    wanted = _read_wanted(params)
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

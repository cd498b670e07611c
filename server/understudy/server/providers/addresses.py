"""Turns the base URL that an operator writes into the URL that prompts are posted to. Pure.

People paste bases with and without `/v1`, `/openai` or the whole path; each form leads to the one
URL that works. Whether a host may be contacted at all is `upstream`'s to decide.
"""

from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

CHAT = "/chat/completions"
AZURE_VERSION = "2025-02-01-preview"  # LiteLLM's default

# With these, Azure serves OpenAI's own path and takes the key as OpenAI does.
_AZURE_V1_VERSIONS = frozenset({"v1", "preview", "latest"})


def base_fault(base: str) -> str:
    """Return why a base URL cannot be used, empty if it can. The URL itself is not repeated."""
    if not (base.isascii() and base.isprintable()) or " " in base:
        return "holds a space or a character that no URL may hold"
    try:
        parts = urlsplit(base)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if "://" not in base:
        return "is not an http:// or https:// URL; put one of them before it"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "is not an http:// or https:// URL"
    if "@" in parts.netloc:
        return "holds a user name or password; put the key in api_key"
    if parts.fragment:
        return "holds a fragment (#…)"
    return ""


def openai_url(base: str) -> str:
    """Return where a server that speaks OpenAI's protocol takes prompts."""
    parts = urlsplit(base)
    path = parts.path.rstrip("/")
    return _with(parts, path if path.endswith(CHAT) else path + CHAT)


def huggingface_url(base: str) -> str:
    """Return where a Hugging Face endpoint takes prompts: below `/v1`, whatever its own path."""
    parts = urlsplit(base)
    path = parts.path.rstrip("/")
    if path.endswith(CHAT):
        return _with(parts, path)
    return _with(parts, path + CHAT if path.endswith("/v1") else f"{path}/v1{CHAT}")


def anthropic_url(base: str) -> str:
    """Return where a server that speaks Anthropic's protocol takes prompts."""
    parts = urlsplit(base)
    path = parts.path.rstrip("/").removesuffix("/messages").removesuffix("/v1")
    return _with(parts, f"{path}/v1/messages")


def ollama_url(base: str, call: str) -> str:
    """Return where Ollama takes prompts by one of its calls, `chat` or `generate`."""
    parts = urlsplit(base)
    path = parts.path.rstrip("/")
    for ending in ("/api/chat", "/api/generate", "/api", f"/v1{CHAT}", "/v1"):
        if path.endswith(ending):
            path = path.removesuffix(ending)
            break
    return _with(parts, f"{path}/api/{call}")


def azure_url(base: str, deployment: str, version: str, fallback: str) -> tuple[str, bool]:
    """Return where Azure takes prompts for a deployment, and whether by its v1 route.

    The `version` that the operator wrote counts first, then one in the base URL, then `fallback`.
    """
    parts = urlsplit(base)
    query = dict(parse_qsl(parts.query))
    version = version or query.pop("api-version", "") or fallback or AZURE_VERSION
    query.pop("api-version", None)
    path = parts.path.rstrip("/")
    if path.endswith(("/openai/v1", f"/openai/v1{CHAT}")):
        return _with(parts, path.removesuffix(CHAT) + CHAT, query), True
    if "/openai/deployments/" in path:
        path = path.removesuffix(CHAT) + CHAT
    elif path.endswith(CHAT):  # a gateway with paths of its own
        return _with(parts, path), False
    elif version in _AZURE_V1_VERSIONS:
        return _with(parts, f"{path.removesuffix('/openai')}/openai/v1{CHAT}", query), True
    else:
        stem = f"{path.removesuffix('/openai')}/openai/deployments"
        path = f"{stem}/{quote(deployment, safe='')}{CHAT}"
    return _with(parts, path, {**query, "api-version": version}), False


def simulated_url(name: str) -> str:
    """Return the name of a simulated model as a URL; nothing is ever sent there."""
    return f"simulated://{quote(name, safe='')}"


def _with(parts: SplitResult, path: str, query: dict[str, str] | None = None) -> str:
    text = parts.query if query is None else urlencode(query)
    return parts._replace(path=path, query=text).geturl()

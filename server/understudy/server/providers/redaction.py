"""Takes credentials out of text that a provider sent, before anybody reads it. Pure.

Two sieves. `scrub` knows what keys look like in general, and is applied to every excerpt of a
reply. `redact` knows the deployment's own credentials, and finds them whole, in part and encoded;
whoever has both the error and the deployment calls `redacted`.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import parse_qsl, quote, urlsplit

from understudy.server.domain.deployment import Endpoint
from understudy.server.errors import UpstreamError

REDACTED = "[redacted]"

# Values of these headers are no secrets; those of any other may be.
_PLAIN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "anthropic-beta",
        "anthropic-version",
        "connection",
        "content-type",
        "host",
        "http-referer",
        "openai-beta",
        "openai-organization",
        "openai-project",
        "referer",
        "user-agent",
        "x-title",
    }
)
_SHORTEST = 4  # a shorter credential would blot out ordinary words
_GRAM = 8  # so many characters in a row betray a part of a credential

_WORD = re.compile(r"[A-Za-z0-9_\-+/=~.%*•…:@]{4,}")
_NAMED = re.compile(
    r"\b(bearer|basic|(?:api|access|secret|auth)[-_ ]{0,2}(?:key|token)(?:\s+provided)?|password)"
    r"(\s{0,3}[:=]\s{0,3}|\s{1,3})([\"']?)(?=\S{0,200}[\d*•…_-])[^\s\"',;]{4,}",
    re.IGNORECASE,
)
_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:[spr]k[-_]|(?:hf|gsk|tgp|fw|r8|ghp)_|(?:xai|nvapi|pplx|csk|glpat)-|"
    r"AIza|ya29\.|(?i:eyJ))[A-Za-z0-9_\-*•….]{4}"
)
_MASKED = re.compile(r"[*•]{3}|\w\w(?:\.{3}|…)\.*\w\w")
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_HEXADECIMAL = re.compile(r"[A-Fa-f0-9]{24,}")


def scrub(text: str) -> str:
    """Return the text without anything that looks like a key, masked by the provider or not."""
    text = _NAMED.sub(rf"\1\2\3{REDACTED}", text)
    return _WORD.sub(lambda found: REDACTED if _looks_secret(found[0]) else found[0], text)


def redacted(error: UpstreamError, endpoint: Endpoint) -> UpstreamError:
    """Return the error without the endpoint's credentials; the same one if it held none."""
    message = redact(error.message, endpoint)
    metadata = {key: redact(value, endpoint) for key, value in error.metadata.items()}
    if message == error.message and metadata == error.metadata:
        return error
    clean = UpstreamError(
        error.reason,
        message,
        status=error.status,
        retry_after=error.retry_after,
        delivered=error.delivered,
        metadata=metadata,
    )
    clean.attempts = error.attempts
    return clean


def redact(text: str, endpoint: Endpoint) -> str:
    """Return the text without the endpoint's credentials, nor parts or encodings of them."""
    spellings = sorted(
        {spelling for secret in _secrets(endpoint) for spelling in _spellings(secret)},
        key=len,
        reverse=True,
    )
    for spelling in spellings:
        pattern = re.escape(spelling)
        if len(spelling) < _GRAM:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, REDACTED, text, flags=re.IGNORECASE)
    haystack = "\n".join(spellings).lower()
    return _WORD.sub(lambda word: REDACTED if _shares(word[0], haystack) else word[0], text)


def _secrets(endpoint: Endpoint) -> Iterator[str]:
    for name, value in endpoint.headers:
        if name.lower() not in _PLAIN_HEADERS:
            yield value
            yield value.partition(" ")[2]  # without `Bearer`
    if endpoint.login is not None:
        yield endpoint.login.client_secret.value
    url = urlsplit(endpoint.url)
    yield url.password or ""
    for name, value in parse_qsl(url.query):
        if name != "api-version":
            yield value


def _spellings(secret: str) -> Iterator[str]:
    secret = secret.strip()
    if len(secret) < _SHORTEST:
        return
    yield secret
    yield quote(secret, safe="")
    raw = secret.encode()
    yield raw.hex()
    for lead, unstable in ((0, 0), (1, 2), (2, 3)):
        # Where a secret begins within a longer text decides how base64 spells it.
        code = b64encode(bytes(lead) + raw).decode().rstrip("=")[unstable:-1]
        yield code
        yield code.replace("+", "-").replace("/", "_")


def _shares(word: str, haystack: str) -> bool:
    """Return whether the word holds a part of a credential."""
    word = word.lower()
    return any(word[at : at + _GRAM] in haystack for at in range(len(word) - _GRAM + 1))


def _looks_secret(word: str) -> bool:
    return bool(_PREFIXED.search(word) or _MASKED.search(word)) or any(
        _is_random(run) for run in _RUN.findall(word)
    )


def _is_random(run: str) -> bool:
    """Return whether letters and digits alternate as no name or number does."""
    if run.isalpha() or run.isdecimal():
        return False
    if _HEXADECIMAL.fullmatch(run):
        return True
    kinds = [(one.isdecimal(), one.isupper()) for one in run]
    changes = sum(one != other for one, other in pairwise(kinds))
    return changes >= len(run) / 4

"""Finds the base URL of a deployment, and whose it is. Pure.

What is appended to it is `addresses`; the key that goes there is found in `keys`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from re import fullmatch
from urllib.parse import urlsplit

from understudy.server.providers.addresses import base_fault
from understudy.server.providers.families import Family
from understudy.server.providers.naming import UnusableError
from understudy.server.providers.targets import Wanted

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Base:
    """A base URL."""

    url: str
    own: bool  # of the provider itself
    lent: bool  # the key from the environment may go there
    verbatim: bool = False  # nothing is appended


def find_base(
    family: Family, provider: str, model: str, wanted: Wanted, environ: Mapping[str, str]
) -> Base:
    """Return the base: the deployment's, else the environment's, else the provider's own.

    Raises UnusableError if there is none, or none that can be used.
    """
    if wanted.api_base:
        url = _check("api_base", wanted.api_base)
        own = bool(family.base) and _origin(url) == _origin(family.base)
        return Base(url, own, lent=own or family.anywhere or not family.base)
    for name in family.bases:
        if written := environ.get(name):
            url = _check(name, written)
            own = bool(family.base) and _origin(url) == _origin(family.base)
            return Base(url, own, lent=True, verbatim=provider == "huggingface")
    if variable := wanted.unset.get("api_base"):
        # Falling back to the provider's own server would show it prompts meant for another.
        raise UnusableError(f"no base: {variable} is not set")
    if provider == "baseten" and fullmatch("[A-Za-z0-9]{8}", model):
        dedicated = f"https://model-{model}.api.baseten.co/environments/production/sync/v1"
        return Base(dedicated, own=True, lent=True)
    if provider == "huggingface" and "/" not in model:
        raise UnusableError(
            "no base: name your endpoint as huggingface/https://HOST or in api_base, "
            "or a model of the router as huggingface/ORGANIZATION/MODEL"
        )
    if family.base:
        return Base(family.base, own=True, lent=True)
    hint = f", {family.example}" if family.example else ""
    raise UnusableError("no base: set " + " or ".join([*family.bases[:1], "api_base"]) + hint)


def _check(name: str, written: str) -> str:
    url = written.strip() or written
    if fault := base_fault(url):
        raise UnusableError(f"{name} {fault}")
    return url


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)

"""Finds the key of a deployment. Pure.

A key is bound to the deployment that names it. One from the environment goes to its provider's own
servers, or to where the environment or a provider without servers of its own says, and never to a
host that a deployment merely names.
"""

from collections.abc import Mapping

from understudy.server.domain.deployment import Secret
from understudy.server.providers.bases import Base
from understudy.server.providers.families import Family
from understudy.server.providers.naming import UnusableError
from understudy.server.providers.targets import Wanted


def find_key(
    family: Family, base: Base, wanted: Wanted, environ: Mapping[str, str]
) -> tuple[Secret | None, str]:
    """Return the key to send, if any, and what its operator should know of it.

    Raises UnusableError for a key that is meant and not there.
    """
    if wanted.api_key is not None:
        check_resolved(wanted.api_key)
        return wanted.api_key, ""
    found = from_environment(family.keys, environ)
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


def from_environment(names: tuple[str, ...], environ: Mapping[str, str]) -> Secret | None:
    """Return the first of these variables that is set."""
    return next((Secret(value, name) for name in names if (value := environ.get(name))), None)


def check_resolved(secret: Secret) -> None:
    """Raise UnusableError for a reference to a token that somebody else would have to fetch."""
    if secret.value.startswith("oidc/"):
        raise UnusableError("oidc/ references are not resolved here; give the token itself")

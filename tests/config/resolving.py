"""Shorthands for the tests of the catalog: what an endpoint says, and a key for it."""

from understudy.server.domain.deployment import Endpoint, Secret
from understudy.server.providers.targets import Target

KEY = Secret("sk-1", "api_key")


def endpoint(target: Target) -> Endpoint:
    """Return where a target is; it must be somewhere."""
    assert target.unusable == ""
    assert target.endpoint is not None
    return target.endpoint


def header(target: Target, name: str) -> str | None:
    """Return a header of a target's requests."""
    return dict(endpoint(target).headers).get(name)

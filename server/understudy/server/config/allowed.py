"""Reads which endpoints callers may name by URL, and finds the keys that go there.

An entry is an origin, or a mapping of it with a key. A key of the environment is found here, once,
and goes to its own provider's hosts only: what callers write never comes near the environment.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BeforeValidator

from understudy.server.config.credentials import HiddenError, ReadAs
from understudy.server.config.defaults import Defaults
from understudy.server.config.document import Node
from understudy.server.config.faults import Faults
from understudy.server.config.findings import Findings
from understudy.server.config.units import Flag, Name, UnreadableError
from understudy.server.domain.deployment import Secret
from understudy.server.providers.families import SPOKEN
from understudy.server.providers.headers import UnsendableError, build_headers
from understudy.server.providers.keys import from_environment
from understudy.server.providers.named import (
    OWN_DOMAINS,
    AllowedEndpoint,
    NamedGroups,
    Terms,
    belongs,
)
from understudy.server.providers.origins import MalformedError, read_location

_PATH = "understudy.server.allowed_endpoints"


def _spread(value: object) -> object:
    return {"origin": value} if isinstance(value, str) else value


def _origin(value: object) -> str:
    if not isinstance(value, str):
        raise UnreadableError("must be text such as https://host")
    try:
        location = read_location(value)
    except MalformedError as error:
        raise (HiddenError if error.secret else UnreadableError)(str(error)) from None
    if location.path:
        raise UnreadableError("has a path; an origin is https://host or https://host:port")
    return location.origin


def _key(value: object) -> Secret:
    if not isinstance(value, str) or not value:
        raise HiddenError("must be text")
    try:
        build_headers([("authorization", f"Bearer {value}", "api_key")])
    except UnsendableError as error:
        raise HiddenError(error.message) from None
    return Secret(value, "allowed_endpoints")


@dataclass(frozen=True, slots=True)
class _Entry:
    origin: Annotated[str, BeforeValidator(_origin)]
    api_key: Annotated[Secret, BeforeValidator(_key)] | None = None
    model: Name = "tgi"
    allow_private: Flag = False

    def to_endpoint(self) -> AllowedEndpoint:
        if self.origin.startswith("http:") and not self.allow_private:
            raise UnreadableError(
                "is not encrypted; write https://, or allow_private: true for a network of your own"
            )
        return AllowedEndpoint(
            origin=self.origin,
            api_key=self.api_key,
            model=self.model,
            allow_private=self.allow_private,
        )


EndpointField = Annotated[
    AllowedEndpoint, ReadAs(_Entry, _Entry.to_endpoint), BeforeValidator(_spread)
]


def allow_named(
    endpoints: Iterable[AllowedEndpoint],
    defaults: Defaults,
    environ: Mapping[str, str],
    section: Node,
    faults: Faults,
    findings: Findings,
) -> NamedGroups:
    """Return what makes groups of the URLs that callers may name; say of each which key it gets."""
    allowed: list[AllowedEndpoint] = []
    for one in endpoints:
        try:
            found = replace(one, lent=dict(_lend(one, environ)))
        except UnsendableError as error:
            faults.add(section, _PATH, str(error))
            continue
        allowed.append(found)
        findings.note(f"callers may name {one.origin}: {_tell(found, environ)}")
    terms = Terms(
        timeout=defaults.timeout,
        stream_timeout=defaults.stream_timeout,
        max_parallel_requests=defaults.max_parallel_requests,
        drop_params=defaults.drop_params,
    )
    return NamedGroups(allowed, terms)


def _lend(endpoint: AllowedEndpoint, environ: Mapping[str, str]) -> Iterator[tuple[str, Secret]]:
    """Yield the keys of the environment that go to an origin, by the provider they belong to."""
    for provider in OWN_DOMAINS if endpoint.api_key is None else ():
        key = from_environment(SPOKEN[provider].keys, environ)
        if key is not None and belongs(provider, read_location(endpoint.origin)):
            build_headers([("authorization", f"Bearer {key.value}", key.name)])
            yield provider, key


def _tell(endpoint: AllowedEndpoint, environ: Mapping[str, str]) -> str:
    where = ", also in private networks" if endpoint.allow_private else ""
    if endpoint.api_key is not None:
        return f"with its api_key{where}"
    if endpoint.lent:
        each = (f"{key.name} for {provider}/" for provider, key in endpoint.lent.items())
        return f"with {', '.join(each)}{where}"
    kept = from_environment(SPOKEN["huggingface"].keys, environ)
    stays = f"; {kept.name} stays with its provider, give the entry an api_key" if kept else ""
    return f"without a key{where}{stays}"

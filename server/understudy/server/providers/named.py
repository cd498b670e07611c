"""Makes the model group that a caller's URL means: `huggingface/https://HOST`. Pure.

Only origins that the operator listed are made into groups; all others are refused before anything
is looked up. What callers may name is read from the file in `config.allowed`; that a listed name
leads to no private address is seen to in `upstream`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType

from understudy.server.domain.deployment import Deployment, ModelGroup, Secret
from understudy.server.errors import AccessError, Reason, RequestError
from understudy.server.providers.catalog import resolve
from understudy.server.providers.origins import LONGEST, Location, MalformedError, read_location
from understudy.server.providers.targets import Wanted
from understudy.server.routing.groups import build_group

# Those who have no servers of their own, or, as Hugging Face, one for each model: a URL says all.
NAMEABLE = (
    "custom_openai",
    "hosted_vllm",
    "huggingface",
    "litellm_proxy",
    "llamafile",
    "lm_studio",
    "openai_like",
    "xinference",
)

# Where a provider's key from the environment may go without the operator saying so. Not all that
# is Hugging Face's: in a Space, anybody's code reads the headers.
OWN_DOMAINS: Mapping[str, str] = MappingProxyType({"huggingface": "endpoints.huggingface.cloud"})

_LONGEST_ID = 128
_DIGEST = 12
_MOST_KEPT = 256  # groups


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedEndpoint:
    """An origin that callers may name, and the key that goes there.

    `lent` are keys of the environment that go there for calls by their own provider's name.
    """

    origin: str
    api_key: Secret | None = None
    model: str = "tgi"  # what the server calls it; Hugging Face's take any name
    allow_private: bool = False
    lent: Mapping[str, Secret] = field(default_factory=dict[str, Secret])


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for every deployment unless it says otherwise. Times are in seconds."""

    timeout: float | None = None
    stream_timeout: float | None = None
    max_parallel_requests: int | None = None
    drop_params: bool = False


class NamedGroups:
    """The groups that callers of one configuration may name by URL; those asked for are kept."""

    def __init__(self, allowed: Iterable[AllowedEndpoint] = (), terms: Terms = Terms()) -> None:
        self._allowed = {one.origin: one for one in allowed}
        self._terms = terms
        # Kept, because an endpoint's prepared requests and connections go by its identity.
        self._make = lru_cache(_MOST_KEPT)(self._make_group)

    def __call__(self, name: str) -> ModelGroup:
        """Return the group of a name that holds a URL.

        Raises RequestError for one that is malformed, AccessError for one that is not allowed.
        """
        provider, location = _read_name(name)
        allowed = self._allowed.get(location.origin)
        if allowed is None:
            raise AccessError(
                Reason.ENDPOINT_NOT_ALLOWED,
                f'callers may not name {location.origin}; to allow it, add "{location.origin}" to '
                "understudy.server.allowed_endpoints",
                metadata={"origin": location.origin},
            )
        return self._make(provider, location)

    def _make_group(self, provider: str, location: Location) -> ModelGroup:
        allowed = self._allowed[location.origin]
        wanted = Wanted(
            model=f"{provider}/{allowed.model}",
            api_base=location.url,
            api_key=allowed.api_key or allowed.lent.get(provider),
        )
        target = resolve(wanted, {})  # nothing of the environment goes where a caller says
        endpoint = target.endpoint
        if endpoint is not None:
            endpoint = replace(endpoint, public_only=not allowed.allow_private)
        name = f"{provider}/{location.url}"
        deployment = Deployment(
            id=_identify(f"{provider}/{location.origin}"),
            group=name,
            provider=target.provider,
            model=target.model,
            endpoint=endpoint,
            unusable=target.unusable,
            weight=1.0,
            timeout=self._terms.timeout,
            stream_timeout=self._terms.stream_timeout,
            max_parallel_requests=self._terms.max_parallel_requests,
            drop_params=self._terms.drop_params,
        )
        return build_group(name, [deployment])


def belongs(provider: str, location: Location) -> bool:
    """Tell whether an origin is one of a provider's own, so that its key may go there."""
    domain = OWN_DOMAINS.get(provider)
    return domain is not None and location.encrypted and location.host.endswith(f".{domain}")


def _read_name(name: str) -> tuple[str, Location]:
    if len(name) > LONGEST:
        raise _refuse(f"the name is longer than {LONGEST} characters")
    provider, _, url = name.partition("/")
    if "://" not in url:  # the first slash is the URL's own
        raise _refuse("a URL needs a provider before it: huggingface/https://… or openai_like/…")
    if provider not in NAMEABLE:
        raise _refuse(
            f"{provider[:40]!r} cannot be named with a URL; write "
            "openai_like/https://… for a server that speaks as OpenAI's does"
        )
    try:
        return provider, read_location(url)
    except MalformedError as error:
        raise _refuse(f"the URL {error}") from None


def _refuse(message: str) -> RequestError:
    return RequestError(message, field="model")


def _identify(text: str) -> str:
    """Return an id of bounded length that no other origin has."""
    if len(text) <= _LONGEST_ID:
        return text
    return text[: _LONGEST_ID - _DIGEST - 1] + "~" + sha256(text.encode()).hexdigest()[:_DIGEST]

"""What can be asked: endpoints with their credentials, deployments, model groups.

Values only. Which deployment is asked is decided in `routing`; where they come from is `config`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from understudy.server.domain.chat import JsonValue
from understudy.server.domain.costs import Price
from understudy.server.domain.experiments import Experiment


@dataclass(frozen=True, slots=True)
class Secret:
    """A credential and the name it goes by. Its value is in no repr, str or format."""

    value: str = field(repr=False)
    name: str = ""  # the environment variable, or where in the file it stands

    def __str__(self) -> str:
        return f"<{self.name or 'secret'}>"


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What a bearer token is asked for with: RFC 6749, section 4.4. `url` is the token endpoint."""

    url: str
    client_id: str
    client_secret: Secret
    scope: str


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates an endpoint may show. `ca_file` is a PEM file, empty for the usual ones."""

    verify: bool = True
    ca_file: str = ""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Endpoint:
    """Where a deployment's requests go, with every header, the credential's included.

    With `login` a token that it yields is sent besides. `public_only` is for an address that a
    caller named: it must be in no private network. Compared by identity, so that a transport can
    keep its own prepared form beside it.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    login: ClientCredentials | None = None
    trust: Trust | None = None  # None: as `understudy.egress` says
    public_only: bool = False
    origin: str = field(init=False)  # scheme, host and port: what a credential is bound to

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        object.__setattr__(self, "origin", origin)

    def __repr__(self) -> str:
        return f"Endpoint({self.origin})"


@dataclass(frozen=True, slots=True)
class SilentModel:
    """A group that is played a deployment's prompts in the background."""

    group: str
    fraction: float = 1.0
    timeout: float | None = None  # seconds
    system_prompt: str | None = None
    params: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue], repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One upstream model: a dialect, an endpoint, a weight.

    `unusable` says for people why it cannot be asked; `endpoint` is `None` exactly then.
    """

    id: str
    group: str
    provider: str
    model: str
    endpoint: Endpoint | None
    unusable: str = ""
    is_reasoning: bool = False  # its operator says so, where the name does not
    weight: float | None = None
    rpm: float | None = None
    tpm: float | None = None
    order: int | None = None  # lowest first; `None` comes last
    # In no repr: an operator may have put a credential into extra_body.
    defaults: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue], repr=False)
    timeout: float | None = None  # seconds for one attempt
    stream_timeout: float | None = None  # seconds for one streamed attempt
    max_parallel_requests: int | None = None
    num_retries: int | None = None  # its own, before the router's
    allowed_fails: int | None = None  # failures in a minute after which it rests; None: our rule
    cooldown_time: float | None = None  # seconds that it rests; None: our rule; 0: never
    drop_params: bool = False
    silent_models: tuple[SilentModel, ...] = ()
    price: Price | None = None  # None: unknown

    def __post_init__(self) -> None:
        if (self.endpoint is None) != bool(self.unusable):
            raise ValueError(f"{self.id}: an endpoint, or why there is none")


@dataclass(frozen=True, slots=True)
class Tier:
    """Deployments of one `order`, with the weights that picks are made by."""

    deployments: tuple[Deployment, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.deployments) != len(self.weights):
            raise ValueError("one weight for each deployment")


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """Deployments that share the name which callers use; tiers are tried in order."""

    name: str
    tiers: tuple[Tier, ...]

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        """All of them, in order."""
        return tuple(one for tier in self.tiers for one in tier.deployments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The configuration that one request sees, whole."""

    revision: int
    groups: Mapping[str, ModelGroup]
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    hidden_aliases: frozenset[str] = frozenset()
    num_retries: int = 1
    retry_after: float = 0.0  # seconds, the least to wait before a retry
    fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    context_window_fallbacks: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    content_policy_fallbacks: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )
    max_fallbacks: int = 5
    # Makes the group of a name that holds a URL, or raises; None where callers may name none.
    named: Callable[[str], ModelGroup] | None = field(default=None, repr=False, compare=False)
    experiments: Mapping[str, Experiment] = field(default_factory=dict[str, Experiment])
    # By model group, the experiment that answers for it.
    takeovers: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if self.num_retries < 0 or self.max_fallbacks < 0:
            raise ValueError("counts are not negative")

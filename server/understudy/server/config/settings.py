"""The settings of the service: one value for each topic of the `understudy:` section.

Names, defaults and order are the section's own. Durations are in seconds, sizes in bytes; `None`
means what its comment says. How the text becomes these values is `section`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from understudy.server.config.allowed import EndpointField
from understudy.server.config.credentials import ApiKeyField, ClientField, SecretField
from understudy.server.config.redaction import RedactionSettings
from understudy.server.config.sink_settings import SinkSettings
from understudy.server.config.units import (
    Bytes,
    Flag,
    MessageBytes,
    Name,
    Port,
    PositiveCount,
    PositiveSeconds,
    Seconds,
    Switch,
    Threshold,
    Weight,
)

_LOOPBACK = "127.0.0.1"
_MIB = 1024 * 1024
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How the service and its clients prove who they are. Paths of PEM files."""

    cert_file: Name | None = None  # None: no TLS
    key_file: Name | None = None
    client_ca_file: Name | None = None  # None: no client certificate is asked for
    clients: tuple[ClientField, ...] = ()


@dataclass(frozen=True, slots=True)
class DrainSettings:
    """How the service goes down."""

    delay: Seconds = 2.0  # between NOT_SERVING and the end of listening
    grace: Seconds = 25.0  # for calls under way


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """What the service takes on at once, and how long connections last.

    A completion beyond `max_calls` or `max_wait` is refused as OVERLOADED before it is read, and
    no model is asked. Everything else, health and operations first, is always answered.
    """

    max_calls: PositiveCount = 10_000  # completions under way, in each process that serves
    # For a completion to be begun. Where answers take less than that, ten times as long as they
    # take, but a second in any case; a line that stays longer is cut to some ms.
    max_wait: PositiveSeconds = 10.0
    # Calls under way on one connection; what is more waits in the client, or is UNAVAILABLE if it
    # comes in the very moment in which another ends: gRPC's own limit is that coarse. None: none
    max_streams_per_connection: PositiveCount | None = None
    # Older connections are told to go, so that clients spread over new servers. None: they stay
    max_connection_age: PositiveSeconds | None = None
    max_connection_age_grace: PositiveSeconds | None = None  # None: for as long as its calls take
    max_connection_idle: PositiveSeconds | None = None  # without a call. None: they stay
    keepalive_time: PositiveSeconds = 60.0  # of silence, after which a client is asked if it lives
    keepalive_timeout: PositiveSeconds = 20.0  # for it to say so
    keepalive_min_time: PositiveSeconds = 10.0  # between the pings of an idle client; more is abuse


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the service listens, to whom, and for how long."""

    host: Name = _LOOPBACK
    port: Port = 50051  # 0: a free one
    insecure: Flag = False  # listen beyond loopback although nobody has to prove anything
    reflection: Switch = "auto"  # auto: on loopback
    api_keys: tuple[ApiKeyField, ...] = ()
    tls: TlsSettings = TlsSettings()
    allowed_endpoints: tuple[EndpointField, ...] = ()  # that callers may name by their URL
    default_timeout: PositiveSeconds = 600.0  # for a call without a deadline
    max_message_bytes: MessageBytes = 32 * _MIB  # in either direction
    limits: LimitSettings = LimitSettings()
    drain: DrainSettings = DrainSettings()
    # Processes that answer calls. The mirror's limits are the host's, and divided among them, and
    # so are its budgets where there are no records; seats and breakers of the primary's calls are
    # each process's own.
    workers: PositiveCount = 1


@dataclass(frozen=True, slots=True)
class DashboardSettings:
    """Where the dashboard listens. Keys, TLS and `insecure` are the server's."""

    host: Name = _LOOPBACK
    port: Port = 50052  # 0: a free one; so is this one where server.port is 0
    enabled: Flag = True
    names: tuple[Name, ...] = ()  # that browsers may ask for it by, besides `host` and loopback's


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Where /metrics, /healthz and /readyz are served, to whoever can reach it."""

    host: Name = _LOOPBACK
    port: Port = 9464  # 0: a free one; so is this one where server.port is 0
    enabled: Flag = True


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where experiments live."""

    url: SecretField | None = None  # None: SQLite in the state directory


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long records are kept."""

    metadata: PositiveSeconds = 30 * _DAY
    content: PositiveSeconds = 7 * _DAY
    size: Bytes = 10 * 1024 * _MIB


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """What is kept of each call, where, and for how long."""

    enabled: Flag = True  # False: nothing is kept, and pairs cannot be looked at
    url: SecretField | None = None  # None: SQLite in the state directory
    capture: Literal["metadata", "redacted", "content"] = "metadata"
    retention: RetentionSettings = RetentionSettings()
    flush: PositiveSeconds = 1.0  # between writes


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    """What each silent model may cost all processes together that keep records in one place.

    Across restarts and kills: what a process had put aside when it was killed counts as spent.
    Without records it is what each service may cost, from its start.
    """

    usd: Weight = 100.0
    per: PositiveSeconds = _DAY  # windows end at multiples of this since 1970: a day's at 0:00 UTC
    # What a call is taken to cost where nothing bounds it: about what 1,000 tokens in and 500 out
    # cost at the dearer models, so that the cap errs on the side of the purse.
    assumed_usd_per_call: Weight = 0.01


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """How prompts are played to silent models."""

    threads: PositiveCount = 2
    start: Literal["with_primary", "after_primary"] = "with_primary"
    on_primary_cancel: Literal["cancel", "keep"] = "cancel"
    max_in_flight: PositiveCount = 256
    max_in_flight_per_model: PositiveCount = 64
    max_queue: PositiveCount = 1024  # calls
    max_queue_bytes: Bytes = 64 * _MIB
    max_queue_age: PositiveSeconds = 2.0
    timeout: PositiveSeconds = 60.0  # for one silent call
    max_response_bytes: Bytes = _MIB
    # Delay of the event loop that answers callers at which less and less is mirrored: a tenth of
    # the looks at it, over a second, found more. off: never
    yield_at: Threshold = 0.05
    budget: BudgetSettings = BudgetSettings()


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """What models cost, where the operator knows better than published lists."""

    file: Name | None = None  # beside the configuration; see `price_lists`


@dataclass(frozen=True, slots=True)
class EgressSettings:
    """How providers are reached. Proxies and certificates of the environment are ignored."""

    # A URL, which may hold a password. None: providers are reached directly.
    proxy: Name | None = field(default=None, repr=False)
    no_proxy: tuple[Name, ...] = ()  # hosts reached directly all the same
    ca_file: Name | None = None  # None: the authorities that the system trusts


@dataclass(frozen=True, slots=True)
class ExperimentSettings:
    """How experiments come to be."""

    register_on_first_call: Switch = "auto"  # auto: on loopback, in demo
    seeds: tuple[Mapping[str, object], ...] = ()  # as written; `seeds` reads them


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything below `understudy:`."""

    server: ServerSettings = ServerSettings()
    dashboard: DashboardSettings = DashboardSettings()
    metrics: MetricsSettings = MetricsSettings()
    state_dir: Name | None = None  # None: $XDG_STATE_HOME/understudy
    store: StoreSettings = StoreSettings()
    records: RecordSettings = RecordSettings()
    mirror: MirrorSettings = MirrorSettings()
    sinks: SinkSettings = field(default_factory=SinkSettings)
    redaction: RedactionSettings = field(default_factory=RedactionSettings)
    prices: PriceSettings = PriceSettings()
    egress: EgressSettings = EgressSettings()
    experiments: ExperimentSettings = ExperimentSettings()
    accept_ignored: tuple[Name, ...] = ()  # keys of the report that the operator does without

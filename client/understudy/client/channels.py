"""Opens channels: how a connection is secured, balanced, kept alive and bounded.

Who keeps a channel, and for how long, is `lines`.
"""

import json
import socket
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import grpc

from understudy.client.settings import Settings, Tls

LARGEST_MESSAGE: Final = 32 * 1024 * 1024  # bytes, either way: the server's default

_SERVICE_CONFIG: Final = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        # A server that drains says so here first, and gets no further calls. One without a health
        # service counts as healthy.
        "healthCheckConfig": {"serviceName": ""},
    }
)

_OPTIONS: Final[Sequence[tuple[str, str | int]]] = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    # gRPC takes `http_proxy` from the environment; a proxy for web pages does not carry it.
    ("grpc.enable_http_proxy", 0),
    # Channels of one process share connections otherwise, and those of a child its parent's.
    ("grpc.use_local_subchannel_pool", 1),
    # A silent network is noticed within these, so that a call does not wait out its timeout.
    # Only while calls are under way: servers punish clients that ping without need.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # A server that comes back is found again within seconds, not minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # also the longest wait for one connection
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


def read_credentials(tls: Tls | None) -> grpc.ChannelCredentials | None:
    """Return what secures a channel, `None` for nothing. Raises OSError for a missing file."""
    if tls is None:
        return None
    return grpc.ssl_channel_credentials(
        _read_file(tls.ca_file), _read_file(tls.key_file), _read_file(tls.cert_file)
    )


def open_channel(
    uri: str, settings: Settings, credentials: grpc.ChannelCredentials | None
) -> grpc.Channel:
    """Return a channel for threads. It connects at the first call."""
    options = _channel_options(settings)
    if credentials is None:
        return grpc.insecure_channel(uri, options)
    return grpc.secure_channel(uri, credentials, options)


def open_async_channel(
    uri: str, settings: Settings, credentials: grpc.ChannelCredentials | None
) -> grpc.aio.Channel:
    """Return a channel for the running event loop. It connects at the first call."""
    options = _channel_options(settings)
    if credentials is None:
        return grpc.aio.insecure_channel(uri, options)
    return grpc.aio.secure_channel(uri, credentials, options)


def look_up(host: str, port: int) -> Sequence[str]:
    """Return the IP addresses of a host, none if it has no such name. Blocks."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return [str(address[0]) for *_, address in found]


def _channel_options(settings: Settings) -> list[tuple[str, str | int]]:
    options: list[tuple[str, str | int]] = [*_OPTIONS]
    options.append(("grpc.primary_user_agent", f"understudy-python/{_version()}"))
    server_name = settings.tls.server_name if settings.tls else None
    if server_name is not None:
        options.append(("grpc.ssl_target_name_override", server_name))
    elif settings.target.is_list:
        # A list of addresses has no name of its own to send, or to find in a certificate.
        options.append(("grpc.default_authority", str(settings.target.places[0])))
    return options


def _version() -> str:
    try:
        return metadata.version("understudy")
    except metadata.PackageNotFoundError:
        return "unknown"


def _read_file(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()

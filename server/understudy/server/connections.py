"""Writes what gRPC is told of a server's connections: sizes, ages, pings, streams."""

from typing import Final

from understudy.server.config.settings import ServerSettings

_LONGEST: Final = 2**31 - 2  # milliseconds that gRPC can count; one more is for ever


def write_options(settings: ServerSettings, *, shares_port: bool) -> list[tuple[str, int]]:
    """Return gRPC's arguments for a server. With `shares_port` others may listen there too."""
    limits = settings.limits
    wanted = {
        "grpc.max_concurrent_streams": limits.max_streams_per_connection,
        "grpc.max_connection_age_ms": _milliseconds(limits.max_connection_age),
        "grpc.max_connection_age_grace_ms": _milliseconds(limits.max_connection_age_grace),
        "grpc.max_connection_idle_ms": _milliseconds(limits.max_connection_idle),
        "grpc.keepalive_time_ms": _milliseconds(limits.keepalive_time),
        "grpc.keepalive_timeout_ms": _milliseconds(limits.keepalive_timeout),
        # Idle clients may ping, more often than gRPC's own five minutes.
        "grpc.http2.min_recv_ping_interval_without_data_ms": _milliseconds(
            limits.keepalive_min_time
        ),
    }
    return [
        *((name, value) for name, value in wanted.items() if value is not None),
        # A stream in which nothing is said for minutes is pinged all the same.
        ("grpc.http2.max_pings_without_data", 0),
        # A second server on the port must be an error, not a lottery.
        ("grpc.so_reuseport", int(shares_port)),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.server_handshake_timeout_ms", 10_000),
        # Beyond a thousand calls that no handler has begun, grpc cancels some at random.
        ("grpc.server.max_pending_requests", 10_000),
        ("grpc.server.max_pending_requests_hard_limit", 30_000),
    ]


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else min(max(1, round(seconds * 1000)), _LONGEST)

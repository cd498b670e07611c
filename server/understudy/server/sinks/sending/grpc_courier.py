"""Delivers by unary gRPC calls, over one channel that is kept."""

from collections.abc import Callable, Mapping
from typing import Final

import grpc

from understudy.server.sinks.sending.addresses import Address
from understudy.server.sinks.sending.deliveries import Away, Delivered, Outcome, Refused
from understudy.server.sinks.sending.protobuf import WireError, read_fields

_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),  # proxies of the environment are for nobody here
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.max_receive_message_length", 64 * 1024),
)
_DETAILS: Final = "grpc-status-details-bin"
_RETRY_INFO: Final = b"google.rpc.RetryInfo"
_AWAY: Final = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
_STUMBLES: Final = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN})
_LOCKED: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})


class GrpcCourier:
    """Brings serialized messages to one method. `headers` may hold credentials.

    `authorities` are the certificates to trust, as PEM, where the address asks for TLS.
    """

    def __init__(
        self,
        address: Address,
        method: str,
        headers: Mapping[str, str],
        authorities: bytes,
        *,
        squeeze: bool = False,
        count_rejected: Callable[[bytes], int],
    ) -> None:
        self._address = address
        self._metadata = tuple(headers.items())
        self._compression = grpc.Compression.Gzip if squeeze else grpc.Compression.NoCompression
        self._count_rejected = count_rejected
        if address.secure:
            credentials = grpc.ssl_channel_credentials(authorities)
            self._channel = grpc.secure_channel(address.authority, credentials, _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address.authority, _OPTIONS)
        self._call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(method)

    def deliver(self, body: bytes, timeout: float) -> Outcome:
        """Try once, for so many seconds at most. Raises nothing."""
        try:
            reply = self._call(
                body, timeout=timeout, metadata=self._metadata, compression=self._compression
            )
        except grpc.RpcError as error:
            return _judge(error, self._address)
        except ValueError:
            return Away(f"the channel to {self._address} is closed")
        return Delivered(self._count_rejected(reply))

    def abort(self) -> None:
        """End what is under way, at once."""
        self._channel.close()

    def close(self) -> None:
        """Let the connection go."""
        self._channel.close()


def _judge(error: grpc.RpcError, address: Address) -> Outcome:
    if not isinstance(error, grpc.Call):
        return Away(f"{address} cannot be reached")
    code = error.code()
    said = f"{address} answered {code.name}"
    retry_after = _read_retry_after(error)
    if code in _LOCKED:
        return Away(f"{said}: it does not accept our credentials", retry_after)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # Also what a message that is too large is answered with, which no patience cures.
        return Away(said, retry_after, suspect=retry_after is None)
    if code in _AWAY:
        return Away(said, retry_after)
    if code in _STUMBLES:
        return Away(said, retry_after, suspect=True)
    return Refused(said)


def _read_retry_after(call: grpc.Call) -> float | None:
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS and isinstance(value, bytes):
            try:
                return _find_delay(value)
            except WireError:
                return None
    return None


def _find_delay(status: bytes) -> float | None:
    for field, detail in read_fields(status):
        if field != 3 or not isinstance(detail, bytes):
            continue
        parts = dict(read_fields(detail))
        kind, info = parts.get(1), parts.get(2)
        if not (isinstance(kind, bytes) and isinstance(info, bytes)):
            continue
        if kind.endswith(_RETRY_INFO):
            delay = dict(read_fields(info)).get(1)
            span = dict(read_fields(delay)) if isinstance(delay, bytes) else {}
            seconds, nanos = span.get(1, 0), span.get(2, 0)
            if isinstance(seconds, int) and isinstance(nanos, int):
                return seconds + nanos / 1e9
    return None

"""Why an exchange failed: the only table from httpx's and aiohttp's exceptions to ours.

The transport reports refusals, time-outs and cuts alike as `httpx.ConnectTimeout`, so the class of
the aiohttp exception behind it decides. Messages name the origin and never quote an exception,
which may hold a URL with its query, or bytes of a reply.
"""

import errno
import os
import ssl

import aiohttp
import httpx
from aiohttp.http_exceptions import ContentLengthError, TransferEncodingError

from understudy.server.errors import Reason, UpstreamError
from understudy.server.upstream.resolver import UnresolvedError
from understudy.server.upstream.sockets import AddressRefusedError


def explain(error: Exception, origin: str, *, status: int = 0) -> UpstreamError:
    """Return what an exception of the HTTP stack means."""
    reason, what = _classify(_find_cause(error), origin)
    return UpstreamError(reason, what, status=status, metadata={"origin": origin})


def is_stale(error: Exception) -> bool:
    """Tell whether a kept-alive connection ended before a byte of the reply came.

    A reset does not tell how much came before it; between two requests that is nothing.
    """
    cause = _find_cause(error)
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return isinstance(cause.message, str)  # else it is the part of a head that did come
    return isinstance(cause, aiohttp.ClientOSError) and not isinstance(
        cause, aiohttp.ClientConnectorError
    )


def _find_cause(error: Exception) -> BaseException:
    if isinstance(error, httpx.TransportError) and error.__cause__ is not None:
        return error.__cause__
    return error


def _classify(cause: BaseException, origin: str) -> tuple[Reason, str]:
    match cause:
        case aiohttp.ClientConnectorError() if isinstance(cause.os_error, AddressRefusedError):
            return _refuse(cause.os_error, origin)
        case AddressRefusedError():
            return _refuse(cause, origin)
        case aiohttp.ClientConnectorDNSError() | UnresolvedError():
            return Reason.UPSTREAM_DNS_FAILURE, f"the name of {origin} does not resolve"
        case aiohttp.ClientConnectorCertificateError():
            return Reason.UPSTREAM_TLS_UNTRUSTED, _explain_certificate(cause, origin)
        case aiohttp.ClientConnectorSSLError():
            return Reason.UPSTREAM_CONNECT_FAILED, f"the TLS handshake with {origin} failed"
        case aiohttp.ClientProxyConnectionError():
            return Reason.UPSTREAM_CONNECT_FAILED, f"cannot connect to the proxy before {origin}"
        case aiohttp.ClientConnectorError():
            return Reason.UPSTREAM_CONNECT_FAILED, _explain_refusal(cause, origin)
        case aiohttp.ClientHttpProxyError():
            told = f"the proxy before {origin} refused to connect, with status {cause.status}"
            return Reason.UPSTREAM_CONNECT_FAILED, told
        case aiohttp.ConnectionTimeoutError():
            return Reason.UPSTREAM_CONNECT_TIMEOUT, f"{origin} took too long to connect to"
        case aiohttp.SocketTimeoutError():
            return Reason.UPSTREAM_READ_TIMEOUT, f"{origin} fell silent"
        case aiohttp.InvalidURL():
            return Reason.UPSTREAM_ADDRESS_REFUSED, f"{origin} is not a canonical address"
        case aiohttp.ClientPayloadError() if isinstance(cause.__cause__, _CUT):
            return Reason.UPSTREAM_TRUNCATED, f"{origin} ended its reply early"
        case aiohttp.ServerDisconnectedError() if not isinstance(cause.message, str):
            return Reason.UPSTREAM_TRUNCATED, f"{origin} ended its reply early"
        case aiohttp.ClientConnectionError():
            return Reason.UPSTREAM_CONNECTION_LOST, f"{origin} closed the connection"
        case RuntimeError():
            return Reason.UPSTREAM_CONNECTION_LOST, f"the way to {origin} is closed"
        case _:
            # What is left: the parser's refusals, and a reason phrase that is no text.
            return Reason.UPSTREAM_MALFORMED_RESPONSE, f"{origin} did not answer in HTTP"


_CUT = (ContentLengthError, TransferEncodingError)


def _refuse(cause: AddressRefusedError, origin: str) -> tuple[Reason, str]:
    return Reason.UPSTREAM_ADDRESS_REFUSED, f"{origin} is not contacted: {cause}"


def _explain_certificate(cause: aiohttp.ClientConnectorCertificateError, origin: str) -> str:
    error = cause.certificate_error
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "invalid"
    return f"the certificate of {origin} is not trusted: {why.rstrip('.')}"


def _explain_refusal(cause: aiohttp.ClientConnectorError, origin: str) -> str:
    number = cause.os_error.errno
    if number is None or number not in errno.errorcode:
        return f"cannot connect to {origin}"
    return f"cannot connect to {origin}: {os.strerror(number).lower()}"

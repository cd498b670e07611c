"""What a provider's refusal means, by its status and its body. Pure, and the only such place.

A refusal becomes a reason, a sentence for people and what is known of when to come back. Which
gRPC status that is, and whether to try again, is decided elsewhere.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from understudy.server.domain.completion import Completion, Delta
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers.account_faults import (
    LIMITED_WORDS,
    NO_MODEL_WORDS,
    OVERLOADED_WORDS,
    SPENT_WORDS,
    is_key_rejected,
    is_limited,
    is_model_missing,
    is_overloaded,
    is_spent,
)
from understudy.server.providers.faults import MAX_BODY_BYTES, Fault, read_fault
from understudy.server.providers.prompt_faults import is_refused, is_too_long, read_limits
from understudy.server.providers.waits import read_wait

_OVERLOADED = Reason.UPSTREAM_OVERLOADED, "the provider is overloaded"
_BY_STATUS: Mapping[int, tuple[Reason, str]] = MappingProxyType(
    {
        400: (Reason.UPSTREAM_REJECTED_REQUEST, "the provider finds the request invalid"),
        401: (Reason.UPSTREAM_CREDENTIALS_REJECTED, "the provider rejects this deployment's key"),
        402: (Reason.UPSTREAM_QUOTA_EXHAUSTED, "the provider account is out of money"),
        403: (Reason.UPSTREAM_FORBIDDEN, "the provider forbids this to the deployment's key"),
        404: (Reason.UPSTREAM_MODEL_NOT_FOUND, "the provider has no such model or path"),
        408: (Reason.UPSTREAM_TIMEOUT, "the provider gave up waiting for the request"),
        409: (Reason.UPSTREAM_CONFLICT, "the provider reports a conflict"),
        413: (Reason.REQUEST_TOO_LARGE, "the prompt is larger than the provider takes"),
        415: (Reason.UPSTREAM_REJECTED_REQUEST, "the provider does not take this kind of content"),
        422: (Reason.UPSTREAM_REJECTED_REQUEST, "the provider finds the request invalid"),
        429: (Reason.UPSTREAM_RATE_LIMITED, "the provider asks to slow down"),
        500: (Reason.UPSTREAM_INTERNAL_ERROR, "the provider failed"),
        501: (Reason.UPSTREAM_UNSUPPORTED, "the provider cannot do this"),
        504: (Reason.UPSTREAM_GATEWAY_TIMEOUT, "the gateway before the provider gave up"),
        498: _OVERLOADED,  # Groq's word for it
        529: _OVERLOADED,
        **dict.fromkeys(
            (502, 503, *range(520, 528)),
            (Reason.UPSTREAM_UNAVAILABLE, "the provider is unavailable"),
        ),
    }
)
_REDIRECTED = (
    Reason.UPSTREAM_REDIRECT_REFUSED,
    "the provider redirects, and no redirect is followed; put the final address in api_base",
)
_STRANGE = Reason.UPSTREAM_BAD_STATUS, "the provider's status has no meaning here"
_TOO_LONG = Reason.CONTEXT_LENGTH_EXCEEDED, "the prompt is longer than the model can read"
_REFUSED = Reason.CONTENT_POLICY_REJECTED, "the provider's content policy refuses the prompt"
_SPENT = Reason.UPSTREAM_QUOTA_EXHAUSTED, "the provider account is out of quota"

# Within a reply of status 200 an error names its kind instead of a status. The first that it
# names counts: the general ones, which many say of everything, come last.
_BY_WORD: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(SPENT_WORDS, 402),
        **dict.fromkeys(LIMITED_WORDS, 429),
        **dict.fromkeys(OVERLOADED_WORDS, 529),
        **dict.fromkeys(NO_MODEL_WORDS, 404),
        "invalid_api_key": 401,
        "authentication_error": 401,
        "unauthenticated": 401,
        "permission_error": 403,
        "permission_denied": 403,
        "permission-denied": 403,
        "not_found": 404,
        "not_found_error": 404,
        "notfounderror": 404,
        "conflict_error": 409,
        "request_too_large": 413,
        "too_many_requests": 429,
        "resource_exhausted": 429,
        "service_unavailable": 503,
        "service_unavailable_error": 503,
        "unavailable": 503,
        "timeout": 504,
        "timeout_error": 504,
        "deadline_exceeded": 504,
        "validation": 422,
        "invalid_argument": 400,
        "badrequesterror": 400,
        "bad_request": 400,
        "invalid_request_error": 400,
    }
)

_CONTENT_STATUSES = frozenset({400, 403, 413, 422})


def classify(
    status: int, headers: Mapping[str, str], body: bytes = b"", *, now: float | None = None
) -> UpstreamError:
    """Return the error for a reply that is no answer. Header names are lower-case.

    `now`, in seconds since 1970, is for a Retry-After date; without it the reply's Date is used.
    """
    fault = read_fault(body)
    reason, sentence = _judge(status, fault)
    # The page of a redirect repeats where it leads to, which is nobody's business.
    excerpt = "" if reason is Reason.UPSTREAM_REDIRECT_REFUSED else fault.excerpt
    wait = None
    if reason is not Reason.UPSTREAM_QUOTA_EXHAUSTED:
        limited = reason is Reason.UPSTREAM_RATE_LIMITED
        wait = read_wait(headers, limited=limited or status == 429, now=now)
    return UpstreamError(
        reason,
        _join(f"{sentence} (HTTP {status})", excerpt),
        status=status,
        retry_after=wait,
        metadata=_labels(reason, fault),
    )


def classify_reported(body: bytes, *, delivered: int = 0) -> UpstreamError:
    """Return the error for one that stands within a reply of status 200."""
    fault = read_fault(body)
    if delivered:
        return UpstreamError(
            Reason.UPSTREAM_STREAM_ERROR,
            _join("the provider broke the stream off", fault.excerpt),
            delivered=delivered,
            metadata={"deltasDelivered": str(delivered)},
        )
    reason, sentence = _judge(_status_of(fault), fault)
    message = _join(f"{sentence} (said within HTTP 200)", fault.excerpt)
    return UpstreamError(reason, message, status=200, metadata=_labels(reason, fault))


class FailureReader:
    """Reads a reply whose status says that it is no answer, as far as that is worth it."""

    done = False

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        self._status = status
        self._headers = headers
        self._encoded = is_encoded(headers)
        self._body = bytearray()

    def feed(self, data: bytes) -> Sequence[Delta]:
        """Keep the first 64 KiB; raise the failure when they are there."""
        if not self._encoded:
            self._body += data[: MAX_BODY_BYTES - len(self._body)]
        if len(self._body) >= MAX_BODY_BYTES:
            self.finish()
        return ()

    def finish(self) -> Completion:
        """Raise the failure."""
        raise classify(self._status, self._headers, bytes(self._body))


class EncodedReader:
    """Reads nothing: the reply is compressed, though we asked for it as it is."""

    done = False

    def __init__(self, status: int) -> None:
        self._status = status

    def feed(self, data: bytes) -> Sequence[Delta]:
        """Raise the failure."""
        self.finish()
        return ()

    def finish(self) -> Completion:
        """Raise the failure."""
        raise UpstreamError(
            Reason.UPSTREAM_BAD_ENCODING,
            "the provider's answer is compressed although that was not asked for",
            status=self._status,
        )


def is_encoded(headers: Mapping[str, str]) -> bool:
    """Return whether a reply's body is compressed; we never ask for that, nor undo it."""
    return headers.get("content-encoding", "").strip().lower() not in ("", "identity")


def _status_of(fault: Fault) -> int:
    """Return the status that an error should have had."""
    if fault.status:
        return fault.status
    if is_refused(fault, by_text=True) or is_too_long(fault):
        return 400
    usual = 529 if is_overloaded(fault) else 500
    return next((status for word, status in _BY_WORD.items() if word in fault.words), usual)


def _judge(status: int, fault: Fault) -> tuple[Reason, str]:
    """Return what a status means, seeing what the body says: many answer 400 to everything."""
    if 300 <= status < 400:
        return _REDIRECTED
    if status in _CONTENT_STATUSES and is_refused(fault, by_text=status != 403):
        return _REFUSED
    if status in _CONTENT_STATUSES and status != 403 and is_too_long(fault):
        return _TOO_LONG
    if 400 <= status < 500 and is_spent(fault):
        return _SPENT
    if status in (400, 403) and is_key_rejected(fault):
        return _BY_STATUS[401]
    if status == 400 and is_model_missing(fault):
        return _BY_STATUS[404]
    if status == 413 and is_limited(fault):
        return _BY_STATUS[429]
    if status in (429, 503) and is_overloaded(fault):
        return _OVERLOADED
    if status == 424 and "generation" in fault.words:  # Hugging Face's server, of its own failure
        return _BY_STATUS[500]
    return _BY_STATUS.get(status, _STRANGE)


def _labels(reason: Reason, fault: Fault) -> Mapping[str, str]:
    return read_limits(fault) if reason is Reason.CONTEXT_LENGTH_EXCEEDED else {}


def _join(sentence: str, excerpt: str) -> str:
    return f"{sentence}: {excerpt}" if excerpt else sentence

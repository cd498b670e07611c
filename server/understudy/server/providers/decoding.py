"""JSON from strangers, read into typed structs or refused. Pure.

What no struct names is skipped by the parser and never built, so that hostile parts cost nothing.
Which fields matter is for each dialect to say.
"""

from typing import TypeVar

import msgspec
from msgspec import Raw
from msgspec.json import Decoder

from understudy.server.domain.completion import Warning
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers.surrogates import mend_surrogates

REPLACED_CHARS = Warning(
    "REPLACED_CHARS",
    "the provider sent halves of surrogate pairs, which are no characters; "
    "each now reads as U+FFFD",
)

T = TypeVar("T")


def decode(decoder: Decoder[T], data: bytes | Raw) -> tuple[T, bool]:
    """Return the value, and whether lone surrogates in its text were replaced by U+FFFD.

    Raises UpstreamError if the data is no JSON or not of the decoder's type.
    """
    try:
        return decoder.decode(data), False
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        try:
            return decoder.decode(mend_surrogates(bytes(data))), True
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise malformed(_explain(error)) from None


def malformed(detail: str) -> UpstreamError:
    """Return the error for an answer that is not what its protocol says."""
    return UpstreamError(
        Reason.UPSTREAM_MALFORMED_RESPONSE, f"the provider's answer cannot be read: {detail}"
    )


def said(raw: Raw) -> bool:
    """Return whether a field was sent, and not as null."""
    return bytes(raw) not in (b"", b"null")


def _explain(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error)

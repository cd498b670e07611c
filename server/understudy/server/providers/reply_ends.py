"""How a reply ends that is no answer, whoever's dialect it is in: cut off, empty, too large. Pure.

Telling that it ended so is each reader's task; what a provider itself reports is `failures`'.
"""

from understudy.server.errors import Reason, UpstreamError

MAX_REPLY_BYTES = 32 * 1024 * 1024


def truncated(delivered: int = 0) -> UpstreamError:
    """Return the error for a stream without its end, after so many delivered deltas."""
    if delivered:
        return UpstreamError(
            Reason.UPSTREAM_STREAM_TRUNCATED,
            "the provider's stream ended early",
            delivered=delivered,
            metadata={"deltasDelivered": str(delivered)},
        )
    return UpstreamError(Reason.UPSTREAM_TRUNCATED, "the provider's stream ended early")


def empty() -> UpstreamError:
    """Return the error for an answer in which nothing is said."""
    return UpstreamError(
        Reason.UPSTREAM_EMPTY_RESPONSE, "the provider's answer holds no choice with a message"
    )


def too_large() -> UpstreamError:
    """Return the error for an answer of more than `MAX_REPLY_BYTES`."""
    return UpstreamError(
        Reason.UPSTREAM_RESPONSE_TOO_LARGE,
        f"the provider's answer is larger than {MAX_REPLY_BYTES} bytes",
    )

"""Reads what a page is asked by: size, order, filter and the token of the page before."""

import base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol

import msgspec

from understudy.server.domain.record_queries import Kind, Place, Query
from understudy.server.errors import RequestError
from understudy.server.questions.record_filter import read_filter

DEFAULT_PAGE: Final = 100
LARGEST_PAGE: Final = 1000
_LONGEST_TOKEN: Final = 2000  # characters
_LARGEST: Final = 2**63 - 1


class ListRequest(Protocol):
    """What both lists are asked by."""

    page_size: int
    page_token: str
    filter: str
    order_by: str


class _Token(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    question: str
    place: Place


def read_query(
    request: ListRequest, fields: Mapping[str, Kind], orders: Sequence[str], *, labels: bool = False
) -> Query:
    """Return what a page is asked by. Raises RequestError, its `field` the faulty one."""
    if request.page_size < 0:
        raise RequestError("page_size must not be negative", field="page_size")
    order, descending = _read_order(request.order_by, orders)
    return Query(
        read_filter(request.filter, fields, labels=labels),
        order,
        descending,
        read_token(request),
        min(request.page_size or DEFAULT_PAGE, LARGEST_PAGE),
    )


def write_token(request: ListRequest, place: Place) -> str:
    """Return the token of the page that goes on from a place. It fits the same question only."""
    token = msgspec.json.encode(_Token(_digest(request), place))
    return base64.urlsafe_b64encode(token).decode()


def _read_order(text: str, orders: Sequence[str]) -> tuple[str, bool]:
    if not text.strip():
        return orders[0], True
    name, _, direction = text.strip().partition(" ")
    if name not in orders or direction.strip() not in ("", "asc", "desc"):
        raise RequestError(
            f"order_by is one of {', '.join(orders)}, each with or without ` desc`",
            field="order_by",
        )
    return name, direction.strip() == "desc"


def read_token(request: ListRequest) -> Place | None:
    """Return where a page goes on, `None` for the first. Raises RequestError."""
    if not request.page_token:
        return None
    try:
        if len(request.page_token) > _LONGEST_TOKEN:
            raise ValueError
        text = base64.b64decode(request.page_token, altchars=b"-_", validate=True)
        token = msgspec.json.decode(text, type=_Token)
        if abs(token.place.value) > _LARGEST or "\0" in token.place.id + token.place.silent_model:
            raise ValueError
    except (ValueError, msgspec.DecodeError):
        raise RequestError(
            "page_token is none that this service gave out", field="page_token"
        ) from None
    if token.question != _digest(request):
        raise RequestError("page_token belongs to another filter or order_by", field="page_token")
    return token.place


def _digest(request: ListRequest) -> str:
    return sha256(f"{request.order_by}\n{request.filter}".encode()).hexdigest()[:16]

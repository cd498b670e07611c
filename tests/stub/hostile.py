"""Words for bodies that harm who reads them: endless, nested, bombs. See `modes`."""

import gzip
from functools import cache

from . import replies
from .plans import Framing, Plan, Word, number

_MEBIBYTE = b"a" * (1 << 20)


def _nest(plan: Plan, argument: str) -> None:
    plan.body = b"[" * number(argument, 1 << 20)


def _nest_within(plan: Plan, argument: str) -> None:
    plan.body = b'{"object":"chat.completion","unknown":' + b"[" * number(argument, 1 << 20)


def _choose_often(plan: Plan, argument: str) -> None:
    choice = b'{"index":0,"message":{"role":"assistant","content":"a"}},'
    plan.body = b'{"choices":[' + choice * number(argument, 16_000) + b"{}]}"


def _say_twice(plan: Plan, _: str) -> None:
    last = b',"choices":[{"index":0,"message":{"role":"assistant","content":"second"}}]}'
    plan.body = b"".join(plan.pieces()).removesuffix(b"}") + last


def _talk_endlessly(plan: Plan, _: str) -> None:
    """An answer, or a stream's event, that begins well and has no end."""
    start = b'{"choices":[{"index":0,"%b":{"role":"assistant","content":"'
    if plan.call.stream:
        plan.events = [b"data: " + start % b"delta"]
    else:
        plan.events = [start % b"message"]
        plan.headers.append(("content-type", "application/json"))
    plan.endless = _MEBIBYTE
    plan.framing = Framing.CHUNKED


def _talk_on(plan: Plan, _: str) -> None:
    plan.events = plan.stream()[:2]
    plan.endless = replies.event(replies.chunk(plan.call.model, {"content": "on and "})) * 5000


def _count_high(plan: Plan, argument: str) -> None:
    plan.body = b'{"choices":[{"index":' + b"9" * number(argument, 10_000_000) + b"}]}"


def _answer_nan(plan: Plan, _: str) -> None:
    plan.body = b"".join(plan.pieces()).replace(b'"created":1700000000', b'"created":NaN')


def _mark_bom(plan: Plan, _: str) -> None:
    plan.body = b"\xef\xbb\xbf" + b"".join(plan.pieces())


@cache
def make_bomb(mebibytes: int) -> bytes:
    """Return so much of nothing, compressed. It takes a while the first time."""
    return gzip.compress(_MEBIBYTE * mebibytes)


def _compress(plan: Plan, argument: str) -> None:
    plan.body = make_bomb(int(argument)) if argument else gzip.compress(b"".join(plan.pieces()))
    plan.headers.append(("content-encoding", "gzip"))


def _answer_hugely(plan: Plan, argument: str) -> None:
    plan.events = [_MEBIBYTE] * number(argument, 0)
    plan.endless = b"" if argument else _MEBIBYTE
    plan.framing = Framing.CHUNKED


def _declare_hugely(plan: Plan, _: str) -> None:
    _answer_hugely(plan, "")
    plan.declared = 1_000_000_000
    plan.framing = Framing.LENGTH


HOSTILE: dict[str, Word] = {
    "brackets": _nest,
    "nested": _nest_within,
    "many-choices": _choose_often,
    "duplicate-keys": _say_twice,
    "big-number": _count_high,
    "nan": _answer_nan,
    "bom": _mark_bom,
    "gzip": _compress,
    "huge": _answer_hugely,
    "huge-declared": _declare_hugely,
    "endless": _talk_endlessly,
    "endless-stream": _talk_on,
}

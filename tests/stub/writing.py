"""Plans as bytes: the head, the framing, the pieces in which a reply is written."""

import time

from .plans import Ending, Framing, Plan, Stop


def choose_framing(plan: Plan) -> Framing:
    """Say how the body ends: as the plan says, else as is usual for its kind."""
    if plan.framing is not None:
        return plan.framing
    return Framing.CHUNKED if plan.streamed else Framing.LENGTH


def frame(piece: bytes, plan: Plan) -> bytes:
    """Return a piece of the body as it travels."""
    if plan.raw is None and choose_framing(plan) is Framing.CHUNKED:
        return b"%x\r\n%b\r\n" % (len(piece), piece)
    return piece


def _split(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _write_head(plan: Plan, length: int, arrived: float) -> bytes:
    headers = {"content-type": "text/event-stream" if plan.streamed else "application/json"}
    extra = [(name, value) for name, value in plan.headers if name != "content-type"]
    headers |= {name: value for name, value in plan.headers if name == "content-type"}
    framing = choose_framing(plan)
    if framing is Framing.LENGTH:
        headers["content-length"] = str(length if plan.declared is None else plan.declared)
    elif framing is Framing.CHUNKED:
        headers["transfer-encoding"] = "chunked"
    if (plan.ending is Ending.CLOSE and plan.stop is Stop.AT_END) or framing is Framing.EOF:
        headers["connection"] = "close"
    headers["x-stub-service-ms"] = f"{(time.monotonic() - arrived) * 1000:.3f}"
    lines = "".join(f"{name}: {value}\r\n" for name, value in (*headers.items(), *extra))
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (plan.status, plan.reason, lines.encode("latin-1"))


def write_reply(plan: Plan, arrived: float) -> list[bytes]:
    """Return all that is sent before the ending, in pieces."""
    if plan.stop is Stop.BEFORE_HEAD:
        return []
    if plan.raw is not None:
        return [plan.raw]
    pieces = plan.pieces()
    if plan.piece:
        pieces = _split(b"".join(pieces), plan.piece)
    length = sum(map(len, pieces))
    head = _write_head(plan, length, arrived)
    if plan.stop is Stop.IN_HEAD:
        return [head[: len(head) // 2]]
    if plan.stop is Stop.IN_BODY:
        pieces = _cut_in_half(pieces, length)
    framed = [frame(piece, plan) for piece in pieces if piece]
    whole = plan.stop is Stop.AT_END and not plan.endless
    if whole and choose_framing(plan) is Framing.CHUNKED:
        framed.append(b"0\r\n\r\n")
    heads = _split(head, plan.piece) if plan.drip_head else [head]
    return [*heads, *framed]


def _cut_in_half(pieces: list[bytes], length: int) -> list[bytes]:
    left = length // 2
    kept: list[bytes] = []
    for piece in pieces:
        kept.append(piece[:left])
        left -= len(kept[-1])
    return kept

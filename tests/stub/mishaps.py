"""Words that change how a reply travels: time, framing, broken heads, endings. See `modes`."""

from .plans import Ending, Framing, Plan, Stop, Word, number


def _seconds(argument: str, default: float) -> float:
    if argument.endswith("ms"):
        return float(argument[:-2]) / 1000
    return float(argument.removesuffix("s")) if argument else default


def _wait(plan: Plan, argument: str) -> None:
    plan.delay = _seconds(argument, 0.2)


def _pace(plan: Plan, argument: str) -> None:
    plan.pace = _seconds(argument, 0.01)


def _drip(plan: Plan, argument: str) -> None:
    plan.piece = 1
    plan.pace = _seconds(argument, 0.02)


def _drip_head(plan: Plan, argument: str) -> None:
    _drip(plan, argument)
    plan.drip_head = True


def _beat(plan: Plan, argument: str) -> None:
    plan.pace = _seconds(argument, 0.02)
    plan.events = []
    plan.endless = b": still here\n\n"


def _frame(framing: Framing) -> Word:
    def change(plan: Plan, _: str) -> None:
        plan.framing = framing

    return change


def _declare(plan: Plan, argument: str) -> None:
    plan.declared = number(argument, 1_000_000_000)
    plan.framing = Framing.LENGTH


def _split(plan: Plan, argument: str) -> None:
    plan.piece = number(argument, 1)


def _break_chunk(plan: Plan, _: str) -> None:
    plan.raw = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"
    plan.endless = b"not-hex\r\n"
    plan.pace = 0.02  # apart from the head, so that a client is reading when it comes


def _break_head(raw: bytes) -> Word:
    def change(plan: Plan, _: str) -> None:
        plan.raw = raw
        plan.ending = Ending.CLOSE

    return change


def _upgrade(plan: Plan, _: str) -> None:
    plan.raw = b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"


def _inform(plan: Plan, _: str) -> None:
    plan.raw = plan.endless = b"HTTP/1.1 100 Continue\r\n\r\n"


def _add_headers(plan: Plan, argument: str) -> None:
    plan.headers += [(f"x-{n}", "v") for n in range(number(argument, 100_000))]


def _add_long_header(plan: Plan, argument: str) -> None:
    plan.headers.append(("x-long", "v" * number(argument, 1 << 20)))


def _garble_reason(plan: Plan, _: str) -> None:
    plan.reason = b"\xff\xfe"


def _end(ending: Ending, stop: Stop = Stop.AT_END) -> Word:
    def change(plan: Plan, _: str) -> None:
        plan.end(ending, stop)

    return change


WORDS: dict[str, Word] = {
    "slow": _wait,
    "pace": _pace,
    "drip": _drip,
    "drip-head": _drip_head,
    "heartbeat": _beat,
    "chunked": _frame(Framing.CHUNKED),
    "until-eof": _frame(Framing.EOF),
    "declared": _declare,
    "bytes": _split,
    "bad-chunk": _break_chunk,
    "http09": _break_head(b"<html>hello from 1991</html>\n"),
    "junk": _break_head(bytes(range(256)) * 4),
    "status-101": _upgrade,
    "informational": _inform,
    "many-headers": _add_headers,
    "long-header": _add_long_header,
    "bad-reason": _garble_reason,
    "close": _end(Ending.CLOSE),
    "close-before-headers": _end(Ending.CLOSE, Stop.BEFORE_HEAD),
    "close-in-head": _end(Ending.CLOSE, Stop.IN_HEAD),
    "truncated": _end(Ending.CLOSE, Stop.IN_BODY),
    "reset": _end(Ending.RESET, Stop.BEFORE_HEAD),
    "reset-in-head": _end(Ending.RESET, Stop.IN_HEAD),
    "reset-mid-body": _end(Ending.RESET, Stop.IN_BODY),
    "hang-headers": _end(Ending.HANG, Stop.BEFORE_HEAD),
    "hang-body": _end(Ending.HANG, Stop.IN_BODY),
    "hold": _end(Ending.HANG),
    "drop-next": _end(Ending.DROP_NEXT),
    "repeat": _end(Ending.REPEAT),
}

"""Words that change what is said: answers, refusals, odd streams; for harmful bodies see `hostile`."""

from . import replies
from .hostile import HOSTILE
from .plans import Plan, Word, number

_KEY_HEADERS = ("authorization", "api-key", "x-api-key")
_TOO_LONG = "This model's maximum context length is 128 tokens. However, you requested 999 tokens."
_SERVER_ERROR = replies.event(replies.error("The server had an error", kind="server_error"))


def _keep(_plan: Plan, _: str) -> None:
    """Change nothing."""


def _echo(plan: Plan, _: str) -> None:
    plan.content = plan.call.last


def _say(plan: Plan, argument: str) -> None:
    plan.content = " ".join(f"word{n}" for n in range(number(argument, 50)))


def _say_nothing(plan: Plan, _: str) -> None:
    plan.content = ""


def _say_null(plan: Plan, _: str) -> None:
    plan.body = replies.encode(plan.completion({"role": "assistant", "content": None}))


def _call_tool(plan: Plan, _: str) -> None:
    plan.finish_reason = "tool_calls"
    function = {"name": "get_weather", "arguments": '{"city": "Bern"}'}
    calls = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
    if plan.call.stream:
        first = replies.chunk(plan.call.model, {"role": "assistant", "tool_calls": calls})
        last = replies.chunk(plan.call.model, {}, finish_reason="tool_calls")
        plan.events = [replies.event(first), replies.event(last), replies.DONE]
    else:
        message = {"role": "assistant", "content": None, "tool_calls": calls}
        plan.body = replies.encode(plan.completion(message))


def _finish(reason: str) -> Word:
    def change(plan: Plan, _: str) -> None:
        plan.finish_reason = reason

    return change


def _answer_without(part: str) -> Word:
    def change(plan: Plan, _: str) -> None:
        whole = plan.completion({"role": "assistant", "content": ""})
        choice = {"index": 0, "finish_reason": "stop"}
        whole["choices"] = [] if part == "choices" else [choice]
        if plan.call.stream:
            plan.events = [replies.event(whole), replies.DONE]
        else:
            plan.body = replies.encode(whole)

    return change


def _fail(plan: Plan, argument: str) -> None:
    status = number(argument, 500)
    plan.fail(status, f"The stub answers {status}.", kind="stub_error")
    if status in (204, 304):  # which have no body
        plan.body = b""


def _fail_at_length(plan: Plan, argument: str) -> None:
    plan.fail(500, "e" * (number(argument, 1024) << 10))


def _refuse(status: int, message: str, kind: str, code: str | None = None) -> Word:
    def change(plan: Plan, _: str) -> None:
        plan.fail(status, message, kind=kind, code=code)

    return change


def _lead(target: str) -> Word:
    def change(plan: Plan, argument: str) -> None:
        plan.status = number(argument, 302)
        plan.headers.append(("location", target))
        plan.body = b""

    return change


def _redirect(plan: Plan, argument: str) -> None:
    plan.status = number(argument, 307)
    plan.headers.append(("location", plan.call.redirect_to))
    plan.body = b""


def _set_retry_after(plan: Plan, argument: str) -> None:
    plan.headers.append(("retry-after", argument or "1"))


def _set_cookie(plan: Plan, _: str) -> None:
    plan.headers.append(("set-cookie", "session=from-the-stub; Path=/"))


def _echo_key(plan: Plan, _: str) -> None:
    keys = [plan.call.headers[name] for name in _KEY_HEADERS if name in plan.call.headers]
    plan.fail(
        401 if plan.status == 200 else plan.status,
        f"Incorrect API key provided: {' '.join(keys)}",
        kind="invalid_request_error",
        code="invalid_api_key",
    )
    plan.headers += [("x-key", key) for key in keys]
    plan.headers += [("set-cookie", f"key={key.rpartition(' ')[2]}") for key in keys]


def _send(body: bytes, content_type: str = "application/json") -> Word:
    def change(plan: Plan, _: str) -> None:
        plan.body = body
        plan.headers.append(("content-type", content_type))

    return change


def _garble(replacement: bytes) -> Word:
    """Put raw bytes at the end of the content."""

    def change(plan: Plan, _: str) -> None:
        plan.content += " GARBLED"
        pieces = [piece.replace(b"GARBLED", replacement) for piece in plan.pieces()]
        if plan.call.stream:
            plan.events = pieces
        else:
            plan.body = b"".join(pieces)

    return change


def _echo_prompt(plan: Plan, _: str) -> None:
    plan.fail(400, f"I cannot work with: {plan.call.prompt}", kind="invalid_request_error")


def _answer_uncounted(plan: Plan, _: str) -> None:
    answer = plan.completion({"role": "assistant", "content": plan.content})
    del answer["usage"]
    plan.body = replies.encode(answer)


def _remember(plan: Plan, argument: str) -> None:
    cached = number(argument, 1)
    usage = {
        "prompt_tokens": cached + 1,
        "completion_tokens": 1,
        "total_tokens": cached + 2,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    answer = plan.completion({"role": "assistant", "content": plan.content})
    plan.body = replies.encode(answer | {"usage": usage})


def _stream(plan: Plan, _: str) -> None:
    plan.events = plan.stream()


def _answer_whole(plan: Plan, _: str) -> None:
    message = {"role": "assistant", "content": plan.content}
    plan.body = replies.encode(plan.completion(message))


def _break_stream(event: bytes, *, after: int) -> Word:
    def change(plan: Plan, _: str) -> None:
        plan.events = [*plan.stream()[:after], event]

    return change


def _leave_unfinished(plan: Plan, _: str) -> None:
    plan.events = plan.stream()[:-1]


def _comment(plan: Plan, _: str) -> None:
    plan.events = [line for event in plan.stream() for line in (b": a comment\n\n", event)]


def _break_lines(plan: Plan, _: str) -> None:
    plan.events = [event.replace(b"\n", b"\r\n") for event in plan.stream()]


WORDS: dict[str, Word] = {
    **HOSTILE,
    "ok": _keep,
    "echo": _echo,
    "words": _say,
    "tool-call": _call_tool,
    "null-content": _say_null,
    "empty-content": _say_nothing,
    "length": _finish("length"),
    "content-filter": _finish("content_filter"),
    "cached": _remember,
    "no-usage": _answer_uncounted,
    "empty-choices": _answer_without("choices"),
    "no-message": _answer_without("message"),
    "status": _fail,
    "error-page": _fail_at_length,
    "context-length": _refuse(400, _TOO_LONG, "invalid_request_error", "context_length_exceeded"),
    "content-policy": _refuse(
        400, "Your request was rejected.", "invalid_request_error", "content_policy_violation"
    ),
    "insufficient-quota": _refuse(
        429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota"
    ),
    "bad-key": _refuse(401, "Incorrect API key.", "invalid_request_error", "invalid_api_key"),
    "unknown-model": _refuse(404, "No such model.", "invalid_request_error", "model_not_found"),
    "error-in-200": _refuse(200, "The server had an error", "server_error"),
    "redirect": _redirect,
    "redirect-to-metadata": _lead("http://169.254.169.254/latest/meta-data/"),
    "redirect-to-file": _lead("file:///etc/passwd"),
    "retry-after": _set_retry_after,
    "set-cookie": _set_cookie,
    "echo-key": _echo_key,
    "echo-prompt": _echo_prompt,
    "html": _send(b"<!doctype html><title>502</title><h1>Bad gateway</h1>", "text/html"),
    "bad-json": _send(b'{"choices": [{"mess'),
    "empty": _send(b""),
    "bad-utf8": _garble(b"\xff\xfe\xfa"),
    "lone-surrogate": _garble(b"a \\ud800 b"),
    "nul": _garble(b"a\x00b"),
    "escaped-nul": _garble(b"a\\u0000b"),
    "stream": _stream,
    "whole": _answer_whole,
    "sse-error": _break_stream(_SERVER_ERROR, after=2),
    "sse-error-first": _break_stream(_SERVER_ERROR, after=0),
    "sse-bad-json": _break_stream(b'data: {"choices": [{"del\n\n', after=2),
    "sse-no-done": _leave_unfinished,
    "sse-comments": _comment,
    "sse-crlf": _break_lines,
}

"""How a reply of Ollama's may end: whole, cut, in error, or in nonsense."""

import json

import pytest

from understudy.server.domain.completion import Completion
from understudy.server.errors import Reason, UpstreamError
from understudy.server.providers import dialect

from .ollama_samples import (
    DIALECTS,
    ENDED,
    answered,
    failed,
    last,
    line,
    outcome,
    word,
)
from .samples import texts

ERROR = b'{"error":"llama runner process has terminated"}\n'


@pytest.mark.parametrize("end", [b"", b"\n", b" \r\n\r\n"])
def test_the_last_line_need_not_end(end: bytes) -> None:
    deltas, found = outcome([word("Hi") + last().rstrip() + end])

    assert isinstance(found, Completion)
    assert found.choices[0].message.content == "Hi"
    assert texts(deltas)[0] == "Hi"


def test_words_that_come_in_a_line_without_end_are_no_answer() -> None:
    unheard = line({"content": " there"}, **ENDED).rstrip()

    assert failed(word("Hi"), unheard) == (Reason.UPSTREAM_STREAM_TRUNCATED, 1)


@pytest.mark.parametrize("end", [b"", b"\n", last()[:-9], b"{", word("there").rstrip()])
def test_a_stream_cut_after_words_is_told_from_one_cut_before(end: bytes) -> None:
    silence = line({"content": ""})

    assert failed(silence, word("Hel"), word("lo"), end) == (Reason.UPSTREAM_STREAM_TRUNCATED, 2)
    assert failed(silence, end)[0] is Reason.UPSTREAM_TRUNCATED


def test_nothing_at_all_is_cut_or_empty() -> None:
    assert failed() == failed(b" \n") == (Reason.UPSTREAM_TRUNCATED, 0)
    assert failed(stream=False) == (Reason.UPSTREAM_EMPTY_RESPONSE, 0)
    assert failed(b"{}", stream=False) == (Reason.UPSTREAM_EMPTY_RESPONSE, 0)
    assert failed(b"{}\n", stream=False) == (Reason.UPSTREAM_EMPTY_RESPONSE, 0)


def test_a_whole_answer_that_is_not_done_is_cut() -> None:
    assert failed(word("Hi"), stream=False) == (Reason.UPSTREAM_TRUNCATED, 0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("llama runner process has terminated", Reason.UPSTREAM_INTERNAL_ERROR),
        ("the input length exceeds the context length", Reason.CONTEXT_LENGTH_EXCEEDED),
        ({"message": "slow down", "code": 429}, Reason.UPSTREAM_RATE_LIMITED),
    ],
)
def test_an_error_line_counts_by_its_kind_until_words_are_out(
    error: object, reason: Reason
) -> None:
    told = json.dumps({"error": error}).encode()

    for end in (b"", b"\n"):
        assert failed(told + end) == (reason, 0)
        assert failed(told + end, stream=False) == (reason, 0)
        assert failed(line({"content": ""}), told + end) == (reason, 0)
        assert failed(word("Hi"), told + end) == (Reason.UPSTREAM_STREAM_ERROR, 1)


@pytest.mark.parametrize("error", [b"null", b'""', b"{}", b"false"])
def test_no_error_is_none(error: bytes) -> None:
    reply = b'{"error":' + error + b',"message":{"content":"a"},"done":true}'

    assert answered(reply).choices[0].message.content == "a"


def test_nothing_is_read_after_a_failure_or_the_end() -> None:
    reader = dialect("ollama_chat").reader(True, 200, {})
    reader.feed(word("Hi") + ERROR + word("there"))
    ended = dialect("ollama_chat").reader(True, 200, {})
    ended.feed(word("Hi") + last() + b"{nonsense\n")

    for _ in range(2):
        with pytest.raises(UpstreamError):
            reader.feed(word("again"))
        with pytest.raises(UpstreamError):
            reader.finish()
    assert ended.done
    assert ended.feed(ERROR) == ()
    assert ended.finish().choices[0].message.content == "Hi"


@pytest.mark.parametrize("provider", DIALECTS)
@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (400, "model does not support tools", Reason.UPSTREAM_REJECTED_REQUEST),
        (400, "the input length exceeds the context length", Reason.CONTEXT_LENGTH_EXCEEDED),
        (400, "prompt too long; exceeded max context length", Reason.CONTEXT_LENGTH_EXCEEDED),
        (401, "unauthorized", Reason.UPSTREAM_CREDENTIALS_REJECTED),
        (404, "model 'm' not found", Reason.UPSTREAM_MODEL_NOT_FOUND),
        (500, "llama runner process has terminated", Reason.UPSTREAM_INTERNAL_ERROR),
        (502, "ssl handshake failed", Reason.UPSTREAM_UNAVAILABLE),
    ],
)
def test_a_refusal_is_classified(provider: str, status: int, error: str, reason: Reason) -> None:
    body = json.dumps({"error": error}).encode()

    _, found = outcome([body], status=status, provider=provider)

    assert isinstance(found, tuple)
    assert (found[0], found[2]) == (reason, status)
    assert error in found[1]


def test_the_runner_s_own_refusal_is_read_through_ollama_s() -> None:
    inner = {
        "error": {
            "code": 400,
            "message": "request (2622 tokens) exceeds the available context size (512 tokens)",
            "type": "exceed_context_size_error",
        }
    }
    reader = dialect("ollama_chat").reader(True, 400, {})
    reader.feed(json.dumps({"error": json.dumps(inner)}).encode())

    with pytest.raises(UpstreamError) as caught:
        reader.finish()

    assert caught.value.reason is Reason.CONTEXT_LENGTH_EXCEEDED
    assert caught.value.metadata == {"limitTokens": "512", "requestedTokens": "2622"}


@pytest.mark.parametrize("chunk", [b"[]\n", b"17\n", b"data: {}\n\n", b"<html>", b"\x00"])
def test_what_is_no_object_is_malformed(chunk: bytes) -> None:
    assert failed(chunk) == (Reason.UPSTREAM_MALFORMED_RESPONSE, 0)
    assert failed(chunk, stream=False) == (Reason.UPSTREAM_MALFORMED_RESPONSE, 0)


@pytest.mark.parametrize("chunk", [b"{", b"17", b"[]", b'{"message":{"content":1}}', b"\x00"])
def test_a_malformed_line_fails_the_stream(chunk: bytes) -> None:
    assert failed(word("Hi"), chunk + b"\n") == (Reason.UPSTREAM_MALFORMED_RESPONSE, 1)


def test_compressed_replies_are_refused() -> None:
    reader = dialect("ollama").reader(False, 200, {"content-encoding": "gzip"})

    with pytest.raises(UpstreamError) as caught:
        reader.finish()

    assert caught.value.reason is Reason.UPSTREAM_BAD_ENCODING


def test_a_reply_over_the_cap_is_refused_before_it_is_read() -> None:
    reader = dialect("ollama").reader(False, 200, {"content-length": str(33 * 1024 * 1024)})

    with pytest.raises(UpstreamError) as caught:
        reader.feed(b"{")

    assert caught.value.reason is Reason.UPSTREAM_RESPONSE_TOO_LARGE

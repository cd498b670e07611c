"""The listener for scrapers and probes: whoever misbehaves there is cut off and harms nobody."""

import asyncio
import logging
import socket
import threading
import time
from contextlib import suppress

import pytest

from understudy.server import scraping
from understudy.server.errors import ConfigError
from understudy.server.scraping import Answer, answering

from ..stub.eventually import eventually
from .scraping import fetch, send

pytestmark = pytest.mark.asyncio

HOST = "127.0.0.1"


def say(accept: str) -> Answer:
    return Answer(f"said to {accept!r}\n".encode())


def threads() -> int:
    return sum(one.name == "understudy-scrape" for one in threading.enumerate())


async def test_it_answers_by_path_and_only_to_get() -> None:
    async with answering({"/a": say}, HOST, 0, "x") as port:
        url = f"http://{HOST}:{port}"
        found = await asyncio.to_thread(fetch, f"{url}/a?b=c", accept="text/plain")
        lost = await asyncio.to_thread(fetch, f"{url}/nothing")
        refused = await asyncio.to_thread(fetch, f"{url}/a", method="POST")
        head = await asyncio.to_thread(send, url, b"HEAD /a HTTP/1.1\r\nhost: x\r\n\r\n")

    assert (found.status, found.body) == (200, "said to 'text/plain'\n")
    assert (lost.status, lost.body) == (404, "there is /a\n")
    assert refused.status == 405
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"\x16\x03\x01 a TLS client\r\n\r\n", b"400"),
        (b"GET /a HTTP/1.1\r\n\r\n", b"400"),  # without a host
        (b"GET /a HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 20_000, b"431"),
        (b"GET /" + b"a" * 20_000, b"431"),
        (b"GET /a HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n", b"400"),
    ],
)
async def test_what_is_no_request_is_told_so_and_let_go(text: bytes, status: bytes) -> None:
    async with answering({"/a": say}, HOST, 0, "x") as port:
        try:
            answer = await asyncio.to_thread(send, f"http://{HOST}:{port}", text)
        except ConnectionError:
            answer = b"HTTP/1.1 " + status  # cut off while it was still talking
        after = await asyncio.to_thread(fetch, f"http://{HOST}:{port}/a")

    assert answer.split()[1] == status
    assert after.status == 200


async def test_who_drips_is_cut_off_and_the_others_are_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scraping, "LONGEST", 0.5)
    async with answering({"/a": say}, HOST, 0, "x") as port:
        slow = [
            socket.create_connection((HOST, port)) for _ in range(scraping.MOST_CONNECTIONS - 1)
        ]
        began = time.monotonic()
        for one in slow:
            one.sendall(b"GET /a HTTP/1.1\r\nx: ")
        await eventually(lambda: threads() == len(slow))
        answered = await asyncio.to_thread(fetch, f"http://{HOST}:{port}/a")
        took = time.monotonic() - began

        def drip() -> bool:
            for one in slow:
                with suppress(OSError):
                    one.send(b"y")
            return threads() == 0

        await eventually(drip, within=5)
        for one in slow:
            one.close()

    assert answered.status == 200
    assert took < 0.5


async def test_one_too_many_is_cut_off_at_once() -> None:
    async with answering({"/a": say}, HOST, 0, "x") as port:
        many = [socket.create_connection((HOST, port)) for _ in range(50)]
        seats = scraping.MOST_CONNECTIONS
        await eventually(lambda: threads() == seats)

        ends = await asyncio.to_thread(lambda: [one.recv(1) for one in many[seats:]])
        for one in many:
            one.close()
        await eventually(lambda: threads() == 0)
        after = await asyncio.to_thread(fetch, f"http://{HOST}:{port}/a")

    assert set(ends) == {b""}
    assert after.status == 200


async def test_a_page_that_breaks_says_so_in_the_log_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def crash(_: str) -> Answer:
        raise ValueError("sk-canary")

    async with answering({"/a": crash}, HOST, 0, "x") as port:
        with caplog.at_level(logging.ERROR):
            answer = await asyncio.to_thread(
                send, f"http://{HOST}:{port}", b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n"
            )

    assert answer == b""
    assert "a scrape broke: ValueError" in caplog.text
    assert "canary" not in caplog.text


async def test_a_port_that_is_taken_is_a_fault_that_says_what_to_do() -> None:
    async with answering({"/a": say}, HOST, 0, "understudy.metrics") as port:
        with pytest.raises(ConfigError) as caught:
            async with answering({"/a": say}, HOST, port, "understudy.metrics"):
                raise AssertionError

    (told,) = caught.value.faults
    assert told.startswith(f"understudy.metrics.port: cannot listen on 127.0.0.1:{port}: ")
    assert "0 for a free one" in told
    assert "understudy.metrics.enabled: false" in told

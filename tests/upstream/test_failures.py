"""Every way in which an exchange can fail, by the reason that it is given."""

import traceback

import pytest

from understudy.server.domain.deployment import Endpoint
from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream

from ..stub.dead_ends import black_hole, refusing_port
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import ask, fail, prompt, request, soon

pytestmark = pytest.mark.asyncio

CONNECTION_LOST = ["close-before-headers", "reset", "reset-in-head"]
TRUNCATED = [
    "close-in-head",
    "truncated",
    "truncated+chunked",
    "reset-mid-body",
    "reset-mid-body+chunked",
    "words-50+truncated+pace-1ms",
]
MALFORMED = [
    "http09",
    "junk",
    "bad-chunk",
    "bad-reason",
    "many-headers-200",
    "many-headers",
    "long-header",
]


@pytest.mark.parametrize("model", CONNECTION_LOST)
async def test_a_connection_lost_before_a_reply(
    stub: FaultStub, upstream: HttpUpstream, model: str
) -> None:
    await fail(upstream, request(stub.url, model), Reason.UPSTREAM_CONNECTION_LOST)

    assert stub.count == 1
    await eventually(lambda: not upstream.open_connections)


@pytest.mark.parametrize("model", TRUNCATED)
async def test_a_reply_cut_short(stub: FaultStub, upstream: HttpUpstream, model: str) -> None:
    error = await fail(upstream, request(stub.url, model), Reason.UPSTREAM_TRUNCATED)

    assert error.status == (0 if model == "close-in-head" else 200)
    assert stub.count == 1
    await eventually(lambda: not upstream.open_connections)


@pytest.mark.parametrize("model", MALFORMED)
async def test_a_reply_that_is_not_http(
    stub: FaultStub, upstream: HttpUpstream, model: str
) -> None:
    await fail(upstream, request(stub.url, model), Reason.UPSTREAM_MALFORMED_RESPONSE, within=2)

    assert stub.count == 1


async def test_a_stream_cut_short_yields_what_came_first(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    asked = request(stub.url, "words-50+reset-mid-body+pace-1ms", stream=True)
    received: list[bytes] = []

    async def read() -> None:
        async with upstream.exchange(asked, soon()) as exchange:
            async for chunk in exchange.chunks():
                received.append(chunk)

    with pytest.raises(UpstreamError) as caught:
        await read()
    assert caught.value.reason is Reason.UPSTREAM_TRUNCATED
    assert b"word0" in b"".join(received)


async def test_a_refused_connection(upstream: HttpUpstream) -> None:
    with refusing_port() as port:
        origin = f"http://127.0.0.1:{port}"
        error = await fail(upstream, request(origin), Reason.UPSTREAM_CONNECT_FAILED)

    assert error.message == f"cannot connect to {origin}: connection refused"
    assert error.metadata == {"origin": origin}
    await eventually(lambda: not upstream.open_connections)


async def test_a_connection_that_is_never_made() -> None:
    with black_hole() as port:
        async with HttpUpstream(connect_timeout=0.2) as upstream:
            asked = request(f"http://127.0.0.1:{port}")

            await fail(upstream, asked, Reason.UPSTREAM_CONNECT_TIMEOUT)

            await eventually(lambda: not upstream.open_connections)


async def test_a_deadline_sooner_than_the_connect_timeout() -> None:
    with black_hole() as port:
        async with HttpUpstream() as upstream:
            asked = request(f"http://127.0.0.1:{port}")

            await fail(upstream, asked, Reason.UPSTREAM_READ_TIMEOUT, within=0.1)


@pytest.mark.parametrize("model", ["hang-headers", "hang-body"])
async def test_a_silence_longer_than_the_read_timeout(stub: FaultStub, model: str) -> None:
    async with HttpUpstream(read_timeout=0.1) as upstream:
        await fail(upstream, request(stub.url, model), Reason.UPSTREAM_READ_TIMEOUT)

        await eventually(lambda: not stub.open_connections)


async def test_a_steady_drip_outlives_the_read_timeout(stub: FaultStub) -> None:
    async with HttpUpstream(read_timeout=0.2) as upstream:
        asked = request(stub.url, "words-1+bytes-20+pace-20ms")

        async with upstream.exchange(asked, soon()) as exchange:
            assert [chunk async for chunk in exchange.chunks()]


@pytest.mark.parametrize("model", ["gzip", "status-500+gzip", "gzip-70"])
async def test_a_compressed_reply_is_refused_unread(
    stub: FaultStub, upstream: HttpUpstream, model: str
) -> None:
    await fail(upstream, request(stub.url, model), Reason.UPSTREAM_BAD_ENCODING)


@pytest.mark.parametrize("model", ["huge", "huge-8", "huge-declared", "big-number"])
async def test_a_body_over_the_cap_is_cut_and_not_drained(stub: FaultStub, model: str) -> None:
    async with HttpUpstream(max_response_bytes=2 << 20) as upstream:
        await fail(upstream, request(stub.url, model), Reason.UPSTREAM_RESPONSE_TOO_LARGE)

        await eventually(lambda: not stub.open_connections, within=0.2)
        assert not upstream.open_connections


async def test_a_body_of_exactly_the_cap_is_taken(stub: FaultStub) -> None:
    async with HttpUpstream(max_response_bytes=1000) as upstream:
        async with upstream.exchange(request(stub.url, "brackets-1000"), soon()) as exchange:
            body = b"".join([chunk async for chunk in exchange.chunks()])

        assert len(body) == 1000
        await fail(upstream, request(stub.url, "brackets-1001"), Reason.UPSTREAM_RESPONSE_TOO_LARGE)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("http://127.0.0.1:99999/v1", ()),
        ("http://u:sk-canary@127.0.0.1:9/v1", (("authorization", "Bearer sk-canary"),)),
        ("http://127.0.0.1:9/v1", (("authorization", "Bearer sk-canary\n"),)),
        ("http://127.0.0.1:9/v1", (("x-a", "b\r\nx-c: sk-canary"),)),
        ("http://127.0.0.1:9/v1", (("x-a\r\nx-b", "sk-canary"),)),
        ("http://127.0.0.1:9/v1", (("x-a", "sk-canary \ud800"),)),
    ],
)
async def test_an_endpoint_that_nothing_can_be_sent_to(
    upstream: HttpUpstream, url: str, headers: tuple[tuple[str, str], ...]
) -> None:
    asked = HttpRequest(Endpoint(url, headers), prompt("ok"))

    error = await fail(upstream, asked, Reason.DEPLOYMENT_UNUSABLE)

    assert "sk-canary" not in error.message


async def test_errors_name_the_origin_and_hold_no_key(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    headers = (("authorization", "Bearer sk-canary-1"), ("api-key", "sk-canary-2"))
    for model in (*CONNECTION_LOST, *TRUNCATED, *MALFORMED, "gzip", "echo-key+gzip"):
        url = f"{stub.url}/v1/chat/completions?key=sk-canary-3"
        asked = HttpRequest(Endpoint(url, headers), prompt(model))

        with pytest.raises(UpstreamError) as caught:
            await ask(upstream, asked)

        told = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert "sk-canary" not in told
        assert stub.url in str(caught.value)

"""What a reply looks like when all goes well, and what a request says."""

import asyncio
import json

import pytest

from understudy.server.domain.deployment import Endpoint
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream

from ..stub.faultstub import FaultStub
from .asking import ask, endpoint, prompt, request, soon

pytestmark = pytest.mark.asyncio


async def test_a_reply_has_status_headers_by_lower_case_names_and_the_body_as_sent(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    answer = await ask(upstream, request(stub.url, "gpt-4"))

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert "x-stub-service-ms" in list(answer.headers)
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "Hello from gpt-4."


async def test_a_stream_is_yielded_as_it_comes(stub: FaultStub, upstream: HttpUpstream) -> None:
    asked = request(stub.url, "words-5+pace-20ms", stream=True)
    times: list[float] = []

    async with upstream.exchange(asked, soon()) as exchange:
        chunks: list[bytes] = []
        async for chunk in exchange.chunks():
            times.append(asyncio.get_running_loop().time())
            chunks.append(chunk)

    assert len(chunks) >= 6
    assert times[-1] - times[0] >= 0.1
    assert b"".join(chunks).endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    "model", ["ok+chunked", "ok+bytes-3+pace-1ms", "ok+until-eof", "words-5000"]
)
async def test_a_body_is_whole_however_it_is_framed(
    stub: FaultStub, upstream: HttpUpstream, model: str
) -> None:
    answer = await ask(upstream, request(stub.url, model))

    assert json.loads(answer.body)["usage"]["prompt_tokens"] == 1


@pytest.mark.parametrize("status", [204, 304, 400, 401, 404, 429, 500, 503, 529, 600])
async def test_any_status_is_a_reply(stub: FaultStub, upstream: HttpUpstream, status: int) -> None:
    answer = await ask(upstream, request(stub.url, f"status-{status}"))

    assert answer.status == status


async def test_a_request_carries_the_endpoints_headers_and_the_body_untouched(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    body = '{"model":"ok","b":1,"a":12345678901234567890,"ü":"\U0001f600"}'.encode()
    headers = (("Authorization", "Bearer sk-x"), ("X-Title", "é"))

    await ask(upstream, HttpRequest(endpoint(stub.url, headers), body))

    seen = stub.requests[0]
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.body == body
    assert seen.headers["authorization"] == "Bearer sk-x"
    assert seen.headers["content-length"] == str(len(body))
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["host"] == f"127.0.0.1:{stub.port}"


@pytest.mark.parametrize("encoding", ["", "gzip, br"])
async def test_identity_is_asked_for_whatever_the_endpoint_says(
    stub: FaultStub, upstream: HttpUpstream, encoding: str
) -> None:
    headers = (("accept-encoding", encoding),) if encoding else ()

    await ask(upstream, request(stub.url, headers=headers))

    assert stub.requests[0].headers["accept-encoding"] == "identity"


async def test_a_large_body_is_sent_whole(stub: FaultStub, upstream: HttpUpstream) -> None:
    body = prompt("ok", content="x" * (5 << 20))

    answer = await ask(upstream, HttpRequest(endpoint(stub.url), body))

    assert answer.status == 200
    assert stub.requests[0].body == body
    assert stub.requests[0].headers["content-length"] == str(len(body))


async def test_a_url_keeps_its_query_and_its_escapes(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    target = "/openai/deployments/my%2Fmodel/chat/completions?api-version=2024-02-01&x=a%20b"

    await ask(upstream, HttpRequest(Endpoint(stub.url + target, ()), prompt("ok")))

    assert stub.requests[0].path == target


async def test_connections_are_kept_and_used_again(stub: FaultStub, upstream: HttpUpstream) -> None:
    for model in ("ok", "status-500", "words-5000", "ok"):
        await ask(upstream, request(stub.url, model))
    await ask(upstream, request(stub.url, "words-20", stream=True))

    assert stub.connection_count == 1
    assert upstream.open_connections == 1


async def test_a_reply_that_nobody_reads_leaves_the_connection_fit_for_use(
    stub: FaultStub, upstream: HttpUpstream
) -> None:
    for _ in range(3):
        async with upstream.exchange(request(stub.url), soon()) as exchange:
            assert exchange.status == 200

    assert stub.connection_count == 1


async def test_cookies_are_not_kept(stub: FaultStub, upstream: HttpUpstream) -> None:
    answer = await ask(upstream, request(stub.url, "set-cookie"))
    await ask(upstream, request(stub.url, "set-cookie"))

    assert answer.headers["set-cookie"].startswith("session=")
    assert all("cookie" not in seen.headers for seen in stub.requests)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(upstream: HttpUpstream, status: int) -> None:
    async with FaultStub() as target, FaultStub(redirect_to=f"{target.url}/v1") as stub:
        answer = await ask(upstream, request(stub.url, f"redirect-{status}"))

        assert answer.status == status
        assert target.connection_count == 0

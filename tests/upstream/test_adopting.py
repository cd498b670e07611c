"""CA files are read again with the configuration; connections last as long as they say the same."""

from pathlib import Path

import pytest

from understudy.server.domain.deployment import Endpoint, Trust
from understudy.server.errors import Reason
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream
from understudy.server.upstream.egress import USUAL, TlsContexts

from ..stub.certificates import Authority
from ..stub.faultstub import FaultStub
from .asking import ask, fail, prompt


def request(origin: str, trust: Trust | None) -> HttpRequest:
    return HttpRequest(Endpoint(f"{origin}/v1/chat/completions", (), trust=trust), prompt("ok"))


def read(trust: Trust, ca_file: str | None = None) -> TlsContexts:
    contexts = TlsContexts(ca_file)
    for one in (USUAL, trust):
        contexts.find(one)
    return contexts


@pytest.mark.asyncio
async def test_the_same_file_keeps_its_connections_and_another_makes_new_ones(
    tmp_path: Path,
) -> None:
    authority, other = Authority(), Authority()
    trust = Trust(ca_file=authority.write_to(tmp_path))
    contexts = read(trust)
    async with (
        FaultStub(tls=authority.serve_as("127.0.0.1")) as stub,
        HttpUpstream(tls=contexts) as upstream,
    ):
        before = request(stub.url, trust)
        await ask(upstream, before)
        contexts.adopt(read(trust))
        await ask(upstream, request(stub.url, trust))
        assert [one.requests for one in stub.connections] == [2]

        assert other.write_to(tmp_path) == trust.ca_file
        contexts.adopt(read(trust))
        await fail(upstream, request(stub.url, trust), Reason.UPSTREAM_TLS_UNTRUSTED)
        assert (await ask(upstream, before)).status == 200  # a call of the file that was


@pytest.mark.asyncio
async def test_the_services_own_file_may_become_another(tmp_path: Path) -> None:
    authority = Authority()
    contexts = read(USUAL)
    async with (
        FaultStub(tls=authority.serve_as("127.0.0.1")) as stub,
        HttpUpstream(tls=contexts) as upstream,
    ):
        await fail(upstream, request(stub.url, None), Reason.UPSTREAM_TLS_UNTRUSTED)
        contexts.adopt(read(USUAL, authority.write_to(tmp_path)))

        assert (await ask(upstream, request(stub.url, None))).status == 200
        assert (await ask(upstream, request(stub.url, Trust(verify=False)))).status == 200

"""How the client reaches a service: balanced, secured, past proxies, with large messages."""

import asyncio
import re
from pathlib import Path

import grpc
import pytest
import trustme

from understudy import client
from understudy.v1.completion_pb2 import CreateCompletionRequest, ListModelsRequest
from understudy.v1.completion_pb2_grpc import CompletionServiceStub

from ..stub.eventually import eventually_sync
from .asking import FLAVOURS, HI, Flavour, ask
from .scripted import Server, serving


@pytest.mark.parametrize("names", ["127.0.0.1", "localhost"])
def test_calls_go_round_all_servers(names: str) -> None:
    with serving() as one, serving() as two:
        target = ",".join(each.address.replace("127.0.0.1", names) for each in (one, two))
        with client.Client(target) as both:

            def ask_again() -> bool:
                both.completion("m", HI)
                return bool(one.service.requests and two.service.requests)

            eventually_sync(ask_again)
            counts = [len(each.service.requests) for each in (one, two)]
            for _ in range(10):
                both.completion("m", HI)

        more = [len(each.service.requests) for each in (one, two)]

    assert [now - before for now, before in zip(more, counts, strict=True)] == [5, 5]


def test_a_server_that_says_not_serving_gets_no_calls() -> None:
    with (
        serving() as one,
        serving() as two,
        client.Client(f"{one.address},{two.address}") as both,
    ):

        def ask_one() -> bool:
            both.completion("m", HI)
            return len(one.service.requests) > 0

        def passes_by() -> bool:
            before = len(one.service.requests)
            for _ in range(4):
                both.completion("m", HI)
            return len(one.service.requests) == before

        eventually_sync(ask_one)
        one.health.set(serving=False)
        eventually_sync(passes_by)
        one.health.set(serving=True)
        one.service.requests.clear()
        eventually_sync(ask_one)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_server_without_health_counts_as_healthy(flavour: Flavour) -> None:
    with serving(with_health=False) as server:
        assert ask(flavour, server.address) == ["hi"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_one_dead_address_in_a_list_harms_nobody(flavour: Flavour, server: Server) -> None:
    answers = [ask(flavour, f"127.0.0.1:9,{server.address}") for _ in range(3)]

    assert answers == [["hi"]] * 3


@pytest.mark.parametrize("prefix", ["dns:///", "dns:", ""])
def test_a_name_is_looked_up(prefix: str, server: Server) -> None:
    port = server.address.rpartition(":")[2]

    assert ask("sync", f"{prefix}localhost:{port}") == ["hi"]


def test_a_unix_socket_is_a_target(tmp_path: Path) -> None:
    with serving(f"unix:{tmp_path}/u.sock") as server:
        assert ask("sync", server.address) == ["hi"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_proxy_of_the_environment_is_not_used(
    flavour: Flavour, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)

    port = server.address.rpartition(":")[2]

    assert ask(flavour, server.address) == ["hi"]
    assert ask(flavour, f"localhost:{port}") == ["hi"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_messages_of_20_mib_pass_both_ways(flavour: Flavour, server: Server) -> None:
    text = "x" * (20 << 20)

    async def ask_async() -> str:
        async with client.AsyncClient(server.address) as one:
            answer = await one.completion("m", [{"role": "user", "content": text}])
            return answer.choices[0].message.content

    def ask_sync() -> str:
        with client.Client(server.address) as one:
            answer = one.completion("m", [{"role": "user", "content": text}])
            return answer.choices[0].message.content

    got = asyncio.run(ask_async()) if flavour == "async" else ask_sync()

    assert len(got) == len(text)


def test_a_message_past_the_limit_is_refused_before_it_is_sent(server: Server) -> None:
    text = "x" * (33 << 20)

    with client.Client(server.address) as one, pytest.raises(client.ResourceExhausted):
        one.completion("m", [{"role": "user", "content": text}])

    assert server.service.requests == []


def test_the_client_says_who_it_is(server: Server) -> None:
    ask("sync", server.address)

    agent = server.service.metadata[0]["user-agent"]
    assert re.match(r"understudy-python/\S+ grpc-python/", str(agent))
    assert "authorization" not in server.service.metadata[0]


class Certificates:
    """An authority, a server's credentials by it, and the files of a client."""

    def __init__(self, folder: Path, *names: str, ask_for_certificate: bool = False) -> None:
        authority = trustme.CA()
        server = authority.issue_cert(*names)
        mine = authority.issue_cert("caller.example")
        self.ca_file = str(folder / "ca.pem")
        self.cert_file = str(folder / "cert.pem")
        self.key_file = str(folder / "key.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        mine.cert_chain_pems[0].write_to_path(self.cert_file)
        mine.private_key_pem.write_to_path(self.key_file)
        self.credentials = grpc.ssl_server_credentials(
            [(server.private_key_pem.bytes(), server.cert_chain_pems[0].bytes())],
            authority.cert_pem.bytes(),
            require_client_auth=ask_for_certificate,
        )


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_an_authority_of_the_environment_turns_tls_on(
    flavour: Flavour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Certificates(tmp_path, "localhost")
    monkeypatch.setenv("UNDERSTUDY_CA_FILE", files.ca_file)
    monkeypatch.setenv("UNDERSTUDY_API_KEY", "k")

    with serving("localhost:0", credentials=files.credentials) as server:
        assert ask(flavour, server.address) == ["hi"]
        assert server.service.metadata[0]["authorization"] == "Bearer k"


def test_an_unknown_authority_is_not_trusted(tmp_path: Path) -> None:
    files = Certificates(tmp_path, "localhost")

    with serving("localhost:0", credentials=files.credentials) as server:
        with (
            client.Client(server.address, tls=True) as one,
            pytest.raises(client.Unavailable) as caught,
        ):
            one.completion("m", HI)

        assert server.service.requests == []
    assert caught.value.reason == "NO_SERVER"


def test_another_hosts_certificate_is_not_trusted(tmp_path: Path) -> None:
    files = Certificates(tmp_path, "other.example")

    with serving("localhost:0", credentials=files.credentials) as server:
        tls = client.Tls(ca_file=files.ca_file)
        with client.Client(server.address, tls=tls) as one, pytest.raises(client.Unavailable):
            one.completion("m", HI)
        named = client.Tls(ca_file=files.ca_file, server_name="other.example")
        with client.Client(server.address, tls=named) as one:
            assert one.completion("m", HI).id == "1"


def test_a_list_of_servers_shares_one_name_under_tls(tmp_path: Path) -> None:
    files = Certificates(tmp_path, "localhost")

    with (
        serving("localhost:0", credentials=files.credentials) as one,
        serving("localhost:0", credentials=files.credentials) as two,
        client.Client(f"{one.address},{two.address}", tls={"ca_file": files.ca_file}) as both,
    ):

        def ask_both() -> bool:
            both.completion("m", HI)
            return bool(one.service.requests and two.service.requests)

        # A port of one family may be somebody else's in the other; then it is tried again later.
        eventually_sync(ask_both, within=20)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_client_certificate_is_shown_when_asked_for(flavour: Flavour, tmp_path: Path) -> None:
    files = Certificates(tmp_path, "localhost", ask_for_certificate=True)
    tls = client.Tls(ca_file=files.ca_file, cert_file=files.cert_file, key_file=files.key_file)

    async def ask_async(target: str) -> str:
        async with client.AsyncClient(target, tls=tls) as one:
            return (await one.completion("m", HI)).id

    with serving("localhost:0", credentials=files.credentials) as server:
        if flavour == "async":
            assert asyncio.run(ask_async(server.address)) == "1"
        else:
            with client.Client(server.address, tls=tls) as one:
                assert one.completion("m", HI).id == "1"


def test_a_missing_file_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pem"):
        client.Client(tls={"ca_file": f"{tmp_path}/nowhere.pem"})


def test_a_raw_stub_is_grpcs_own(server: Server) -> None:
    with client.Client(server.address, api_key="k") as one:
        stub = one.raw_stub(CompletionServiceStub)
        stub.CreateCompletion(CreateCompletionRequest(model="m"), metadata=one.raw_metadata)

    assert server.service.metadata[0]["authorization"] == "Bearer k"


@pytest.mark.asyncio
async def test_a_raw_stub_of_an_async_client_is_awaited(server: Server) -> None:
    async with client.AsyncClient(server.address) as one:
        stub = await one.raw_stub(CompletionServiceStub)
        reply = await stub.ListModels(ListModelsRequest())

    assert list(reply.models) == []

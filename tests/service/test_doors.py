"""Who gets in: keys, certificates, and the rule for listening beyond loopback."""

import hashlib
import socket
from pathlib import Path

import grpc
import pytest
import trustme

from understudy.server.config import parse
from understudy.server.errors import ConfigError
from understudy.server.listening import check_exposure, is_loopback
from understudy.v1 import (
    completion_pb2,
    completion_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
)

from .asking import prompt, told
from .configs import write
from .running import local

SIMULATED = {"model_name": "g", "litellm_params": {"model": "simulated/g"}}
KEY = "a-caller's-key"
KEYS = [
    {"name": "billing", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "roles": ["caller"]}
]
C = grpc.StatusCode


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("metadata", "code", "reason"),
    [
        ((), C.UNAUTHENTICATED, "CREDENTIALS_MISSING"),
        ((("authorization", "Bearer wrong"),), C.UNAUTHENTICATED, "CREDENTIALS_REJECTED"),
    ],
)
async def test_without_a_known_key_nobody_is_answered(
    metadata: tuple[tuple[str, str], ...], code: grpc.StatusCode, reason: str
) -> None:
    config = write(SIMULATED, understudy={"server": {"port": 0, "api_keys": KEYS}})
    async with local(config) as running:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.stub.CreateCompletion(prompt("g"), metadata=metadata)

    found = told(caught.value)
    assert (found.code, found.reason) == (code, reason)


@pytest.mark.asyncio
async def test_a_key_opens_what_its_role_may() -> None:
    config = write(SIMULATED, understudy={"server": {"port": 0, "api_keys": KEYS}})
    metadata = (("authorization", f"Bearer {KEY}"),)
    async with local(config) as running:
        answer = await running.stub.CreateCompletion(prompt("g"), metadata=metadata)
        operations = operations_pb2_grpc.OperationsServiceStub(running.channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await operations.PauseMirroring(
                operations_pb2.PauseMirroringRequest(), metadata=metadata
            )

    assert answer.choices
    assert told(caught.value).reason == "ROLE_MISSING"


@pytest.mark.asyncio
async def test_over_tls_a_client_certificate_proves_who_calls(tmp_path: Path) -> None:
    authority, strangers = trustme.CA(), trustme.CA()
    files = {"cert": authority.issue_cert("localhost"), "client": authority.issue_cert("billing")}
    pem = {name: tmp_path / name for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(str(pem["ca"]))
    files["cert"].cert_chain_pems[0].write_to_path(str(pem["cert"]))
    files["cert"].private_key_pem.write_to_path(str(pem["key"]))
    tls = {
        "cert_file": str(pem["cert"]),
        "key_file": str(pem["key"]),
        "client_ca_file": str(pem["ca"]),
        "clients": [{"subject": "billing", "name": "billing", "roles": ["caller"]}],
    }
    config = write(SIMULATED, understudy={"server": {"port": 0, "host": "localhost", "tls": tls}})

    async def ask(leaf: trustme.LeafCert, address: str) -> completion_pb2.CreateCompletionResponse:
        credentials = grpc.ssl_channel_credentials(
            authority.cert_pem.bytes(),
            leaf.private_key_pem.bytes(),
            leaf.cert_chain_pems[0].bytes(),
        )
        async with grpc.aio.secure_channel(address, credentials) as channel:
            stub = completion_pb2_grpc.CompletionServiceStub(channel)
            return await stub.CreateCompletion(prompt("g"), timeout=5)

    async with local(config) as running:
        answer = await ask(files["client"], running.service.address)
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await ask(authority.issue_cert("somebody-else"), running.service.address)
        with pytest.raises(grpc.aio.AioRpcError) as stranger:
            await ask(strangers.issue_cert("billing"), running.service.address)

    assert answer.choices
    assert told(unknown.value).reason == "CREDENTIALS_MISSING"
    assert stranger.value.code() is C.UNAVAILABLE


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.com", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, inside: bool) -> None:
    assert is_loopback(host) is inside


def exposure(**server: object) -> list[str]:
    config = parse(write(SIMULATED, understudy={"server": server}), "test.yaml", {})
    return check_exposure(config.settings.server)


def test_beyond_loopback_keys_are_wanted() -> None:
    with pytest.raises(ConfigError, match="api_keys"):
        exposure(host="0.0.0.0")


def test_insecure_is_warned_of_at_each_start() -> None:
    assert "everybody" in exposure(host="0.0.0.0", insecure=True)[0]


def test_keys_in_the_clear_are_warned_of() -> None:
    assert "in the clear" in exposure(host="0.0.0.0", api_keys=KEYS)[0]


def test_on_loopback_nothing_is_wanted() -> None:
    assert exposure(host="127.0.0.1") == []


@pytest.mark.asyncio
async def test_a_taken_port_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        config = write(SIMULATED, understudy={"server": {"port": taken.getsockname()[1]}})
        with pytest.raises(ConfigError, match="cannot listen"):
            async with local(config):
                pass


@pytest.mark.asyncio
async def test_two_services_cannot_share_a_port() -> None:
    async with local(write(SIMULATED)) as first:
        config = write(SIMULATED, understudy={"server": {"port": first.service.port}})
        with pytest.raises(ConfigError, match="cannot listen"):
            async with local(config):
                pass


@pytest.mark.asyncio
async def test_models_are_listed_page_by_page() -> None:
    names = [f"model-{number:02}" for number in range(25)]
    entries = [
        {
            "model_name": name,
            "litellm_params": {"model": "simulated/x", "weight": int(name > "model-02")},
        }
        for name in names
    ]
    config = write(*entries, router_settings={"model_group_alias": {"best": "model-07"}})
    async with local(config) as running:
        found: list[completion_pb2.Model] = []
        token = ""
        while True:
            page = await running.stub.ListModels(
                completion_pb2.ListModelsRequest(page_size=10, page_token=token)
            )
            found += page.models
            token = page.next_page_token
            if not token:
                break
        usable = await running.stub.ListModels(
            completion_pb2.ListModelsRequest(filter='state = USABLE AND id = "model-0*"')
        )

    assert [one.id for one in found] == sorted([*names, "best"])
    assert next(one for one in found if one.id == "best").alias_of == "model-07"
    assert found[1].reason == "GROUP_HAS_NO_WEIGHT"
    assert [one.id for one in usable.models] == [f"model-{at:02}" for at in range(3, 10)]
    assert found[5].providers == ["simulated"]

"""Certificates are read again with the file, and connections there are stay as they are."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from understudy.server.config import TlsSettings
from understudy.server.errors import ConfigError
from understudy.server.listening import read_pems
from understudy.v1 import completion_pb2_grpc

from .asking import prompt
from .configs import write
from .reloading import Reloadable, reloadable

SIMULATED = {"model_name": "g", "litellm_params": {"model": "simulated/g"}}


class Files:
    """The PEM files of a service."""

    def __init__(self, folder: Path) -> None:
        self.cert, self.key, self.client_ca = (folder / one for one in ("cert", "key", "ca"))

    def issue(self, authority: trustme.CA) -> None:
        """Write a certificate of this authority, and its key."""
        leaf = authority.issue_cert("localhost")
        leaf.cert_chain_pems[0].write_to_path(str(self.cert))
        leaf.private_key_pem.write_to_path(str(self.key))

    def trust(self, authority: trustme.CA) -> None:
        """Let this authority's clients in."""
        authority.cert_pem.write_to_path(str(self.client_ca))

    def section(self, *, clients: bool = False) -> dict[str, Any]:
        """What the configuration says of them."""
        tls: dict[str, Any] = {"cert_file": str(self.cert), "key_file": str(self.key)}
        if clients:
            tls["client_ca_file"] = str(self.client_ca)
            tls["clients"] = [{"subject": "billing", "roles": ["caller"]}]
        return {"server": {"port": 0, "host": "localhost", "tls": tls}}


@asynccontextmanager
async def connected(
    service: Reloadable, authority: trustme.CA, client: trustme.LeafCert | None = None
) -> AsyncGenerator["completion_pb2_grpc.CompletionServiceAsyncStub"]:
    """A connection of its own, by somebody who trusts this authority."""
    credentials = grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(),
        None if client is None else client.private_key_pem.bytes(),
        None if client is None else client.cert_chain_pems[0].bytes(),
    )
    options = [("grpc.use_local_subchannel_pool", 1)]
    address = service.service.address
    async with grpc.aio.secure_channel(address, credentials, options) as channel:
        yield completion_pb2_grpc.CompletionServiceStub(channel)


async def is_let_in(
    service: Reloadable, authority: trustme.CA, client: trustme.LeafCert | None = None
) -> bool:
    async with connected(service, authority, client) as stub:
        call = stub.CreateCompletion(prompt("g"), timeout=5)
        code = await call.code()
        assert code in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
        return code is grpc.StatusCode.OK


@pytest.mark.asyncio
async def test_a_certificate_that_was_renewed_is_shown_to_who_connects_next(
    tmp_path: Path,
) -> None:
    old, new = trustme.CA(), trustme.CA()
    files = Files(tmp_path)
    files.issue(old)
    text = write(SIMULATED, understudy=files.section())
    async with (
        reloadable(tmp_path / "c.yaml", text) as service,
        connected(service, old) as before,
    ):
        await before.CreateCompletion(prompt("g"), timeout=5)
        assert await is_let_in(service, old)
        files.issue(new)
        assert await is_let_in(service, old)  # nobody has asked for them to be read

        assert await service.reload() == ""
        let_in = {name: await is_let_in(service, one) for name, one in (("old", old), ("new", new))}
        await before.CreateCompletion(prompt("g"), timeout=5)

    assert let_in == {"old": False, "new": True}
    assert service.log == ["the configuration is reloaded: certificates"]


@pytest.mark.asyncio
async def test_another_client_authority_counts_from_the_next_connection(tmp_path: Path) -> None:
    authority, old, new = trustme.CA(), trustme.CA(), trustme.CA()
    files = Files(tmp_path)
    files.issue(authority)
    files.trust(old)
    text = write(SIMULATED, understudy=files.section(clients=True))
    clients = {"old": old.issue_cert("billing"), "new": new.issue_cert("billing")}

    async def who_is_let_in(service: Reloadable) -> set[str]:
        return {name for name, one in clients.items() if await is_let_in(service, authority, one)}

    async with (
        reloadable(tmp_path / "c.yaml", text) as service,
        connected(service, authority, clients["old"]) as before,
    ):
        await before.CreateCompletion(prompt("g"), timeout=5)
        first = await who_is_let_in(service)
        files.trust(new)
        assert await service.reload() == ""
        second = await who_is_let_in(service)
        await before.CreateCompletion(prompt("g"), timeout=5)

    assert (first, second) == ({"old"}, {"new"})


@pytest.mark.asyncio
async def test_a_client_authority_is_asked_for_until_the_next_start(tmp_path: Path) -> None:
    authority, trusted = trustme.CA(), trustme.CA()
    files = Files(tmp_path)
    files.issue(authority)
    files.trust(trusted)
    text = write(SIMULATED, understudy=files.section(clients=True))
    async with reloadable(tmp_path / "c.yaml", text) as service:
        assert await service.reload(write(SIMULATED, understudy=files.section())) == ""
        without = await is_let_in(service, authority)
        with_one = await is_let_in(service, authority, trusted.issue_cert("billing"))

    assert (without, with_one) == (False, True)
    assert service.log[-1] == (
        "changed, but take effect at the next start: understudy.server.tls.client_ca_file"
    )


@pytest.mark.asyncio
async def test_a_key_of_another_certificate_changes_nothing(tmp_path: Path) -> None:
    authority = trustme.CA()
    files = Files(tmp_path)
    files.issue(authority)
    text = write(SIMULATED, understudy=files.section())
    async with reloadable(tmp_path / "c.yaml", text) as service:
        other = authority.issue_cert("localhost")
        other.private_key_pem.write_to_path(str(files.key))
        refused = await service.reload()

        assert refused.startswith("understudy.server.tls.cert_file: is no certificate with its")
        assert await is_let_in(service, authority)


def test_the_key_is_in_no_repr(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.issue(trustme.CA())

    pems = read_pems(TlsSettings(cert_file=str(files.cert), key_file=str(files.key)))

    assert pems is not None
    assert "PRIVATE" not in repr(pems)


@pytest.mark.parametrize("what", ["cert", "key", "client_ca"])
def test_a_file_that_is_no_pem_is_refused_by_its_key(tmp_path: Path, what: str) -> None:
    files = Files(tmp_path)
    files.issue(trustme.CA())
    files.trust(trustme.CA())
    getattr(files, what).write_text("no PEM")
    settings = TlsSettings(
        cert_file=str(files.cert), key_file=str(files.key), client_ca_file=str(files.client_ca)
    )

    with pytest.raises(ConfigError, match=r"understudy\.server\.tls\.c"):
        read_pems(settings)

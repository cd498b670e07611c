"""Which addresses are contacted: operators' own, and none that clouds hand out secrets from."""

import socket
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.errors import Reason
from understudy.server.upstream import HttpUpstream
from understudy.server.upstream.addresses import find_refusal
from understudy.server.upstream.sockets import AddressRefusedError, SocketFactory

from ..stub.faultstub import FaultStub
from .asking import ask, fail, request

FORBIDDEN = [
    "169.254.169.254",
    "169.254.0.1",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "not an address",
]
PERMITTED = ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "1.1.1.1",
             "::1", "fd00::1", "2606:4700::1111", "::ffff:127.0.0.1", "64:ff9b::1.1.1.1"]  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_some_addresses_are_refused(address: str) -> None:
    assert find_refusal(address)


@pytest.mark.parametrize("address", PERMITTED)
def test_operators_may_name_public_private_and_loopback_addresses(address: str) -> None:
    assert find_refusal(address) == ""


@given(st.integers(0, 2**16 - 1), st.sampled_from(["::ffff:{}", "64:ff9b::{}", "2002:{}::7"]))
def test_no_disguise_of_a_link_local_address_passes(low: int, disguise: str) -> None:
    number = 169 << 24 | 254 << 16 | low
    hexadecimal = f"{number >> 16:x}:{number & 0xFFFF:x}"

    assert find_refusal(str(IPv4Address(number)))
    assert find_refusal(disguise.format(hexadecimal))


def test_no_socket_is_made_for_a_refused_address() -> None:
    factory = SocketFactory()

    with pytest.raises(AddressRefusedError, match="link-local"):
        factory((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("169.254.169.254", 80)))

    assert factory.open_count == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]", "0.0.0.0",
                                  "[fe80::1]", "[2002:a9fe:a9fe::1]"])  # fmt: skip
async def test_literal_addresses_are_checked(upstream: HttpUpstream, host: str) -> None:
    error = await fail(upstream, request(f"http://{host}:80"), Reason.UPSTREAM_ADDRESS_REFUSED)

    assert error.message.startswith(f"http://{host}:80 is not contacted: its address is ")


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["127.1", "2130706433", "017700000001"])
async def test_addresses_in_odd_notations_are_refused(
    stub: FaultStub, upstream: HttpUpstream, host: str
) -> None:
    asked = request(f"http://{host}:{stub.port}")

    await fail(upstream, asked, Reason.UPSTREAM_ADDRESS_REFUSED)

    assert stub.connection_count == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("host", ["0xa9fea9fe", "metadata.test"])
async def test_names_are_checked_by_what_they_resolve_to(host: str) -> None:
    async with HttpUpstream(lookup=lambda _: ["169.254.169.254"]) as upstream:
        await fail(upstream, request(f"http://{host}:80"), Reason.UPSTREAM_ADDRESS_REFUSED)


@pytest.mark.asyncio
async def test_a_forbidden_address_beside_a_permitted_one_is_passed_over(stub: FaultStub) -> None:
    async with HttpUpstream(lookup=lambda _: ["169.254.1.1", "fe80::1", "127.0.0.1"]) as upstream:
        answer = await ask(upstream, request(f"http://mixed.test:{stub.port}"))

    assert answer.status == 200


@pytest.mark.asyncio
async def test_several_forbidden_addresses_are_refused_together() -> None:
    async with HttpUpstream(lookup=lambda _: ["169.254.1.1", "224.0.0.1", "fe80::1"]) as upstream:
        asked = request("http://forbidden.test:80")

        await fail(upstream, asked, Reason.UPSTREAM_ADDRESS_REFUSED)

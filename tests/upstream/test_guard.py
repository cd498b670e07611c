"""Where callers lead, only the public internet is contacted: no spelling and no resolver gets by."""

import threading
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.domain.deployment import Endpoint
from understudy.server.errors import Reason, UpstreamError
from understudy.server.ports import HttpRequest
from understudy.server.upstream import HttpUpstream
from understudy.server.upstream.addresses import find_public_refusal

from ..stub.certificates import Authority
from ..stub.closed_world import ClosedWorld
from ..stub.faultstub import FaultStub
from .asking import ask, fail, prompt, request

PUBLIC = "93.184.216.34"  # in the closed world, nobody is there
LOOPBACK = "127.0.0.1"
PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "240.0.0.1", "198.18.0.1", "192.0.2.1",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1::1.1.1.1",
    "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1", "2001:0:a9fe:a9fe::1",
    "fd00::1", "fc00::1", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "100::1", "2001:db8::1",
    "fd00:ec2::254", "fd20:ce::254", "4000::1", "no address",
]  # fmt: skip
OPEN = [PUBLIC, "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"]  # fmt: skip


@pytest.fixture
def world() -> Iterator[ClosedWorld]:
    with pytest.MonkeyPatch.context() as patch:
        made = ClosedWorld({"localhost": [LOOPBACK, "::1"], "localhost.": [LOOPBACK]})
        made.install(patch)
        yield made


def named(origin: str) -> HttpRequest:
    """A request to where a caller leads."""
    endpoint = Endpoint(f"{origin}/v1/chat/completions", (), public_only=True)
    return HttpRequest(endpoint, prompt("ok"))


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert find_public_refusal(address)


@pytest.mark.parametrize("address", OPEN)
def test_what_is_public_is_not(address: str) -> None:
    assert find_public_refusal(address) == ""


@given(st.integers(0, 2**32 - 1))
def test_no_wrapping_makes_an_address_public(number: int) -> None:
    address = IPv4Address(number)
    wrapped = [
        IPv6Address(0xFFFF << 32 | number),  # v4-mapped
        IPv6Address(0x64FF9B << 96 | number),  # NAT64
        IPv6Address(0x2002 << 112 | number << 80 | 1),  # 6to4
    ]

    for one in (address, *wrapped):
        if not address.is_global:
            assert find_public_refusal(str(one)), one
    assert find_public_refusal(str(IPv6Address(number)))  # v4-compatible
    assert find_public_refusal(str(IPv6Address(0x2001 << 112 | number)))  # Teredo


@given(st.integers(0, 2**128 - 1).filter(lambda number: number >> 125 != 1))
def test_of_ipv6_only_global_unicast_is_public(number: int) -> None:
    address = IPv6Address(number)
    if address.ipv4_mapped is None and number >> 32 != 0x64FF9B << 64:
        assert find_public_refusal(str(address))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "2130706433", "017700000001",
     "0x7f000001", "localhost", "localhost.", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"],
)  # fmt: skip
async def test_no_literal_and_no_name_of_loopback_is_contacted(
    stub: FaultStub, upstream: HttpUpstream, world: ClosedWorld, host: str
) -> None:
    await fail(upstream, named(f"http://{host}:{stub.port}"), Reason.UPSTREAM_ADDRESS_REFUSED)

    assert (world.contacted, stub.connection_count) == ([], 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("addresses", [[one] for one in PRIVATE[:-1]], ids=lambda one: one[0])
async def test_no_name_leads_into_a_private_network(
    stub: FaultStub, world: ClosedWorld, addresses: Sequence[str]
) -> None:
    async with HttpUpstream(lookup=lambda _: addresses) as upstream:
        asked = named(f"http://evil.test:{stub.port}")

        await fail(upstream, asked, Reason.UPSTREAM_ADDRESS_REFUSED)

    assert (world.contacted, stub.connection_count) == ([], 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("order", [1, -1])
async def test_one_private_address_spoils_the_whole_answer(
    stub: FaultStub, world: ClosedWorld, order: int
) -> None:
    async with HttpUpstream(lookup=lambda _: [PUBLIC, LOOPBACK][::order]) as upstream:
        asked = named(f"http://mixed.test:{stub.port}")

        await fail(upstream, asked, Reason.UPSTREAM_ADDRESS_REFUSED)

    assert world.contacted == []


@pytest.mark.asyncio
@pytest.mark.parametrize("first", [PUBLIC, LOOPBACK])
async def test_a_name_that_is_bound_anew_at_each_look_up_never_reaches_loopback(
    stub: FaultStub, world: ClosedWorld, first: str
) -> None:
    answers = cycle([[first], [LOOPBACK if first == PUBLIC else PUBLIC]])
    for _ in range(6):  # upstreams, because each looks a name up once in half a minute
        async with HttpUpstream(lookup=lambda _: next(answers)) as upstream:
            for _ in range(2):
                with pytest.raises(UpstreamError):
                    await ask(upstream, named(f"http://rebound.test:{stub.port}"))

    assert stub.connection_count == 0
    assert set(world.contacted) == {PUBLIC}


@pytest.mark.asyncio
async def test_the_public_address_that_was_checked_is_the_one_that_is_contacted(
    world: ClosedWorld,
) -> None:
    looked_up: list[str] = []

    def lookup(host: str) -> Sequence[str]:
        looked_up.append(host)
        return [PUBLIC]

    async with HttpUpstream(lookup=lookup) as upstream:
        await fail(upstream, named("https://model.test"), Reason.UPSTREAM_CONNECT_FAILED)

    assert (looked_up, world.contacted) == (["model.test"], [PUBLIC])


@pytest.mark.asyncio
async def test_an_operators_connection_is_not_lent_to_a_caller(stub: FaultStub) -> None:
    async with HttpUpstream(lookup=lambda _: [LOOPBACK]) as upstream:
        origin = f"http://model.test:{stub.port}"
        assert (await ask(upstream, request(origin))).status == 200
        assert upstream.open_connections == 1

        await fail(upstream, named(origin), Reason.UPSTREAM_ADDRESS_REFUSED)

        assert (await ask(upstream, request(origin))).status == 200
    assert (stub.connection_count, stub.count) == (1, 2)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "evil.test", "mixed.test", "127.1", "169.254.169.254"]
)
async def test_no_proxy_is_asked_to_go_into_a_private_network(stub: FaultStub, host: str) -> None:
    def lookup(asked: str) -> Sequence[str]:
        return [PUBLIC, LOOPBACK] if asked == "mixed.test" else [LOOPBACK]

    async with HttpUpstream(proxy=stub.url, lookup=lookup) as upstream:
        await fail(upstream, named(f"http://{host}:80"), Reason.UPSTREAM_ADDRESS_REFUSED)

    assert stub.connection_count == 0


@pytest.mark.asyncio
async def test_a_proxy_on_loopback_is_asked_for_public_names_by_name(stub: FaultStub) -> None:
    async with HttpUpstream(proxy=stub.url, lookup=lambda _: [PUBLIC]) as upstream:
        assert (await ask(upstream, named("http://model.test"))).status == 200

    assert stub.requests[0].path == "http://model.test/v1/chat/completions"


@pytest.mark.asyncio
async def test_through_a_proxy_no_operators_connection_is_lent_either(stub: FaultStub) -> None:
    async with HttpUpstream(proxy=stub.url, lookup=lambda _: [PUBLIC]) as upstream:
        await ask(upstream, request("http://model.test"))
        await ask(upstream, named("http://model.test"))

    assert stub.connection_count == 2


@pytest.mark.asyncio
async def test_a_name_that_hangs_before_a_proxy_ends_in_time(stub: FaultStub) -> None:
    release = threading.Event()

    def lookup(_: str) -> Sequence[str]:
        release.wait(timeout=10)
        return [PUBLIC]

    async with HttpUpstream(proxy=stub.url, lookup=lookup, lookup_timeout=0.05) as upstream:
        await fail(upstream, named("http://hang.test"), Reason.UPSTREAM_DNS_FAILURE)
    async with HttpUpstream(proxy=stub.url, lookup=lookup) as upstream:
        await fail(upstream, named("http://hang.test"), Reason.UPSTREAM_READ_TIMEOUT, within=0.05)

    release.set()
    assert stub.connection_count == 0


@pytest.mark.asyncio
async def test_what_no_proxy_covers_is_checked_all_the_same(
    stub: FaultStub, world: ClosedWorld
) -> None:
    async with HttpUpstream(
        proxy="http://127.0.0.1:9", no_proxy=["*"], lookup=lambda _: [LOOPBACK]
    ) as upstream:
        asked = named(f"http://evil.test:{stub.port}")

        await fail(upstream, asked, Reason.UPSTREAM_ADDRESS_REFUSED)

    assert world.contacted == []


@pytest.mark.asyncio
async def test_certificates_are_checked_by_the_name_that_was_named(tmp_path: Path) -> None:
    # Operators' endpoints stand in here, because no test can be on the public internet.
    authority = Authority()
    async with (
        FaultStub(tls=authority.serve_as("model.test")) as stub,
        HttpUpstream(ca_file=authority.write_to(tmp_path), lookup=lambda _: [LOOPBACK]) as upstream,
    ):
        good, bad = f"https://model.test:{stub.port}", f"https://other.test:{stub.port}"

        assert (await ask(upstream, request(good))).status == 200
        await fail(upstream, request(bad), Reason.UPSTREAM_TLS_UNTRUSTED)

    assert stub.requests[0].headers["host"] == f"model.test:{stub.port}"

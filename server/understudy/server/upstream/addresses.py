"""Which addresses may be contacted. Pure.

Where the operator's own file leads, loopback and private networks are allowed; what no model
listens on, and what clouds answer credentials from, is not. Where a caller leads, only the public
internet is.
"""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Judge = Callable[
    [str], str
]  # says what forbids contacting a numeric address; empty if nothing does

_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_V4_COMPATIBLE = IPv6Network("::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # `is_global` takes in what is assigned to nobody
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_BROADCAST = IPv4Address("255.255.255.255")

# Metadata services that have no link-local address; the rest of them do.
_METADATA: frozenset[Address] = frozenset(
    {
        IPv4Address("100.100.100.200"),  # Alibaba
        IPv4Address("168.63.129.16"),  # Azure
        IPv4Address("192.0.0.192"),  # Oracle
        IPv6Address("fd00:ec2::254"),  # AWS
        IPv6Address("fd20:ce::254"),  # Google
    }
)


def find_refusal(address: str) -> str:
    """Say what forbids contacting a numeric address; empty if nothing does.

    An IPv6 address that carries an IPv4 one is judged by both.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return "not an address"
    for one in _unwrap(parsed):
        if refusal := _judge(one):
            return refusal
    return ""


def find_public_refusal(address: str) -> str:
    """Say what forbids contacting a numeric address that a caller led to.

    Only what is public passes, however it is wrapped.
    """
    if refusal := find_refusal(address):
        return refusal
    if all(_is_public(one) for one in _unwrap(ip_address(address))):
        return ""
    return "not public"


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global
    if address in _NAT64[0] or address.ipv4_mapped is not None:
        return True  # the IPv4 address within decides
    return address in _GLOBAL_UNICAST and address.is_global


def _judge(address: Address) -> str:
    if address in _METADATA:
        return "a metadata service"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast or address == _BROADCAST:
        return "multicast"
    if address.is_unspecified or (address.version == 4 and address in _THIS_NETWORK):
        return "unspecified"
    return ""


def _unwrap(address: Address) -> Iterator[Address]:
    yield address
    if isinstance(address, IPv4Address):
        return
    last_32_bits = IPv4Address(int(address) & 0xFFFF_FFFF)
    if any(address in network for network in _NAT64):
        yield last_32_bits
    if address in _V4_COMPATIBLE and int(address) > 0xFFFF:  # `::` and `::1` are themselves
        yield last_32_bits
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo

"""The network: HTTP to model providers, and the only importer of httpx and aiohttp.

    client      a pool of connections on one event loop: `HttpUpstream`
    exchange    one request and its reply: deadline, caps, cancellation
    prepared    what the requests of an endpoint share
    connector   what aiohttp's connections do not do by themselves
    resolver    names to addresses, hung look-ups kept apart
    sockets     made for permitted addresses only
    addresses   which addresses are permitted; pure
    egress      whom TLS trusts, what goes through a proxy
    tokens      signing in where a token is wanted: `SignedIn`
    causes      the table from the stack's exceptions to ours

What is sent and how a reply is read is in `providers`; who is asked again is in `routing`.
"""

from understudy.server.upstream.client import HttpUpstream
from understudy.server.upstream.tokens import SignedIn

__all__ = ["HttpUpstream", "SignedIn"]

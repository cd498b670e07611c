"""Certificates for tests: an authority made on the spot, and what it signs."""

import ssl
from pathlib import Path

import trustme


class Authority:
    """A certificate authority that nobody trusts unless told to."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    def serve_as(self, *identities: str) -> ssl.SSLContext:
        """Return a server's context with a certificate for these names or addresses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf = self._authority.issue_cert(*identities)
        with leaf.private_key_and_cert_chain_pem.tempfile() as file:
            context.load_cert_chain(file)
        return context

    def write_to(self, folder: Path) -> str:
        """Write the authority's own certificate; return the file's name."""
        file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(file))
        return str(file)

"""Whom a receiver's certificate is trusted by: the system's authorities, and those of files."""

import ssl
from collections.abc import Iterable
from pathlib import Path

import certifi


def make_context(ca_files: Iterable[str] = ()) -> ssl.SSLContext:
    """Trust the system's authorities, or certifi's where it has none, and those in the files.

    Blocks for some milliseconds. Raises OSError for a file that holds no certificates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for file in (_usual(), *ca_files):
        context.load_verify_locations(file)
    return context


def read_authorities(ca_files: Iterable[str] = ()) -> bytes:
    """Return the same authorities as one text of certificates. Raises OSError."""
    return b"\n".join(Path(file).read_bytes() for file in (_usual(), *ca_files))


def _usual() -> str:
    system = ssl.get_default_verify_paths().openssl_cafile
    return system if Path(system).exists() else certifi.where()

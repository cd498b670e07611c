"""Receivers are trusted by the authorities that the operator names, and by no others."""

import ssl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import grpc
import pytest
import trustme

from understudy.server.config.sink_settings import OtelSettings
from understudy.server.errors import ConfigError
from understudy.server.sinks.otel.sink import open_otel

from ...stub.eventually import eventually_sync
from .grpc_receiving import receiving_grpc
from .making import mirrored
from .opened import QUIET, opened
from .receiving import Receiver, receiving

Way = Literal["http/protobuf", "grpc"]
both_ways = pytest.mark.parametrize("way", ["http/protobuf", "grpc"])


@contextmanager
def secured(way: Way, authority: trustme.CA) -> Generator[Receiver]:
    """A receiver with a certificate of this authority."""
    certificate = authority.issue_cert("127.0.0.1")
    if way == "grpc":
        chain = b"".join(one.bytes() for one in certificate.cert_chain_pems)
        key = certificate.private_key_pem.bytes()
        with receiving_grpc(credentials=grpc.ssl_server_credentials([(key, chain)])) as receiver:
            yield receiver
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with certificate.private_key_and_cert_chain_pem.tempfile() as file:
            context.load_cert_chain(file)
        with receiving(context=context) as receiver:
            yield receiver


@both_ways
def test_the_variable_names_an_authority_of_the_operator_s(way: Way, tmp_path: Path) -> None:
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    environ = {**QUIET, "OTEL_EXPORTER_OTLP_CERTIFICATE": str(file)}

    with secured(way, authority) as receiver:
        with opened(receiver.url, protocol=way, environ=environ) as sink:
            sink.tell(tuple(mirrored(1)))

        assert len(receiver.spans) == 3


@both_ways
def test_a_certificate_of_nobody_known_gets_nothing(way: Way) -> None:
    with secured(way, trustme.CA()) as receiver, opened(receiver.url, protocol=way) as sink:
        sink.tell(tuple(mirrored(1)))
        eventually_sync(lambda: sink.figures.away, within=5)
        sink.close(0.5)

        assert not receiver.spans
        assert sink.figures.dropped == 3
        if way != "grpc":
            assert sink.figures.away.endswith("is not trusted")


def test_a_file_without_certificates_is_a_fault(tmp_path: Path) -> None:
    environ = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(tmp_path / "none.pem")}

    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_CERTIFICATE"):
        open_otel(OtelSettings("https://127.0.0.1:9"), environ)

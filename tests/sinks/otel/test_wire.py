"""What is written by hand is what the protocol's own classes read, and the other way round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from understudy.server.sinks.otel.spans import (
    Kind,
    Place,
    count_rejected,
    write_request,
    write_resource,
    write_scope,
    write_span,
)
from understudy.server.sinks.sending.protobuf import (
    WireError,
    read_fields,
    real,
    text,
    texts,
    truth,
    varint,
    whole,
)

_TEXT = st.text(max_size=200).filter(lambda one: "\0" not in one)
_INSTANT = st.integers(0, 2**53)


@given(_TEXT, _TEXT)
def test_texts_are_read_as_they_were_written(key: str, value: str) -> None:
    assert KeyValue.FromString(text(key, value)).value.string_value == value
    assert KeyValue.FromString(text(key, value)).key == key


@given(st.text(alphabet=st.characters(), max_size=50), st.lists(st.text(st.characters())))
def test_no_text_breaks_a_message(value: str, several: list[str]) -> None:
    one, many = KeyValue.FromString(text("key", value)), KeyValue.FromString(texts("key", several))

    assert "\0" not in one.value.string_value
    assert len(many.value.array_value.values) == len(several)


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.booleans())
def test_numbers_are_read_as_they_were_written(number: int, fraction: float, yes: bool) -> None:
    assert KeyValue.FromString(whole("key", number)).value.int_value == number
    assert KeyValue.FromString(real("key", fraction)).value.double_value == fraction
    assert KeyValue.FromString(truth("key", yes)).value.bool_value is yes
    assert KeyValue.FromString(truth("key", yes)).value.WhichOneof("value") == "bool_value"


def test_halves_of_pairs_become_what_every_receiver_takes() -> None:
    found = KeyValue.FromString(text("key", "a\ud83db\udc00\0c"))

    assert found.value.string_value == "a\ufffdb\ufffd\ufffdc"


@given(_TEXT, _INSTANT, st.integers(0, 2**40), st.one_of(st.none(), _TEXT))
def test_a_span_is_read_as_it_was_written(
    name: str, started: int, lasting: int, failure: str | None
) -> None:
    place = Place("0a" * 16, "0b" * 8, "0c" * 8, remote=True, state="vendor=1")
    link = Place("0a" * 16, "0d" * 8)

    span = Span.FromString(
        write_span(
            place,
            name,
            Kind.CLIENT,
            started,
            started + lasting,
            [text("a", "b"), whole("c", 4)],
            failure=failure,
            links=[link],
        )
    )

    assert span.trace_id == b"\x0a" * 16
    assert span.span_id == b"\x0b" * 8
    assert span.parent_span_id == b"\x0c" * 8
    assert span.trace_state == "vendor=1"
    assert span.flags == 0x301
    assert span.name == name
    assert span.kind == Span.SPAN_KIND_CLIENT
    assert span.start_time_unix_nano == started * 1_000
    assert span.end_time_unix_nano == (started + lasting) * 1_000
    assert [one.key for one in span.attributes] == ["a", "c"]
    assert span.links[0].span_id == b"\x0d" * 8
    assert span.links[0].flags == 0x101
    expected = Status.STATUS_CODE_UNSET if failure is None else Status.STATUS_CODE_ERROR
    assert span.status.code == expected
    assert span.status.message == (failure or "")


@given(st.lists(st.binary(max_size=0), max_size=300))
def test_a_request_carries_every_span(nothing: list[bytes]) -> None:
    place = Place("0a" * 16, "0b" * 8)
    span = write_span(place, "one", Kind.SERVER, 1, 2, [])

    request = ExportTraceServiceRequest.FromString(
        write_request(
            write_resource([text("service.name", "shop")]),
            write_scope("understudy", "1.0"),
            [span for _ in nothing],
        )
    )

    (resource,) = request.resource_spans
    (scope,) = resource.scope_spans
    assert resource.resource.attributes[0].value.string_value == "shop"
    assert (scope.scope.name, scope.scope.version) == ("understudy", "1.0")
    assert len(scope.spans) == len(nothing)


@given(st.integers(0, 2**63 - 1))
def test_what_a_receiver_rejected_is_read(count: int) -> None:
    reply = ExportTraceServiceResponse()
    reply.partial_success.error_message = "too many attributes"
    reply.partial_success.rejected_spans = count

    assert count_rejected(reply.SerializeToString()) == count


@given(st.binary(max_size=200))
def test_a_reply_of_anything_is_read_as_nothing_worse(reply: bytes) -> None:
    assert count_rejected(reply) >= 0


@given(st.integers(0, 2**64 - 1))
def test_numbers_of_any_length_are_read_again(number: int) -> None:
    assert list(read_fields(b"\x08" + varint(number))) == [(1, number)]


@pytest.mark.parametrize("data", [b"\x08", b"\x0a\x05ab", b"\x08" + b"\xff" * 11, b"\x0b\x01"])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        list(read_fields(data))

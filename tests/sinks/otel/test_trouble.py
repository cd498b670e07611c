"""A receiver that is away, slow, refusing or hostile costs memory and time that are bounded."""

import logging
import re
import threading
import time

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from understudy.server.domain.records import Role
from understudy.server.sinks.figures import SinkFigures
from understudy.server.sinks.sending.patience import Patience
from understudy.server.sinks.sending.sender import Bounds

from ...stub.eventually import eventually_sync
from .grpc_receiving import receiving_grpc
from .making import generation, mirrored, pair_id
from .opened import HURRIED, KEY, SMALL, opened
from .receiving import TAKEN, Post, Receiver, Reply, receiving, rejecting

NOWHERE = "http://127.0.0.1:9"  # discard: nobody listens
ENDLESS = Patience(first_pause=0.02, timeout=30.0)


def free_port() -> int:
    with receiving() as receiver:
        return int(receiver.url.rpartition(":")[2])


def held(receiver: Receiver) -> set[bytes]:
    return {span.trace_id for span in receiver.spans}


def test_what_is_told_while_the_receiver_is_down_arrives_when_it_is_back() -> None:
    port = free_port()
    with opened(f"http://127.0.0.1:{port}") as sink:
        for number in range(100):
            sink.tell(tuple(mirrored(number)))
        eventually_sync(lambda: sink.figures.away)
        away = sink.figures
        with receiving(port=port) as receiver:
            eventually_sync(lambda: not sink.figures.waiting, within=10)

            assert away.away == f"nothing answers at 127.0.0.1:{port}"
            assert away.waiting == 300
            assert away.lag > 0
            assert len(receiver.spans) == 300
            assert sink.figures == SinkFigures("otel", sent=300)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 401, 403, 302])
def test_what_is_refused_for_now_is_tried_again(status: int) -> None:
    def script(number: int, _post: Post) -> Reply:
        return Reply(status, {"location": "http://127.0.0.1:9/"}) if number < 2 else TAKEN

    with receiving(script) as receiver, opened(receiver.url) as sink:
        sink.tell(tuple(mirrored(1)))
        eventually_sync(lambda: sink.figures.sent == 3, within=5)

        assert len(receiver.posts) == 3
        assert not sink.figures.away


@pytest.mark.parametrize("status", [400, 415, 422])
def test_what_is_refused_for_good_is_dropped_and_the_next_is_sent(status: int) -> None:
    def script(number: int, _post: Post) -> Reply:
        return Reply(status) if number == 0 else TAKEN

    with receiving(script) as receiver, opened(receiver.url) as sink:
        sink.tell(tuple(mirrored(1)))
        eventually_sync(lambda: sink.figures.dropped == 3)
        sink.tell(tuple(mirrored(2)))
        eventually_sync(lambda: sink.figures.sent == 3)

        assert held(receiver) == {bytes.fromhex(pair_id(2))}


def test_a_batch_that_the_receiver_stumbles_over_does_not_hold_up_the_others() -> None:
    poison = bytes.fromhex(pair_id(1))

    def script(_number: int, post: Post) -> Reply:
        return Reply(500) if poison in post.body else TAKEN

    with receiving(script) as receiver, opened(receiver.url) as sink:
        sink.tell(tuple(mirrored(1)))
        eventually_sync(lambda: receiver.posts)
        sink.tell(tuple(mirrored(2)))
        eventually_sync(lambda: sink.figures.sent == 3, within=10)

        assert sink.figures.dropped == 3
        assert len(receiver.posts) == 6


def test_a_body_that_is_too_large_is_sent_in_parts() -> None:
    def script(_number: int, post: Post) -> Reply:
        return Reply(413) if len(post.body) > 6_000 else TAKEN

    with receiving(script) as receiver, opened(receiver.url) as sink:
        for number in range(20):
            sink.tell(tuple(mirrored(number)))
        sink.tell([generation(pair_id(99), prompt="x" * 10_000)])
        eventually_sync(lambda: not sink.figures.waiting, within=10)

        assert sink.figures.sent == len(receiver.spans) == 60
        assert sink.figures.dropped == 1


def test_a_receiver_is_given_the_time_that_it_asks_for() -> None:
    arrivals: list[float] = []

    def script(number: int, _post: Post) -> Reply:
        arrivals.append(time.monotonic())
        return Reply(429, {"retry-after": "1"}) if number == 0 else TAKEN

    with receiving(script) as receiver, opened(receiver.url) as sink:
        sink.tell(tuple(mirrored(1)))
        eventually_sync(lambda: sink.figures.sent == 3, within=5)

    assert arrivals[1] - arrivals[0] >= 1.0


def test_what_a_receiver_rejects_in_part_is_counted() -> None:
    with receiving(lambda _number, _post: rejecting(2)) as receiver, opened(receiver.url) as sink:
        sink.tell(tuple(mirrored(1)))
        eventually_sync(lambda: not sink.figures.waiting)

        assert (sink.figures.sent, sink.figures.dropped) == (1, 2)


def test_a_connection_that_went_stale_is_no_failure() -> None:
    def script(number: int, _post: Post) -> Reply:
        return Reply(slam=True) if number == 1 else TAKEN

    with receiving(script) as receiver, opened(receiver.url, patience=ENDLESS) as sink:
        for number in range(3):
            sink.tell(tuple(mirrored(number)))
            eventually_sync(lambda: sink.figures.sent == 3 * (number + 1))  # noqa: B023

        assert not sink.figures.dropped


@pytest.mark.parametrize("reply", [Reply(hang=True), Reply(drip=True)], ids=["hangs", "drips"])
def test_a_receiver_that_does_not_come_to_an_end_is_left_and_tried_again(reply: Reply) -> None:
    def script(number: int, _post: Post) -> Reply:
        return reply if number == 0 else TAKEN

    patience = Patience(first_pause=0.02, timeout=0.3)
    with receiving(script) as receiver, opened(receiver.url, patience=patience) as sink:
        sink.tell(tuple(mirrored(1)))
        eventually_sync(lambda: "in time" in sink.figures.away)
        eventually_sync(lambda: sink.figures.sent == 3)


@pytest.mark.parametrize("reply", [Reply(hang=True), Reply(drip=True)], ids=["hangs", "drips"])
def test_closing_takes_no_longer_than_it_may_whatever_the_receiver_does(reply: Reply) -> None:
    with (
        receiving(lambda _number, _post: reply) as receiver,
        opened(receiver.url, patience=ENDLESS) as sink,
    ):
        sink.tell(tuple(mirrored(1)))
        eventually_sync(lambda: receiver.posts)
        began = time.monotonic()
        sink.close(0.3)

        assert time.monotonic() - began < 1.0
        assert sink.figures.waiting == 0
        assert sink.figures.dropped == 3


def test_closing_does_not_wait_for_a_receiver_that_is_long_gone() -> None:
    with opened(NOWHERE, patience=Patience(first_pause=30.0)) as sink:
        sink.tell(tuple(mirrored(1)))
        eventually_sync(lambda: sink.figures.away)
        began = time.monotonic()
        sink.close(20.0)

        assert time.monotonic() - began < 2.0
        assert sink.figures.dropped == 3


def test_what_is_told_after_the_end_is_dropped_and_counted() -> None:
    with receiving() as receiver, opened(receiver.url) as sink:
        sink.close(1.0)
        sink.tell(tuple(mirrored(1)))

        assert (sink.figures.sent, sink.figures.dropped) == (0, 3)


def test_memory_and_threads_are_bounded_while_the_receiver_is_away() -> None:
    bounds = Bounds(items=500, size=1_000_000, linger=0.02)
    threads = threading.active_count()
    with opened(NOWHERE, bounds=bounds) as sink:
        for number in range(2_000):
            sink.tell(tuple(mirrored(number)))
        small = sink.figures
        sink.tell([generation(pair_id(number), prompt="x" * 300_000) for number in range(10)])

        assert (small.waiting, small.dropped) == (500, 5_500)
        assert sink.figures.waiting + sink.figures.dropped == 6_010
        assert threading.active_count() <= threads + 1


def test_texts_that_are_large_are_bounded_by_their_bytes() -> None:
    bounds = Bounds(size=1_000_000, linger=0.02)
    with opened(NOWHERE, bounds=bounds) as sink:
        sink.tell([generation(pair_id(number), prompt="x" * 300_000) for number in range(10)])
        eventually_sync(lambda: sink.figures.away)

        assert sink.figures.waiting < 10
        assert sink.figures.waiting + sink.figures.dropped == 10


def test_losses_and_absences_are_told_once_and_no_key_with_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bounds = Bounds(items=10, linger=0.02)
    with caplog.at_level(logging.DEBUG):
        with (
            receiving(lambda _number, _post: Reply(401, body=KEY.encode())) as receiver,
            opened(receiver.url, bounds=bounds) as sink,
        ):
            for number in range(100):
                sink.tell(tuple(mirrored(number)))
            eventually_sync(lambda: len(receiver.posts) > 2)
            sink.close(1.0)

        assert KEY not in caplog.text
        assert caplog.text.count("does not accept our credentials") <= 2
        dropped = [one for one in caplog.messages if "dropped" in one]
        assert 1 <= len(dropped) <= 2
        assert sum(map(int, re.findall(r"(\d+) dropped", caplog.text))) == sink.figures.dropped
        assert KEY not in repr(sink.figures)


def test_hostile_texts_arrive_beside_harmless_ones() -> None:
    hostile = "\ud800\0\x1b[31m" + "\\u0000" * 5 + "x" * 1_000_000
    with receiving() as receiver, opened(receiver.url) as sink:
        sink.tell(
            [
                generation(pair_id(1)),
                generation(pair_id(2), prompt=hostile, answer=hostile, model=hostile[:200]),
                generation(pair_id(3), Role.SILENT, prompt="\udfff", answer="\0"),
                generation(pair_id(4), latency=-5, started=-9),
            ]
        )
        eventually_sync(lambda: not sink.figures.waiting, within=10)

        assert not receiver.faults
        assert sink.figures.sent == len(receiver.spans) == 4


def test_what_cannot_be_told_costs_the_others_nothing() -> None:
    broken = structs.replace(generation(), record=None)
    with receiving() as receiver:
        with opened(receiver.url) as sink:
            sink.tell([broken, generation(pair_id(2))])

        assert len(receiver.spans) == 1
        assert (sink.figures.sent, sink.figures.dropped) == (1, 1)


@pytest.mark.parametrize(
    ("code", "sent", "dropped"),
    [
        (grpc.StatusCode.UNAVAILABLE, 3, 0),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 3, 0),
        (grpc.StatusCode.UNAUTHENTICATED, 3, 0),
        (grpc.StatusCode.INTERNAL, 3, 0),
        (grpc.StatusCode.INVALID_ARGUMENT, 0, 3),
    ],
)
def test_statuses_of_grpc_are_read_as_the_protocol_says(
    code: grpc.StatusCode, sent: int, dropped: int
) -> None:
    def refuse(number: int, context: grpc.ServicerContext) -> None:
        if number < 2:
            context.abort(code, KEY)

    with receiving_grpc(refuse) as receiver, opened(receiver.url, protocol="grpc") as sink:
        sink.tell(tuple(mirrored(1)))
        eventually_sync(lambda: not sink.figures.waiting, within=5)

        assert (sink.figures.sent, sink.figures.dropped) == (sent, dropped)


def test_a_grpc_receiver_that_hangs_does_not_hold_up_the_end() -> None:
    ending = threading.Event()

    def hang(_number: int, _context: grpc.ServicerContext) -> None:
        ending.wait(20)

    with receiving_grpc(hang) as receiver:
        with opened(receiver.url, protocol="grpc", patience=ENDLESS, bounds=SMALL) as sink:
            sink.tell(tuple(mirrored(1)))
            eventually_sync(lambda: sink.figures.waiting == 3)
            began = time.monotonic()
            sink.close(0.3)

            assert time.monotonic() - began < 1.5
            assert sink.figures.dropped == 3
        ending.set()


@settings(max_examples=15)
@given(
    st.lists(st.sampled_from([200, 400, 413, 429, 500, 503]), max_size=12),
    st.integers(1, 30),
    st.integers(1, 60),
)
def test_whatever_is_told_is_in_the_end_sent_or_dropped(
    statuses: list[int], calls: int, room: int
) -> None:
    def script(number: int, _post: Post) -> Reply:
        return Reply(statuses[number]) if number < len(statuses) else TAKEN

    bounds = Bounds(items=room, batch_items=8, linger=0.0)
    patience = Patience(first_pause=0.001, timeout=5.0)
    with receiving(script) as receiver:
        with opened(receiver.url, bounds=bounds, patience=patience) as sink:
            for number in range(calls):
                sink.tell(tuple(mirrored(number)))

        figures = sink.figures
        assert figures.waiting == 0
        assert figures.sent + figures.dropped == 3 * calls
        assert len(receiver.spans) == figures.sent


def test_patience_grows_and_honours_what_is_asked_within_reason() -> None:
    pauses = [HURRIED.pause(tries, None, 1.0) for tries in range(1, 20)]

    assert pauses == sorted(pauses)
    assert pauses[-1] == 30.0
    assert HURRIED.pause(1, 7.0, 0.0) == 7.0
    assert HURRIED.pause(1, 1e9, 0.0) == 300.0

"""Feedback, records and pairs through both clients, from a real store behind a real server."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest

from understudy import client
from understudy.client import AsyncClient, Client
from understudy.client.history import PAGE, Judged, read_since
from understudy.server.records import Records
from understudy.v1.completion_pb2 import (
    CreateCompletionResponse,
    Routing,
    StreamCompletionResponse,
)
from understudy.v1.record_pb2 import CreateFeedbackRequest, Pair, Record
from understudy.v1.record_pb2_grpc import RecordServiceStub

from ..records.stores import Store
from ..records.telling import answered, new_pair_id, request
from ..records.test_service import listening, record
from ..service.asking import told
from ..stub.eventually import eventually
from .asking import FLAVOURS, Flavour

Say: TypeAlias = Callable[..., Awaitable[str]]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class House:
    """A service with one pair, and a client of it."""

    target: str
    records: Records
    pair_id: str
    flavour: Flavour
    key: str = "caller-key"

    async def feedback(self, answer: Judged, *arguments: object, **options: object) -> str:
        """Give feedback."""
        if self.flavour == "async":
            async with AsyncClient(self.target, api_key=self.key) as one:
                return await one.feedback(answer, *arguments, **options)  # type: ignore[arg-type]
        with Client(self.target, api_key=self.key) as one:
            return await asyncio.to_thread(one.feedback, answer, *arguments, **options)  # type: ignore[arg-type]

    async def list_records(self, *arguments: str, key: str = "reader-key") -> list[Record]:
        """Go through all records."""
        if self.flavour == "async":
            async with AsyncClient(self.target, api_key=key) as one:
                return [record async for record in one.records(*arguments)]
        with Client(self.target, api_key=key) as one:
            return await asyncio.to_thread(lambda: list(one.records(*arguments)))

    async def list_pairs(self, *arguments: str, since: str | None = None) -> list[Pair]:
        """Go through all pairs."""
        if self.flavour == "async":
            async with AsyncClient(self.target, api_key="reader-key") as one:
                return [pair async for pair in one.pairs(*arguments, since=since)]
        with Client(self.target, api_key="reader-key") as one:
            return await asyncio.to_thread(lambda: list(one.pairs(*arguments, since=since)))


@asynccontextmanager
async def housing(folder: Path, flavour: Flavour, pairs: int = 1) -> AsyncGenerator[House]:
    store = Store(folder / "state")
    with store.open(store.settings(capture="content")) as records:
        pair_ids = record(records, pairs)
        async with listening(records) as target:
            yield House(target, records, pair_ids[-1], flavour)


@pytest.mark.asyncio
@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_feedback_is_given_on_whatever_names_a_call(tmp_path: Path, flavour: Flavour) -> None:
    async with housing(tmp_path, flavour) as house:
        routing = Routing(pair_id=house.pair_id)
        (recorded,) = await house.list_records("role = PRIMARY")
        (pair,) = await house.list_pairs()
        answers: tuple[Judged, ...] = (
            house.pair_id,
            f"pairs/{house.pair_id}",
            CreateCompletionResponse(routing=routing),
            StreamCompletionResponse(routing=routing),
            recorded,
            pair,
        )
        names = [await house.feedback(one, "helpful", True) for one in answers]
        (judged,) = await house.list_records("role = PRIMARY AND has_feedback = true")

    assert len(set(names)) == len(answers)
    assert {one.name for one in judged.feedback} == {f"feedback/{one}" for one in names}
    assert {one.actor for one in judged.feedback} == {"caller"}
    assert [one.WhichOneof("value") for one in judged.feedback] == ["boolean"] * len(answers)


@pytest.mark.asyncio
@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_silent_answer_is_judged_by_its_name(tmp_path: Path, flavour: Flavour) -> None:
    async with housing(tmp_path, flavour) as house:
        await house.feedback(house.pair_id, "stars", 4, silent_model="gpt-4", feedback_id="mine")
        await house.feedback(house.pair_id, "stars", 4.0, silent_model="gpt-4", feedback_id="mine")
        (pair,) = await house.list_pairs("has_feedback = true AND silent_model = gpt-4")

    (said,) = pair.silents[0].record.feedback
    assert (said.name, said.number, said.silent_model) == ("feedback/mine", 4.0, "gpt-4")
    assert client.to_dict(said)["value"] == 4.0


@pytest.mark.asyncio
@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_errors_are_our_own(tmp_path: Path, flavour: Flavour) -> None:
    async with housing(tmp_path, flavour) as house:
        await house.feedback(house.pair_id, "helpful", True, feedback_id="mine")
        with pytest.raises(client.AlreadyExists, match="give each its own") as taken:
            await house.feedback(house.pair_id, "helpful", False, feedback_id="mine")
        with pytest.raises(client.NotFound, match="no request has the pair_id") as unknown:
            await house.feedback("f" * 32, "helpful", True)
        with pytest.raises(client.InvalidArgument, match="metric is 1 to 64") as wrong:
            await house.feedback(house.pair_id, "very helpful", True)
        with pytest.raises(client.InvalidArgument, match="text is 1 to 10,000"):
            await house.feedback(house.pair_id, "note", "x" * 1_000_000)
        with pytest.raises(client.InvalidArgument, match="filter, at character 1"):
            await house.list_records("latncy > 2s")

    assert (taken.value.reason, dict(taken.value.metadata)) == (
        "FEEDBACK_EXISTS",
        {"feedback": "mine"},
    )
    assert unknown.value.reason == "PAIR_NOT_FOUND"
    assert [one.field for one in wrong.value.violations] == ["metric"]


@pytest.mark.parametrize(
    ("answer", "metric", "value", "told"),
    [
        (StreamCompletionResponse(), "helpful", True, "only the first piece has one"),
        ("", "helpful", True, "it has no routing"),
        ("p", "helpful", float("nan"), "a finite number"),
        ("p", "helpful", float("inf"), "a finite number"),
        ("p", "helpful", "\ud800", "lone surrogate"),
        ("p", "\udfff", True, "lone surrogate"),
    ],
)
def test_what_cannot_be_meant_is_not_sent(
    answer: Judged, metric: str, value: float | str, told: str
) -> None:
    with Client("localhost:1") as one, pytest.raises(ValueError, match=told):
        one.feedback(answer, metric, value)


def test_what_is_no_answer_is_told_so() -> None:
    with Client("localhost:1") as one, pytest.raises(TypeError, match="an answer or a pair_id"):
        one.feedback(7, "helpful", True)  # type: ignore[arg-type]
    with Client("localhost:1") as one, pytest.raises(TypeError, match="value: NoneType"):
        one.feedback("p", "helpful", None)  # type: ignore[arg-type]
    with Client("localhost:1") as one, pytest.raises(ValueError, match="30m, 24h or 7d"):
        one.records(since="a week")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("pair_id", CreateFeedbackRequest(metric="m", boolean=True)),
        ("pair_id", CreateFeedbackRequest(pair_id="a\0b", metric="m", boolean=True)),
        ("pair_id", CreateFeedbackRequest(pair_id="x" * 1_000_000, metric="m", boolean=True)),
        ("metric", CreateFeedbackRequest(pair_id="p", boolean=True)),
        ("metric", CreateFeedbackRequest(pair_id="p", metric="a\0b", boolean=True)),
        ("metric", CreateFeedbackRequest(pair_id="p", metric="m" * 65, boolean=True)),
        ("metric", CreateFeedbackRequest(pair_id="p", metric="ü", boolean=True)),
        ("value", CreateFeedbackRequest(pair_id="p", metric="m")),
        ("number", CreateFeedbackRequest(pair_id="p", metric="m", number=float("nan"))),
        ("number", CreateFeedbackRequest(pair_id="p", metric="m", number=float("-inf"))),
        ("text", CreateFeedbackRequest(pair_id="p", metric="m", text="")),
        ("text", CreateFeedbackRequest(pair_id="p", metric="m", text="x" * 10_001)),
        ("feedback_id", CreateFeedbackRequest(pair_id="p", metric="m", feedback_id="a/b")),
        ("feedback_id", CreateFeedbackRequest(pair_id="p", metric="m", feedback_id="x\n")),
        ("silent_model", CreateFeedbackRequest(pair_id="p", metric="m", silent_model="\0")),
    ],
)
async def test_a_server_refuses_what_it_cannot_keep(
    tmp_path: Path, field: str, request_: CreateFeedbackRequest
) -> None:
    async with (
        housing(tmp_path, "async") as house,
        grpc.aio.insecure_channel(house.target) as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await RecordServiceStub(channel).CreateFeedback(
                request_, metadata=(("authorization", "Bearer caller-key"),)
            )

    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert told(raised.value).metadata["field"] == field


@pytest.mark.asyncio
@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_a_nul_in_words_is_replaced_and_words_are_for_readers(
    tmp_path: Path, flavour: Flavour
) -> None:
    async with housing(tmp_path, flavour) as house:
        await house.feedback(house.pair_id, "note", "bad\0word", feedback_id="mine")
        await house.feedback(house.pair_id, "note", "bad\0word", feedback_id="mine")
        (seen,) = await house.list_records("has_feedback = true")
        (hidden,) = await house.list_records("has_feedback = true", key="viewer-key")

    assert [one.text for one in seen.feedback] == ["bad\N{REPLACEMENT CHARACTER}word"]
    assert [one.text for one in hidden.feedback] == [""]
    assert hidden.feedback[0].WhichOneof("value") == "text"


@pytest.mark.asyncio
@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_only_callers_give_feedback_and_only_viewers_read(
    tmp_path: Path, flavour: Flavour
) -> None:
    async with housing(tmp_path, flavour) as house:
        with pytest.raises(client.PermissionDenied):
            await house.list_records(key="caller-key")
        with pytest.raises(client.Unauthenticated):
            await house.list_records(key="nobodys-key")
        stranger = House(house.target, house.records, house.pair_id, flavour, "nobodys-key")
        with pytest.raises(client.Unauthenticated):
            await stranger.feedback(house.pair_id, "helpful", True)


@pytest.mark.asyncio
@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_all_pages_are_gone_through(tmp_path: Path, flavour: Flavour) -> None:
    count = PAGE + PAGE // 4
    async with housing(tmp_path, flavour, count) as house:
        records = await house.list_records()
        pairs = await house.list_pairs(since="1h")
        few = await house.list_pairs("silent_model = none", since="1h")

    assert len({one.name for one in records}) == len(records) == 2 * count
    assert len({one.name for one in pairs}) == len(pairs) == count
    assert few == []


@pytest.mark.asyncio
async def test_twenty_at_once_are_kept_once(tmp_path: Path) -> None:
    async with (
        housing(tmp_path, "async") as house,
        AsyncClient(house.target, api_key="caller-key") as one,
    ):
        names = await asyncio.gather(
            *(one.feedback(house.pair_id, "helpful", True, feedback_id="mine") for _ in range(20))
        )
        (judged,) = await house.list_records("has_feedback = true")

    assert names == ["mine"] * 20
    assert len(judged.feedback) == 1


@pytest.mark.asyncio
async def test_texts_of_a_page_that_is_full_come_with_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path / "state")
    with store.open(store.settings(capture="content")) as records:
        record(records, 40, prompt="x")
        for _ in range(30):
            for event in answered(new_pair_id(), of=request("y" * 800_000)):
                records.recorder.note(event)
        await eventually(lambda: not records.recorder.figures.waiting, within=10)
        async with listening(records) as target, AsyncClient(target, api_key="reader-key") as one:
            found = [record async for record in one.records()]

    assert len(found) == 110
    assert {one.text_absent_cause for one in found} == {""}
    assert all(one.messages for one in found)


@pytest.mark.asyncio
async def test_what_was_recorded_becomes_rows(tmp_path: Path) -> None:
    async with housing(tmp_path, "sync") as house:
        await house.feedback(house.pair_id, "helpful", True, feedback_id="mine")
        (primary,) = await house.list_records("role = PRIMARY")
        (pair,) = await house.list_pairs()
        rows = [client.to_dict(one) for one in await house.list_records()]

    row = client.to_dict(primary)
    assert set(row) == set(Record.DESCRIPTOR.fields_by_name)
    assert {frozenset(one) for one in rows} == {frozenset(row)}
    assert (row["role"], row["latency"], row["first_token_latency"]) == ("PRIMARY", 0.5, None)
    assert datetime.fromisoformat(row["start_time"]).tzinfo is not None
    assert row["messages"] == [{"role": "user", "content": "hi"}]
    assert row["choices"][0]["message"]["content"] == "hello"
    assert row["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert row["feedback"][0]["value"] is True
    both = client.to_dict(pair)
    assert both["silents"][0]["outcome"] == "PAIRED"
    assert both["silents"][0]["latency_difference"] == pytest.approx(1.0)
    assert both["silents"][0]["length_difference"] == 3
    assert both["silents"][0]["comparison"]["similarity"] == 0.25
    assert both["silents"][0]["comparison"]["both_json"] is None
    json.dumps([row, both], allow_nan=False)


@pytest.mark.parametrize(
    ("since", "begin"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("7d", NOW - timedelta(days=7)),
        ("1.5h", NOW - timedelta(minutes=90)),
        ("999999999d", datetime(1970, 1, 1, tzinfo=UTC)),
        (timedelta(hours=2), NOW - timedelta(hours=2)),
        (NOW - timedelta(days=1), NOW - timedelta(days=1)),
    ],
)
def test_since_is_an_instant(since: str | timedelta | datetime, begin: datetime) -> None:
    assert read_since(since, NOW) == begin

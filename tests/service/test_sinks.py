"""Every call of a service, the silent ones too, is heard by the tools that its file names."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from understudy.server.records.opening import FILE
from understudy.v1 import completion_pb2, operations_pb2, operations_pb2_grpc

from ..sinks.bucket import s3
from ..sinks.langfuse.project import PUBLIC, SECRET, Project, project
from ..sinks.otel.receiving import receiving
from ..stub.eventually import eventually
from ..stub.faultstub import FaultStub
from .asking import prompt
from .configs import deployment, write
from .running import local, serving
from .test_mirroring import mirrored

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
PARENT: Final = f"00-{TRACE}-b7ad6b7169203331-01"
CANARY: Final = "canary-7f3a"
KEY: Final = "sk-canary-key"
PATTERNS: Final = {"patterns": [{"pattern": "canary-[0-9a-f]+", "replace": "<gone>"}]}


@pytest.fixture
def langfuse() -> Generator[Project]:
    """A Langfuse project."""
    with project() as one:
        yield one


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Generator[s3.Server]:
    """A server that speaks S3."""
    with s3.server(tmp_path_factory.mktemp("s3")) as server:
        yield server


def variables(langfuse: Project) -> dict[str, str]:
    """What a LiteLLM proxy is told of Langfuse."""
    return {
        "LANGFUSE_PUBLIC_KEY": PUBLIC,
        "LANGFUSE_SECRET_KEY": SECRET,
        "LANGFUSE_HOST": langfuse.url,
    }


def environments(langfuse: Project) -> list[Any]:
    return sorted(str(one.environment) for one in langfuse.observations)


@pytest.mark.asyncio
async def test_a_file_of_litellms_has_every_call_heard_once(
    tmp_path: Path, langfuse: Project, objects: s3.Server
) -> None:
    bucket = objects.make_bucket()
    settings = {
        "success_callback": ["langfuse", "s3"],
        "s3_callback_params": {
            "s3_bucket_name": bucket.name,
            "s3_region_name": "us-east-1",
            "s3_aws_access_key_id": "os.environ/S3_ID",
            "s3_aws_secret_access_key": "os.environ/S3_KEY",
            "s3_endpoint_url": bucket.endpoint,
            "s3_path": "calls",
        },
    }
    environment = {**variables(langfuse), "S3_ID": s3.KEY_ID, "S3_KEY": s3.KEY}
    async with FaultStub() as primary, FaultStub() as silent:
        config = write(
            *mirrored(primary, silent),
            litellm_settings=settings,
            understudy={"state_dir": str(tmp_path)},
        )
        async with local(config, environment) as running:
            answers = [
                await running.stub.CreateCompletion(prompt("primary", f"prompt {number}"))
                for number in range(10)
            ]
            await eventually(lambda: silent.count == 10)

    pairs = {one.routing.pair_id for one in answers}
    assert langfuse.refusals == []
    assert environments(langfuse) == ["default"] * 10 + ["default-mirror"] * 10
    prompts = {one.parsed("input")["messages"][0]["content"] for one in langfuse.observations}
    assert prompts == {f"prompt {number}" for number in range(10)}
    ids = bucket.ids()
    assert len(ids) == len(set(ids)) == 20
    assert {one[:32] for one in ids} == pairs
    assert sum(one["is_silent_experiment"] is True for one in bucket.records()) == 10


@pytest.mark.asyncio
@pytest.mark.parametrize(("callback", "heard"), [("success", "ok"), ("failure", "status-500")])
async def test_a_callback_hears_of_its_kind_of_calls_only(
    tmp_path: Path, langfuse: Project, callback: str, heard: str
) -> None:
    async with FaultStub() as stub:
        config = write(
            deployment(stub, "good", "ok"),
            deployment(stub, "bad", "status-500"),
            router_settings={"num_retries": 0},
            litellm_settings={f"{callback}_callback": ["langfuse"]},
            understudy={"state_dir": str(tmp_path), "records": {"enabled": False}},
        )
        async with local(config, variables(langfuse)) as running:
            await running.stub.CreateCompletion(prompt("good"))
            with pytest.raises(grpc.aio.AioRpcError):
                await running.stub.CreateCompletion(prompt("bad"))

    models = [one.said["langfuse.observation.model.name"] for one in langfuse.observations]
    assert models == [heard]


def found(folder: Path, word: str) -> list[str]:
    """The files below a folder that hold a word."""
    files = [one for one in folder.rglob("*") if one.is_file()]
    return [str(one) for one in files if word.encode() in one.read_bytes()]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("records", "sink", "shown"),
    [
        ("metadata", "metadata", None),
        ("metadata", "redacted", "say <gone>"),
        ("redacted", "content", f"say {CANARY}"),
        ("content", "metadata", None),
    ],
)
async def test_words_are_where_capture_says_and_nowhere_else(
    tmp_path: Path,
    langfuse: Project,
    caplog: pytest.LogCaptureFixture,
    records: str,
    sink: str,
    shown: str | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    # A bucket that is away: what it is told is in the spool, and stays there.
    away = {"url": "s3://away/x", "endpoint": "http://127.0.0.1:9", "access_key_id": "id"}
    async with FaultStub() as primary, FaultStub() as silent:
        config = write(
            deployment(primary, "primary", "echo", api_key=KEY, silent_model="silent"),
            deployment(silent, "silent", "echo", api_key=KEY),
            understudy={
                "state_dir": str(tmp_path),
                "records": {"capture": records},
                "redaction": PATTERNS,
                "server": {"port": 0, "drain": {"delay": 0, "grace": 1}},
                "sinks": {
                    "langfuse": {"capture": sink},
                    "bucket": {"capture": sink, "secret_access_key": KEY, **away},
                },
            },
        )
        async with local(config, variables(langfuse)) as running:
            request = prompt("primary", f"say {CANARY}", tools=[{"function": {"name": CANARY}}])
            await running.stub.CreateCompletion(request)
            await eventually(lambda: silent.count == 1)

    told = langfuse.observations
    assert len(told) == 2
    inputs = [one.parsed("input") for one in told if "langfuse.observation.input" in one.said]
    assert [one["messages"][0]["content"] for one in inputs] == (
        [] if shown is None else [shown] * 2
    )
    assert (CANARY in repr(told)) == (sink == "content")
    kept = found(tmp_path, CANARY)
    assert any(FILE in one for one in kept) == (records == "content")
    assert any("spool" in one for one in kept) == (sink == "content")
    assert found(tmp_path, KEY) == []
    assert KEY not in repr(told)
    assert not any(one in caplog.text for one in (CANARY, KEY, SECRET))
    assert len(found(tmp_path, "is_silent_experiment")) == 1  # so the spool was looked at


@pytest.mark.asyncio
async def test_a_prompt_that_is_to_be_kept_nowhere_is_not(
    tmp_path: Path, langfuse: Project
) -> None:
    async with FaultStub() as stub:
        config = write(
            deployment(stub, "primary", "echo"),
            litellm_settings={"callbacks": ["langfuse"]},
            understudy={"state_dir": str(tmp_path), "records": {"capture": "content"}},
        )
        async with local(config, variables(langfuse)) as running:
            request = prompt("primary", CANARY, mirrorMode="MIRROR_MODE_NEVER")
            await running.stub.CreateCompletion(request)

    (told,) = langfuse.observations
    assert CANARY not in repr(told)
    assert told.said["langfuse.observation.model.name"] == "echo"
    assert found(tmp_path, CANARY) == []


@pytest.mark.asyncio
async def test_the_callers_trace_is_continued(tmp_path: Path) -> None:
    with receiving() as collector:
        async with FaultStub() as primary, FaultStub() as silent:
            config = write(
                *mirrored(primary, silent),
                environment_variables={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url},
                litellm_settings={"callbacks": ["otel"]},
                understudy={"state_dir": str(tmp_path)},
            )
            async with local(config) as running:
                stub = running.stub
                await stub.CreateCompletion(prompt("primary"), metadata=[("traceparent", PARENT)])
                stream = stub.StreamCompletion(prompt("primary"), metadata=[("traceparent", "x")])
                assert [piece async for piece in stream]
                await eventually(lambda: silent.count == 2)
        traces = Counter(span.trace_id.hex() for span in collector.spans)

    assert len(traces) == 2
    assert traces.pop(TRACE) == 3  # the request, the call that served it, and the copy
    assert list(traces.values()) == [3]


@pytest.mark.asyncio
async def test_how_far_tools_have_heard_is_among_the_status(
    tmp_path: Path, langfuse: Project
) -> None:
    away = {"url": "s3://away/x", "endpoint": "http://127.0.0.1:9", "region": "x"}
    async with FaultStub() as stub:
        config = write(
            deployment(stub, "primary"),
            litellm_settings={"callbacks": ["langfuse"]},
            understudy={
                "state_dir": str(tmp_path),
                "server": {"port": 0, "drain": {"delay": 0, "grace": 0.5}},
                "sinks": {"bucket": {**away, "access_key_id": "i", "secret_access_key": "k"}},
            },
        )
        async with local(config, variables(langfuse)) as running:
            await running.stub.CreateCompletion(prompt("primary"))
            operations = operations_pb2_grpc.OperationsServiceStub(running.channel)
            await eventually(lambda: len(langfuse.observations) == 1, within=10)

            told = await operations.GetStatus(operations_pb2.GetStatusRequest())

    sinks = {one.sink: one for one in told.sinks}
    assert list(sinks) == ["langfuse", "bucket"]
    assert (sinks["langfuse"].sent + sinks["langfuse"].waiting, sinks["langfuse"].dropped) == (1, 0)
    assert (sinks["bucket"].sent, sinks["bucket"].waiting) == (0, 1)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_line_of_json_is_written_for_each_call(tmp_path: Path, workers: int) -> None:
    config = json.dumps(
        {
            "model_list": [
                {
                    "model_name": "primary",
                    "litellm_params": {"model": "simulated/a", "silent_model": "silent"},
                },
                {"model_name": "silent", "litellm_params": {"model": "simulated/b"}},
            ],
            "understudy": {
                "server": {"workers": workers, "drain": {"delay": 0, "grace": 5}},
                "dashboard": {"enabled": False},
                "metrics": {"enabled": False},
                "records": {"enabled": False},
                "state_dir": str(tmp_path / "state"),
                "sinks": {"json_log": True},
            },
        }
    )
    with serving(config, tmp_path) as demo:

        async def ask() -> completion_pb2.CreateCompletionResponse:
            from understudy import client

            async with client.AsyncClient(demo.target) as one:
                return await one.completion(
                    model="primary", messages=[{"role": "user", "content": CANARY}]
                )

        answer = asyncio.run(ask())
        demo.process.terminate()
        assert demo.process.stdout is not None
        written = demo.process.stdout.read()
        assert demo.process.wait(30) == 0

    told = lines(written)
    assert {one["pair_id"] for one in told} == {answer.routing.pair_id}
    assert sorted(one["role"] for one in told) == ["PRIMARY", "SILENT"]
    assert CANARY not in written
    assert not (tmp_path / "state" / FILE).exists()

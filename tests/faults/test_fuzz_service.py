"""Whatever is sent to any method of a running service, it answers with a documented status.

The models behind it babble: see `babbler`. Nothing ends as UNKNOWN, nothing as an error of the
service's own, nothing with a traceback, and the service is there afterwards.
"""

import json
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from understudy.server.app import SERVICES
from understudy.server.errors import Reason
from understudy.server.providers.families import SPOKEN
from understudy.v1 import completion_pb2, experiment_pb2, operations_pb2, record_pb2

from ..service.asking import prompt, told
from ..service.running import serving
from .arbitrary import mutate_bytes, wire
from .babbler import babbling
from .budget import rounds, telling
from .test_fuzz import DIALECTS, LENGTHS, STATUSES, arbitrary_headers, arbitrary_reply

FILES = (completion_pb2, experiment_pb2, operations_pb2, record_pb2)
METHODS: list[MethodDescriptor] = [
    method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
COMPLETIONS = [one for one in METHODS if one.containing_service.name == "CompletionService"]
# What gRPC says by itself, before or after a handler of ours has its say.
GRPCS_OWN = {
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class Babble:
    """What the models answer: as good as a real reply, until it is changed."""

    def __init__(self) -> None:
        self.chance = Random("0")

    def __call__(self) -> bytes:
        """Return a whole reply, its head included."""
        chance = self.chance
        body = arbitrary_reply(chance, chance.choice(sorted(DIALECTS)))
        headers = {"connection": "close", **arbitrary_headers(chance)}
        if chance.random() < 0.9:
            headers["content-length"] = str(len(body))
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        head = f"HTTP/1.1 {chance.choice(STATUSES)} Fine\r\n{lines}\r\n".encode()
        whole = head + body
        return mutate_bytes(chance, whole) if chance.random() < 0.1 else whole


@pytest.mark.parametrize("seconds", LENGTHS)
def test_whatever_is_sent_the_service_answers_with_a_documented_status(seconds: float) -> None:
    assert {one.containing_service.full_name for one in METHODS} == set(SERVICES)
    babble = Babble()
    codes: Counter[str] = Counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        babbling(babble) as origin,
        serving(configure(origin, folder), Path(folder)) as demo,
        grpc.insecure_channel(demo.target) as channel,
    ):
        for seed, chance in rounds(seconds):
            babble.chance = Random(seed)
            method = chance.choice(COMPLETIONS if chance.random() < 0.8 else METHODS)
            data = wire(chance, method.input_type)
            with telling(seed, method.full_name, data):
                codes[send(channel, method, data)] += 1
                check_log(demo.log)
        assert demo.process.poll() is None
        # It has not lost its mind: what is right is answered, or said to be wrong by its model.
        assert send(channel, COMPLETIONS[0], prompt("plain").SerializeToString()) == "OK"
        demo.stop()
        check_log(demo.log)
    assert codes["OK"] > codes.total() / 100, codes


def send(channel: grpc.Channel, method: MethodDescriptor, data: bytes) -> str:
    """Send bytes to a method, and return the code that it ended with, which must be documented."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    stream: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(path)
    unary: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
    try:
        if method.server_streaming:
            for _ in stream(data, timeout=1.0):
                pass
        else:
            unary(data, timeout=5.0)
    except grpc.RpcError as error:
        found = told(error)  # type: ignore[arg-type]  # it is read as grpc.aio's is
        assert found.code is not grpc.StatusCode.UNKNOWN, found
        assert found.reason in {*Reason, ""}, found
        assert found.reason != Reason.INTERNAL, found
        assert found.reason or found.code in GRPCS_OWN, found
        assert len(found.message.encode()) <= 1024, found
        return found.code.name
    return "OK"


def check_log(lines: list[str]) -> None:
    """Nothing in the log is an error of the service's own."""
    for line in lines:
        assert "Traceback" not in line, line
        assert "error of our own" not in line, line
        assert " broke with " not in line, line
        assert json.loads(line), line
    lines.clear()


def configure(origin: str, folder: str) -> str:
    """One group of all dialects, mirrored to another, and one that is well."""
    models = [
        {
            "model_name": group,
            "litellm_params": {
                "model": f"{provider}/m",
                "api_base": origin,
                "api_key": "sk-canary",
                "timeout": 1,
                **({"silent_model": "silent"} if group == "g" else {}),
            },
        }
        for group in ("g", "silent")
        for provider in DIALECTS.values()
        if provider != "simulated" and provider in SPOKEN
    ]
    plain = {"model_name": "plain", "litellm_params": {"model": "simulated/plain"}}
    return json.dumps(
        {
            "model_list": [*models, plain],
            "router_settings": {"num_retries": 0},
            "understudy": {
                "server": {"port": 0},
                "state_dir": folder,
                "mirror": {"timeout": "1s"},
            },
        }
    )

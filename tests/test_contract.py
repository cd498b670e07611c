"""The contract and the code say the same, and the contract stands on its own."""

import re
from pathlib import Path

import pytest
from google.protobuf.descriptor import FileDescriptor

from understudy.server.errors import Reason
from understudy.server.routing.attempts import REMEDIES
from understudy.server.servicers.access import ROLES
from understudy.server.servicers.statuses import STATUSES
from understudy.v1 import (
    chat_pb2,
    completion_pb2,
    error_reason_pb2,
    experiment_pb2,
    operations_pb2,
    record_pb2,
)

PROTOS = Path(__file__).parent.parent / "protos"
FILES = [
    one.DESCRIPTOR
    for one in (
        chat_pb2,
        completion_pb2,
        error_reason_pb2,
        experiment_pb2,
        operations_pb2,
        record_pb2,
    )
]


def test_reasons_are_the_protos() -> None:
    names = [
        name.removeprefix("ERROR_REASON_")
        for name in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118
    ]

    assert names == ["UNSPECIFIED", *Reason]


def test_every_reason_has_a_status() -> None:
    assert set(STATUSES) == set(Reason)


def test_remedies_are_for_what_comes_of_asking() -> None:
    asked = {one for one in Reason if one.startswith("UPSTREAM_")}

    assert set(REMEDIES) >= asked - {
        Reason.UPSTREAM_REJECTED_REQUEST,
        Reason.UPSTREAM_STREAM_TRUNCATED,
    }


def test_every_rpc_has_a_role() -> None:
    methods = {
        f"/{service.full_name}/{method.name}"
        for file in FILES
        for service in file.services_by_name.values()
        for method in service.methods
    }

    assert methods <= ROLES.keys()
    assert {one for one in ROLES if one.startswith("/understudy")} == methods


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_protos_import_nothing_beyond_protobuf_itself(file: FileDescriptor) -> None:
    for dependency in file.dependencies:
        assert dependency.name.startswith(("google/protobuf/", "understudy/v1/"))


@pytest.mark.parametrize("path", sorted(PROTOS.rglob("*.proto")), ids=lambda path: path.name)
def test_protos_set_the_options_of_other_languages(path: Path) -> None:
    text = path.read_text()

    for option in ("go_package", "java_package", "java_multiple_files"):
        assert re.search(rf"^option {option} = ", text, re.MULTILINE), f"{path.name}: {option}"


def test_money_and_counts_have_the_right_width() -> None:
    usage = chat_pb2.Usage.DESCRIPTOR.fields_by_name
    assert {usage[name].type for name in ("prompt_tokens", "total_tokens")} == {5}  # int32
    assert completion_pb2.Cost.DESCRIPTOR.fields_by_name["nano_usd"].type == 3  # int64


def test_no_number_is_a_float() -> None:
    for file in FILES:
        for message in file.message_types_by_name.values():
            assert all(field.type != 2 for field in message.fields), message.name

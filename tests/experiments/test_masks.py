"""An update changes what its mask names, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from understudy.server.domain.experiments import Assignment, KeyKind, MirrorPart
from understudy.server.errors import Reason, RequestError
from understudy.server.experiments.masks import FIXED, PARTS, WHOLE, apply_mask, read_mask
from understudy.v1 import experiment_pb2

from .making import draft

WANTED = structs.replace(
    draft({"c": 10_000, "d": 0}),
    title="new",
    model_group="gpt-4",
    assignment=Assignment(KeyKind.METADATA, "team", "forged"),
    mirror=(MirrorPart("llama-2"),),
)
CURRENT = structs.replace(draft(), assignment=Assignment(salt="kept"), revision=7)


def test_every_field_of_the_contract_is_of_one_kind() -> None:
    def names(message: str) -> set[str]:
        return set(experiment_pb2.DESCRIPTOR.message_types_by_name[message].fields_by_name)

    parts = {f"assignment.{name}" for name in names("Assignment")}
    assert names("Experiment") | parts == WHOLE | PARTS | FIXED
    assert not FIXED & (WHOLE | PARTS)


@pytest.mark.parametrize("path", sorted(FIXED))
def test_what_only_the_server_sets_cannot_be_named(path: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_mask(["title", path], ())

    assert caught.value.reason is Reason.BAD_UPDATE_MASK
    assert caught.value.metadata["field"] == path


@pytest.mark.parametrize(
    "path",
    ["", "titel", "modelGroup", "variants.weight", "variants[0]", "assignment.", "x" * 999, "**"],
)
def test_what_is_no_field_cannot_be_named(path: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_mask([path], ())

    assert caught.value.reason is Reason.BAD_UPDATE_MASK
    assert len(caught.value.message) < 300


def test_a_misspelt_field_is_answered_with_the_nearest() -> None:
    with pytest.raises(RequestError, match="did you mean 'model_group'"):
        read_mask(["modelGroup"], ())


def test_a_star_stands_alone() -> None:
    assert read_mask(["*"], ()) == WHOLE
    with pytest.raises(RequestError, match="alone"):
        read_mask(["*", "title"], ())


def test_without_a_mask_what_is_set_counts_and_what_came_along_does_not() -> None:
    populated = ["name", "etag", "title", "variants", "state", "epochs", "create_time"]

    assert read_mask([], populated) == {"title", "variants"}


@given(st.sets(st.sampled_from(sorted(WHOLE))))
def test_only_the_fields_that_are_named_change(fields: set[str]) -> None:
    after = apply_mask(CURRENT, WANTED, frozenset(fields))

    for name in WHOLE - {"assignment"}:
        assert getattr(after, name) == getattr(WANTED if name in fields else CURRENT, name)
    assert after.assignment == (
        Assignment(KeyKind.METADATA, "team", "kept")
        if "assignment" in fields
        else CURRENT.assignment
    )
    assert after.revision == 7


def test_a_part_of_the_assignment_changes_by_itself() -> None:
    after = apply_mask(CURRENT, WANTED, frozenset({"assignment.key"}))

    assert after.assignment == Assignment(KeyKind.METADATA, "", "kept")

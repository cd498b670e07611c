"""Names of segments and keys of objects follow from each other, and hold nothing hostile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.sinks.bucket.lines import Place
from understudy.server.sinks.bucket.names import (
    Name,
    batch_key,
    instance_name,
    record_key,
)

BEGUN = 1_790_000_000.25


def test_a_name_is_read_as_it_was_written() -> None:
    name = Name.of(BEGUN, "a-b_c", 12, "redacted")

    assert Name.read(name.file("open")) == (name, "open")
    assert name.begun == BEGUN


def test_the_key_of_a_batch_says_its_hour() -> None:
    key = batch_key("logs/prod", Name.of(BEGUN, "abc", 7, "content"))

    assert key == "logs/prod/2026-09-21/14/20260921T141320250000Z-abc-000007.jsonl"


def test_the_key_of_a_batch_does_not_depend_on_what_is_captured() -> None:
    one, other = (Name.of(BEGUN, "abc", 7, capture) for capture in ("content", "metadata"))

    assert batch_key("", one) == batch_key("", other)


def test_the_key_of_a_record_is_litellms() -> None:
    assert record_key("p", Place("id1", 1_790_000_000_000_042)) == (
        "p/2026-09-21/time-14-13-20-000042_id1.json"
    )


@pytest.mark.parametrize(
    "file",
    ["lock", "x.jsonl", "20269921T141320250000Z-a-000001.content.jsonl", "../etc/passwd"],
)
def test_what_is_no_segment_has_no_name(file: str) -> None:
    assert Name.read(file) is None


@given(st.text(max_size=300))
def test_no_id_leaves_its_folder(id: str) -> None:
    key = record_key("p", Place(id, 0))

    assert key.count("/") == 2
    assert key.isascii()
    assert len(key) < 400
    assert "/" not in instance_name(id)
    assert instance_name(id) not in ("", ".", "..")

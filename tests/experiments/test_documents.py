"""Experiments as people write them."""

import pytest
import yaml

from understudy.server.domain.experiments import Assignment, KeyKind, MirrorPart, Overrides, Variant
from understudy.server.errors import RequestError
from understudy.server.experiments import documents
from understudy.server.experiments.documents import read_document, write_document

SHORT = {"experiment": "x", "variants": {"gpt-4": 80, "llama-2": 20}}


def test_the_example_is_read_as_it_says() -> None:
    example = (documents.__doc__ or "").split("\n\n")[1]

    document = read_document(yaml.safe_load(example))

    found = document.experiment
    assert document.state == "running"
    assert found.variants == (
        Variant("gpt-4", "gpt-4", 8000),
        Variant("short", "gpt-4", 2000, Overrides(system_prompt="Be brief.", temperature=0.2)),
    )
    assert found.mirror == (MirrorPart("llama-2"), MirrorPart("gpt-5", 0.25, 30.0))
    assert found.assignment == Assignment(KeyKind.USER)
    assert read_document(write_document(found)).experiment == found


def test_the_control_is_the_heaviest_and_the_key_whatever_the_call_has() -> None:
    found = read_document(SHORT).experiment

    assert found.control == "gpt-4"
    assert found.assignment == Assignment()


def test_labels_and_parameters_are_kept() -> None:
    arm = {"weight": 1, "params": {"reasoning_effort": "low", "n": 2}}
    document = {**SHORT, "variants": {"a": arm, "b": 2}, "assignment": "metadata.team"}

    found = read_document(document).experiment

    assert found.assignment == Assignment(KeyKind.METADATA, "team")
    assert [one.weight for one in found.variants] == [3333, 6667]
    assert {name: bytes(text) for name, text in found.variants[0].overrides.params.items()} == {
        "reasoning_effort": b'"low"',
        "n": b"2",
    }
    assert read_document(write_document(found)).experiment == found


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([], "Expected `object`"),
        ({"variants": {}}, "experiment"),
        ({**SHORT, "colour": 1}, "colour"),
        ({**SHORT, "variants": {"a": -1}}, "variants"),
        ({**SHORT, "variants": {"a": {"weight": 1, "modle": "x"}}}, "modle"),
        ({**SHORT, "variants": {"a": 0, "b": 0}}, "sum to 0"),
        ({**SHORT, "assignment": "moon"}, "moon"),
        ({**SHORT, "state": "done"}, "state"),
    ],
)
def test_what_is_no_experiment_is_refused_with_its_place(document: object, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        read_document(document)

"""What changed is said in words that people would use."""

import pytest
from msgspec import Raw, structs

from understudy.server.domain.experiments import Experiment, MirrorPart, Overrides
from understudy.server.experiments.causes import clip, describe

from .making import changed, draft, weighed

NOW = draft()
MIRRORED = structs.replace(NOW, mirror=(MirrorPart("gpt-4"),))


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [
        (NOW, NOW, ""),
        (NOW, structs.replace(NOW, title="new"), ""),
        (NOW, weighed(NOW, {"b": 2000, "a": 8000}), ""),
        (NOW, weighed(NOW, {"a": 5000, "b": 5000}), "weights 80/20 → 50/50"),
        (NOW, weighed(NOW, {"a": 7999, "b": 2001}), "weights 80/20 → 79.99/20.01"),
        (NOW, weighed(NOW, {"b": 3000, "a": 7000}), "weights 20/80 → 30/70"),
        (
            NOW,
            weighed(NOW, {"a": 8000, "b": 1000, "c": 1000}),
            "variant 'c' added; weights 80/20 → 80/10/10",
        ),
        (NOW, weighed(NOW, {"a": 8000, "b": 2000, "c": 0}), "variant 'c' added"),
        (NOW, changed(NOW, "b", model_group="gpt-4"), "model of 'b': llama-2 → gpt-4"),
        (
            NOW,
            changed(
                NOW,
                "b",
                overrides=Overrides("hi", 0.5, 7, params={"seed": Raw(b"1"), "n": Raw(b"2")}),
            ),
            (
                "system prompt of 'b'; temperature of 'b': the caller's → 0.5; "
                "max_tokens of 'b': the caller's → 7; n, seed of 'b'"
            ),
        ),
        (NOW, MIRRORED, "silent model 'gpt-4' added"),
        (MIRRORED, NOW, "silent model 'gpt-4' removed"),
        (
            MIRRORED,
            structs.replace(NOW, mirror=(MirrorPart("gpt-4", 0.5, 3.0, Overrides("hi")),)),
            (
                "fraction of silent model 'gpt-4': 1 → 0.5; timeout of silent model 'gpt-4'; "
                "system prompt of silent model 'gpt-4'"
            ),
        ),
    ],
)
def test_a_change_is_said_in_words(before: Experiment, after: Experiment, cause: str) -> None:
    assert describe(before, after) == cause


def test_a_cause_is_no_longer_than_is_stored() -> None:
    assert clip("x" * 1000) == "x" * 1000
    assert len(clip("x" * 1001)) == 1000

"""What makes a winner permanent can be put into the file, and hides what it cannot do from nobody."""

import json
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from understudy.server.domain.deployment import Endpoint, Snapshot
from understudy.server.domain.experiments import Experiment, Overrides, State
from understudy.server.experiments.permanent import to_yaml

from ..routing.making import deployment, snapshot
from .making import changed, draft, in_state

SECRET = Endpoint("http://127.0.0.1/v1?key=sk-canary", (("authorization", "Bearer sk-canary"),))
LIVE: Snapshot = snapshot(
    replace(deployment("one", 3.0, group="llama-2", order=1), endpoint=SECRET),
    replace(deployment("two", 1.0, group="llama-2", rpm=60), defaults={"api_key": "sk-canary"}),
)


def concluded(overrides: Overrides | None = None, *, group: str = "gpt-4") -> Experiment:
    ended = in_state(State.CONCLUDED, draft(model_group=group))
    return changed(ended, "b", overrides=overrides or Overrides())


def written(experiment: Experiment) -> str:
    return to_yaml(experiment, LIVE.groups)


def read(text: str) -> object:
    return yaml.safe_load(text)


def entries(text: str) -> list[dict[str, object]]:
    members: dict[str, list[dict[str, object]]] = yaml.safe_load(text)
    assert members.keys() == {"model_list"}
    return members["model_list"]


def test_the_winners_deployments_stand_under_the_name_that_callers_use() -> None:
    text = written(concluded())

    assert read(text) == {
        "model_list": [
            {
                "model_name": "gpt-4",
                "litellm_params": {"model": "openai/model-one", "weight": 3.0, "order": 1},
            },
            {
                "model_name": "gpt-4",
                "litellm_params": {"model": "openai/model-two", "weight": 1.0, "rpm": 60},
            },
        ]
    }
    assert text.startswith("# Experiment 'exp-1': variant 'b' won.\n")
    assert "# api_key: os.environ/…" in text
    assert "# 4. Delete the experiment.\n" in text


def test_no_secret_is_repeated() -> None:
    assert "canary" not in written(concluded(Overrides(temperature=0.5)))


def test_parameters_stand_where_they_are_read_and_are_said_to_be_defaults() -> None:
    overrides = Overrides(
        temperature=0.5,
        max_tokens=7,
        params={
            "stop": Raw(b'["a", "b"]'),
            "tools": Raw(b'[{"type": "function", "function": {"name": "f"}}]'),
            "weight": Raw(b"5"),
            "top_k": Raw(b"40"),
        },
    )
    text = written(concluded(overrides))

    assert entries(text)[0]["litellm_params"] == {
        "model": "openai/model-one",
        "weight": 3.0,
        "order": 1,
        "temperature": 0.5,
        "max_tokens": 7,
        "stop": ["a", "b"],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "extra_body": {"weight": 5, "top_k": 40},
    }
    assert "a caller's own go first" in text


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_a_prompt_is_told_in_a_comment_and_disturbs_nothing(prompt: str) -> None:
    text = written(concluded(Overrides(prompt)))

    assert read(text) == read(written(concluded()))
    assert "no place for one" in text
    shown = text[text.index("# system_prompt: ") :]
    assert yaml.safe_load("\n".join(line[2:] for line in shown.split("\n"))) == {
        "system_prompt": prompt
    }


def test_a_winner_that_is_the_group_itself_needs_no_entry() -> None:
    text = written(concluded(group="llama-2"))

    assert read(text) is None
    assert "as they are" in text


def test_without_a_group_callers_name_the_winners() -> None:
    text = written(concluded(group=""))

    assert read(text) is None
    assert "ask for the model 'llama-2'" in text


def test_without_a_group_changed_parameters_get_one_of_their_own() -> None:
    text = written(concluded(Overrides(top_p=0.5), group=""))

    assert [one["model_name"] for one in entries(text)] == ["exp-1", "exp-1"]
    assert "ask for the model 'exp-1'" in text


def test_a_group_that_has_gone_is_said_to_be_gone() -> None:
    text = to_yaml(concluded(), {})

    assert read(text) is None
    assert "No entry of model_list is called 'llama-2'" in text


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_json_is_written_as_yaml_that_says_the_same(value: object) -> None:
    text = written(concluded(Overrides(params={"top_k": Raw(json.dumps(value).encode())})))

    assert entries(text)[1]["litellm_params"] == {
        "model": "openai/model-two",
        "weight": 1.0,
        "rpm": 60,
        "extra_body": {"top_k": value},
    }


def test_nothing_is_permanent_before_something_has_won() -> None:
    with pytest.raises(ValueError, match="no winner"):
        to_yaml(structs.replace(concluded(), winner=""), LIVE.groups)

"""Experiments that a file brings along: read, refused at their place, and reported."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.config import Standing, parse
from understudy.server.errors import ConfigError

from .reading import faults, read

MODELS = """\
model_list:
- {model_name: gpt-4, litellm_params: {model: simulated/a}}
- {model_name: llama-2, litellm_params: {model: simulated/b}}
understudy:
  experiments:
    seeds:
"""
PATH = "understudy.experiments.seeds[0]"


def with_seeds(*seeds: str) -> str:
    return MODELS + "".join(f"    - {one}\n" for one in seeds)


def test_a_seed_is_an_experiment_as_people_write_it() -> None:
    text = "{experiment: mine, state: running, variants: {gpt-4: 3, llama-2: 1}}"

    (seed,) = read(with_seeds(text)).seeds

    assert (seed.experiment.id, seed.experiment.control, seed.state) == ("mine", "gpt-4", "running")
    assert [(one.id, one.weight) for one in seed.experiment.variants] == [
        ("gpt-4", 7500),
        ("llama-2", 2500),
    ]


def test_without_seeds_there_are_none() -> None:
    assert read("model_list: []").seeds == ()


@pytest.mark.parametrize(
    ("seed", "fault"),
    [
        ("{variants: {gpt-4: 1, llama-2: 1}}", f"{PATH}: this is no experiment"),
        ("{experiment: x, variants: {gpt-4: 1}}", f"{PATH}.variants: an experiment has 2 to 64"),
        (
            "{experiment: x, variants: {gpt-4: 1, gtp-4: 1}}",
            f"{PATH}.variants.gtp-4: no model group is named 'gtp-4'; did you mean 'gpt-4'?",
        ),
        (
            "{experiment: x, variants: {gpt-4: 1, b: {weight: 1, model_group: gone}}}",
            f"{PATH}.variants.b.model_group: no model group is named 'gone'",
        ),
        (
            "{experiment: x, variants: {gpt-4: 1, llama-2: {weight: 1, temperature: 3}}}",
            f"{PATH}.variants.llama-2.temperature: is 3.0; it must be in [0, 2]",
        ),
        (
            "{experiment: x, variants: {gpt-4: 1, llama-2: {weight: 1, params: {model: y}}}}",
            f"{PATH}.variants.llama-2.params: 'model' is not for an experiment to set",
        ),
        (
            "{experiment: x, variants: {gpt-4: 1, llama-2: 1}, mirror: [gpt-4, nobody]}",
            f"{PATH}.mirror[1]: no model group is named 'nobody'",
        ),
        (
            "{experiment: x, control: y, variants: {gpt-4: 1, llama-2: 1}}",
            f"{PATH}.control: control is 'y', which is no variant",
        ),
        (
            "{experiment: x, variants: {gpt-4: 0, llama-2: 0}}",
            f"{PATH}.variants: the weights sum to 0",
        ),
        (
            "{experiment: x, variants: {gpt-4: .nan, llama-2: 1}}",
            f"{PATH}",
        ),
        (
            "{experiment: ../x, variants: {gpt-4: 1, llama-2: 1}}",
            f"{PATH}.experiment: is not an id",
        ),
        (
            "{experiment: x, assignment: me, variants: {gpt-4: 1, llama-2: 1}}",
            f"{PATH}.assignment: is user, request or metadata.KEY",
        ),
        (
            "{experiment: x, state: paused, variants: {gpt-4: 1, llama-2: 1}}",
            f"{PATH}.state: a seed is a draft or running, not 'paused'",
        ),
    ],
)
def test_a_fault_in_a_seed_is_told_at_its_place(seed: str, fault: str) -> None:
    (found,) = faults(with_seeds(seed))

    assert found.startswith(f"config.yaml:7: {fault}")


def test_a_fault_deep_in_a_seed_has_its_own_line() -> None:
    seed = """experiment: x
      variants:
        gpt-4: 1
        b:
          weight: 1
          model_group: gone"""

    (found,) = faults(with_seeds(seed))

    assert found.startswith(f"config.yaml:12: {PATH}.variants.b.model_group:")


def test_an_id_that_is_there_twice_is_a_fault() -> None:
    seed = "{experiment: x, variants: {gpt-4: 1, llama-2: 1}}"

    (found,) = faults(with_seeds(seed, seed))

    assert found == "config.yaml:8: understudy.experiments.seeds[1].experiment: 'x' is there twice"


def test_faults_of_seeds_are_told_with_all_the_others() -> None:
    text = with_seeds("{experiment: x}") + "  server: {port: -1}\n"

    assert [one.split(": ")[1] for one in faults(text)] == [PATH, "understudy.server.port"]


@pytest.mark.parametrize("value", ["1.0e+400", ".inf", "[.nan]"])
def test_a_parameter_that_is_no_json_is_a_fault(value: str) -> None:
    arm = f"{{weight: 1, params: {{seed: {value}}}}}"

    (found,) = faults(with_seeds(f"{{experiment: x, variants: {{gpt-4: 1, llama-2: {arm}}}}}"))

    assert PATH in found


def test_a_seed_may_take_words_from_the_environment() -> None:
    arm = "{weight: 1, system_prompt: os.environ/PROMPT}"
    text = with_seeds(f"{{experiment: x, variants: {{gpt-4: 1, llama-2: {arm}}}}}")

    (seed,) = read(text, PROMPT="Be brief.").seeds

    assert seed.experiment.variants[1].overrides.system_prompt == "Be brief."
    (found,) = faults(text)
    assert "the variable PROMPT is not set" in found


def test_a_null_among_parameters_stays() -> None:
    arm = "{weight: 1, params: {stop: null}}"

    (seed,) = read(with_seeds(f"{{experiment: x, variants: {{gpt-4: 1, llama-2: {arm}}}}}")).seeds

    assert bytes(seed.experiment.variants[1].overrides.params["stop"]) == b"null"


def test_experiments_and_their_store_are_honoured() -> None:
    config = read("understudy: {experiments: {seeds: []}, store: {url: 'postgresql://h/d'}}")
    standings: dict[str, Any] = {one.name: one.standing for one in config.report.keys}

    assert set(standings.values()) == {Standing.HONOURED}


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("gpt-4")
)
KEYS = st.sampled_from(
    [
        *("experiment", "variants", "control", "assignment", "mirror", "state", "title"),
        *("weight", "model_group", "temperature", "max_tokens", "params", "gpt-4", "llama-2"),
    ]
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)
ARM = SCALARS | st.dictionaries(KEYS, ANYTHING, max_size=4)


@given(
    st.fixed_dictionaries(
        {
            "experiment": st.sampled_from(["x", "..", ""]),
            "variants": st.dictionaries(KEYS, ARM, max_size=4) | ANYTHING,
        },
        optional=dict.fromkeys(("control", "assignment", "mirror", "state", "title"), ANYTHING),
    )
    | ANYTHING
)
def test_whatever_a_seed_is_it_is_read_or_refused_at_its_place(seed: object) -> None:
    models = [
        {"model_name": name, "litellm_params": {"model": "simulated/a"}}
        for name in ("gpt-4", "llama-2")
    ]
    section = {"experiments": {"seeds": [seed]}}
    text = json.dumps({"model_list": models, "understudy": section})
    found: list[str] = []
    try:
        parse(text, "c.yaml", {})
    except ConfigError as error:
        found = error.faults

    assert all(one.startswith("c.yaml:1: ") for one in found)

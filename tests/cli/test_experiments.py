"""Experiments from the command line, as a person changes them while they serve."""

import hashlib
import json
import re
from collections.abc import Generator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from understudy.client import Client
from understudy.server.cli import commands

from ..service.running import Demo, process, serving
from .test_commands import SIMULATED, understudy

LLAMA = "huggingface/https://my-unique-endpoint.us-east-1.aws.endpoints.huggingface.cloud"
LLAMA_ID = LLAMA.replace("/https://", "-https-")
COMMANDS = (
    "apply", "audit", "conclude", "create", "delete", "list", "pause", "resume", "rollback",
    "set-weights", "show", "start", "watch",
)  # fmt: skip
PROMPTS = """\
experiment: {name}
title: Prompts
variants:
  gpt-4: {weights[0]}
  short:
    weight: {weights[1]}
    model_group: gpt-4
    system_prompt: |-
      {prompt}
      Very brief.
    temperature: 0.2
assignment: metadata.team
mirror: [llama-2, {{model_group: gpt-3.5-turbo, fraction: 0.25, timeout: 30}}]
state: {state}
"""


@pytest.fixture(scope="module")
def stage() -> Generator[Demo]:
    """A demo of these tests' own."""
    with process("demo", "--port", "0", "--no-traffic") as running:
        yield running


def run(stage: Demo, *arguments: str, stdin: str = "", code: int = 0) -> Result:
    """Run a command; its output is asserted to hold no traceback."""
    environment = {"UNDERSTUDY_TARGET": stage.target, "COLUMNS": "200"}
    done = CliRunner().invoke(commands, ["experiments", *arguments], input=stdin, env=environment)
    assert done.exit_code == code, done.output
    assert "Traceback" not in done.output
    return done


def written(name: str, *weights: int, prompt: str = "Be brief.", state: str = "running") -> str:
    return PROMPTS.format(name=name, weights=weights or (80, 20), prompt=prompt, state=state)


def test_the_life_of_an_experiment(stage: Demo) -> None:
    made = run(stage, "create", "life", "gpt-4=80", "llama-2=20", "--title", "Llamas").stdout
    assert made.startswith("life: draft, revision ")
    assert "gpt-4 80 % · llama-2 20 %" in made
    assert "understudy experiments start life" in made
    assert "life is running: gpt-4 80 % · llama-2 20 %" in run(stage, "start", "life").stdout

    changed = run(stage, "set-weights", "life", "gpt-4=1", "llama-2=1").stdout
    assert changed == (
        "gpt-4 80 % · llama-2 20 %  →  gpt-4 50 % · llama-2 50 %\n"
        "30 % of keys have another variant now\n"
    )
    assert "life is paused" in run(stage, "pause", "life").stdout
    assert "life is running" in run(stage, "resume", "life").stdout
    ended = run(stage, "rollback", "life", "--cause", "poor answers").stdout
    assert "life is rolled back: gpt-4 100 % (control)" in ended
    mended = run(stage, "set-weights", "life", "gpt-4=9", "llama-2=1").stdout
    assert mended.endswith("it is rolled back: the weights count once it is started\n")
    assert "gpt-4 90 % · llama-2 10 %" in run(stage, "start", "life").stdout

    shown = run(stage, "show", "life").stdout
    assert "title: Llamas" in shown
    assert re.search(r"1 +revision \d+ +\S+ +run 1 started", shown)
    assert "weights 80/20 → 50/50" in shown
    assert "run 2 started" in shown
    assert re.search(r"life +running +- +gpt-4 90 % · llama-2 10 %", run(stage, "list").stdout)

    trail = run(stage, "audit", "life").stdout.splitlines()
    assert len(trail) == 8
    assert "StartExperiment by loopback: run 2 started" in trail[0]
    assert any("RollbackExperiment by loopback: poor answers" in line for line in trail)
    assert len(run(stage, "audit", "life", "-n", "2").stdout.splitlines()) == 2

    run(stage, "conclude", "life", "llama-2")
    assert "llama-2 100 % (winner)" in run(stage, "delete", "life", stdin="n\n", code=1).output
    assert run(stage, "delete", "life", "--yes").stdout == "life is deleted\n"
    assert "EXPERIMENT_NOT_FOUND" in run(stage, "show", "life", code=1).stderr


def test_a_group_with_a_url_goes_by_its_own_name(stage: Demo) -> None:
    run(stage, "create", "urls", "gpt-4=4", f"{LLAMA}=1", "--start")
    changed = run(stage, "set-weights", "urls", f"{LLAMA}=1", "gpt-4=1").stdout

    assert f"gpt-4 50 % · {LLAMA_ID} 50 %" in changed


def test_a_file_is_applied_and_applied_again(stage: Demo, tmp_path: Path) -> None:
    path = tmp_path / "experiments.yaml"
    path.write_text(written("filed") + "---\n" + written("filed-too", state="draft"))

    dry = run(stage, "apply", "-f", str(path), "--dry-run").stdout
    assert "filed: would be created" in dry
    assert "+      Be brief.\n+      Very brief.\n" in dry
    assert "filed: would become running" in dry
    run(stage, "show", "filed", code=1)

    done = run(stage, "apply", "-f", str(path)).stdout
    assert done == "filed: created\nfiled: running\nfiled-too: created\n"
    before = run(stage, "show", "filed", "--json").stdout
    done = run(stage, "apply", "-f", str(path)).stdout
    assert done == "filed: unchanged\nfiled-too: unchanged\n"
    assert run(stage, "show", "filed", "--json").stdout == before

    path.write_text(written("filed", 1, 1, prompt="Be terse.", state="paused"))
    dry = run(stage, "apply", "-f", str(path), "--dry-run").stdout
    assert "filed: would change; 30 % of keys get another variant" in dry
    assert "-      Be brief.\n+      Be terse.\n" in dry
    assert "filed: would become paused" in dry
    assert run(stage, "show", "filed", "--json").stdout == before
    done = run(stage, "apply", "-f", "-", stdin=path.read_text()).stdout
    assert "filed: changed; 30 % of keys get another variant" in done
    assert done.endswith("filed: paused\n")


def test_what_is_shown_as_yaml_is_applied_unchanged(stage: Demo) -> None:
    run(stage, "apply", "-f", "-", stdin=written("shown"))
    shown = run(stage, "show", "shown", "--yaml").stdout

    assert run(stage, "apply", "-f", "-", stdin=shown).stdout == "shown: unchanged\n"


def test_a_rolled_back_experiment_is_mended_and_started_by_a_file(stage: Demo) -> None:
    run(stage, "apply", "-f", "-", stdin=written("mended"))
    run(stage, "rollback", "mended")

    done = run(stage, "apply", "-f", "-", stdin=written("mended", 1, 1, prompt="Be good.")).stdout

    assert done.endswith("mended: running\n")
    assert "Be good." in run(stage, "show", "mended").stdout


def test_what_makes_a_winner_permanent_is_a_configuration(stage: Demo, tmp_path: Path) -> None:
    run(stage, "apply", "-f", "-", stdin=written("won"))
    done = run(stage, "conclude", "won", "short")
    assert "won is concluded: short 100 % (winner)" in done.stderr
    (entry,) = yaml.safe_load(done.stdout)["model_list"]
    assert entry["litellm_params"] == {"model": "simulated/gpt-4", "temperature": 0.2}
    assert "#   Be brief.\n#   Very brief.\n" in done.stdout

    path = tmp_path / "winner.yaml"
    path.write_text(done.stdout)
    checked = CliRunner().invoke(commands, ["check", str(path)])
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("show", "none"), 1, "EXPERIMENT_NOT_FOUND: there is no experiment 'none'"),
        (("start", "none"), 1, "EXPERIMENT_NOT_FOUND"),
        (("rollback", "a/b"), 1, "INVALID_REQUEST: name is experiments/"),
        (("create", "no id", "gpt-4=1", "llama-2=1"), 1, "is not an id"),
        (("create", "x", "gpt-4=1", "nobody=1"), 1, "MODEL_NOT_FOUND"),
        (("create", "x", "gpt-4=1"), 2, "at least two models"),
        (("create", "x", "gpt-4=1", "gpt-4=2"), 2, "gpt-4 is there twice"),
        (("create", "x", "gpt-4=1", "llama-2=many"), 2, "'llama-2=many' is not NAME=WEIGHT"),
        (("create", "x", "gpt-4=1", "llama-2=nan"), 2, "is not NAME=WEIGHT"),
        (("create", "x", "gpt-4=1", "llama-2=-1"), 2, "must be finite and not negative"),
        (("create", "x", "gpt-4=1", "llama-2=1", "--control", "y"), 2, "not in models"),
        (("list", "-f", "colour = red"), 1, "'colour' is no field"),
    ],
)
def test_an_error_is_one_line(
    stage: Demo, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = run(stage, *arguments, code=code)

    assert told in done.stderr.splitlines()[-1]
    if code == 1:
        assert len(done.stderr.splitlines()) == 1
    assert not done.stdout


def test_weights_that_leave_a_variant_out_are_refused(stage: Demo) -> None:
    run(stage, "create", "left-out", "gpt-4=1", "llama-2=1")

    missing = run(stage, "set-weights", "left-out", "gpt-4=1", code=2).stderr
    unknown = run(stage, "set-weights", "left-out", "gpt-4=1", "nobody=1", code=2).stderr
    nothing = run(stage, "set-weights", "left-out", "gpt-4=0", "llama-2=0", code=2).stderr

    assert "say the weight of llama-2 too; 0 is one" in missing
    assert "no variant is called nobody; there are gpt-4, llama-2" in unknown
    assert "the weights sum to 0" in nothing


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("experiment: [", "<stdin>:1: expected the node content"),
        ("experiment: x\nvariantz: {a: 1}", "unknown field `variantz`"),
        ("experiment: x\nvariants: {gpt-4: -1, b: 1}", "this is no experiment"),
        ("experiment: x\nvariants: {gpt-4: 1, nobody: 1}", "MODEL_NOT_FOUND"),
        ("- 1", "this is no experiment"),
    ],
)
def test_a_file_that_says_no_experiment_is_refused_in_one_line(
    stage: Demo, text: str, told: str
) -> None:
    done = run(stage, "apply", "-f", "-", stdin=text, code=1)

    (line,) = done.stderr.splitlines()
    assert told in line


def test_a_state_that_cannot_be_reached_is_said(stage: Demo) -> None:
    run(stage, "apply", "-f", "-", stdin=written("stuck"))
    done = run(stage, "apply", "-f", "-", stdin=written("stuck", state="draft"), code=1)

    assert done.stderr == "understudy: stuck is running and cannot become draft\n"


def test_nobody_at_the_target_is_one_line(stage: Demo) -> None:
    done = run(stage, "list", "--target", "127.0.0.1:1", code=1)

    (line,) = done.stderr.splitlines()
    assert line.startswith("understudy: nothing answers at 127.0.0.1:1")


def test_without_the_key_nothing_is_changed(tmp_path: Path) -> None:
    keys = [
        {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), "roles": [name]}
        for name in ("viewer", "operator")
    ]
    config = SIMULATED + f"understudy: {json.dumps({'server': {'api_keys': keys}})}\n"
    with serving(config, tmp_path) as server:
        for key, reason in (("wrong", "CREDENTIALS_REJECTED"), ("viewer", "ROLE_MISSING")):
            done = CliRunner().invoke(
                commands,
                ["experiments", "rollback", "x", "--target", server.target],
                env={"UNDERSTUDY_API_KEY": key},
            )
            assert done.exit_code == 1
            (line,) = done.stderr.splitlines()
            assert line.startswith(f"understudy: {reason}")


def test_a_watch_is_read_by_programs_too(stage: Demo) -> None:
    run(stage, "create", "counted", "gpt-4=1", "llama-2=1")
    trail = json.loads(run(stage, "audit", "counted", "--json").stdout)
    assert trail["action"] == "CreateExperiment"
    assert json.loads(trail["afterJson"])["name"] == "experiments/counted"
    listed = [json.loads(line) for line in run(stage, "list", "--json").stdout.splitlines()]
    assert "experiments/counted" in [one["name"] for one in listed]


def test_names_cannot_move_the_cursor(stage: Demo) -> None:
    with Client(stage.target) as client:
        client.completion_with_split_tests(
            {"gpt-4": 1, "llama-2": 1},
            [{"role": "user", "content": "hi"}],
            use_client=True,
            id="harmless",
        )
    run(stage, "rollback", "harmless", "--cause", "\x1b[2Jgone")

    assert "\x1b" not in run(stage, "audit", "harmless").stdout


def test_help_names_every_command() -> None:
    shown = understudy("experiments", "--help").stdout

    for name in COMMANDS:
        assert re.search(rf"^  {name} ", shown, re.MULTILINE), name

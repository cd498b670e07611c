"""The README's commands work, word for word."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from .service.running import Demo, process

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, and the text block that follows it at once: its output."""

    language: str
    text: str
    output: str

    @property
    def name(self) -> str:
        """Its first line, for the test's id."""
        return self.text.splitlines()[0][:60]


def blocks(language: str) -> list[Block]:
    found = re.findall(
        r"^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", README, re.MULTILINE | re.DOTALL
    )
    return [Block(*one) for one in found if one[0] == language]


def commands(start: str) -> list[str]:
    """Return the shell commands that begin so, their continued lines joined."""
    lines = "".join(block.text for block in blocks("sh")).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith(start)]


def run(
    command: list[str], demo: Demo, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}:{os.environ['PATH']}"
    return subprocess.run(
        command,
        env={**os.environ, "PATH": path, "UNDERSTUDY_TARGET": demo.target},
        cwd=folder or ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def here(text: str, demo: Demo) -> str:
    """Return the text with the demo's real address in place of the README's."""
    return text.replace("localhost:50051", demo.target).replace("127.0.0.1:50051", demo.target)


def test_every_command_is_of_a_kind_that_is_run_here() -> None:
    every = commands("")
    known = ("make demo", "buf curl ", "grpcurl ", "understudy ")

    assert every
    assert [one for one in every if not one.startswith(known)] == []


@pytest.mark.parametrize("command", commands("buf curl "))
def test_buf_curl_lines_work(command: str, demo: Demo) -> None:
    done = run(["sh", "-c", here(command, demo)], demo)

    assert done.returncode == 0, done.stderr
    assert '"choices"' in done.stdout


@pytest.mark.parametrize("command", commands("grpcurl "))
def test_grpcurl_lines_say_what_buf_curl_can_send(command: str, demo: Demo) -> None:
    words = shlex.split(here(command, demo))[1:]
    options: list[str] = []
    schema: list[str] = []
    while words[0].startswith("-"):
        match words.pop(0):
            case "-plaintext":
                pass
            case "-import-path":
                schema = ["--schema", words.pop(0)]
            case "-proto":
                assert (ROOT / schema[1] / words.pop(0)).exists()
            case "-H":
                options += ["-H", words.pop(0)]
            case "-d":
                json.loads(words[0])
                options += ["-d", words.pop(0)]
            case other:
                pytest.fail(f"grpcurl has no option {other}")
    address, method = words
    curl = ["buf", "curl", "--protocol", "grpc", "--http2-prior-knowledge", *schema, *options]

    done = run([*curl, f"http://{address}/{method}"], demo)

    assert done.returncode == 0, done.stderr
    assert '"choices"' in done.stdout


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.name)
def test_python_blocks_print_what_is_shown(block: Block, demo: Demo, tmp_path: Path) -> None:
    done = run([sys.executable, "-c", here(block.text, demo)], demo, tmp_path)

    assert done.returncode == 0, done.stderr
    if block.output:
        assert done.stdout == block.output


@pytest.mark.parametrize("command", commands("understudy complete"))
def test_complete_answers(command: str, demo: Demo) -> None:
    done = run(["sh", "-c", command], demo)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize(
    "command",
    [
        one
        for name in ("status", "pairs", "records", "mirror")
        for one in commands(f"understudy {name}")
    ],
)
def test_looking_and_steering_work(command: str, demo: Demo) -> None:
    done = run(["sh", "-c", command], demo)

    assert done.returncode == 0, done.stderr


def test_the_life_of_an_experiment_is_as_told(demo: Demo) -> None:
    life = commands("understudy experiments ")

    ends = [run(["sh", "-c", command], demo) for command in life]

    assert [(one.returncode, one.stderr) for one in ends if one.returncode] == []
    assert "poor answers" in ends[-1].stdout


@pytest.mark.parametrize(
    "command", [one for name in ("report", "export") for one in commands(f"understudy {name}")]
)
def test_reports_and_exports_work(command: str, demo: Demo, tmp_path: Path) -> None:
    experiment = re.search(r"experiments/(\S+)", command)
    if experiment is not None:
        run(["understudy", "experiments", "create", experiment[1], "gpt-4=1", "llama-2=1"], demo)

    done = run(["sh", "-c", command], demo, tmp_path)

    assert done.returncode == 0, done.stderr


def test_the_sinks_of_the_example_are_honoured(demo: Demo, tmp_path: Path) -> None:
    section = next(one.text for one in blocks("yaml") if "  sinks:" in one.text)
    models = "model_list: [{model_name: m, litellm_params: {model: simulated/m}}]\n"
    keys = "environment_variables: {LANGFUSE_PUBLIC_KEY: pk-lf-1, LANGFUSE_SECRET_KEY: sk-lf-2}\n"
    (tmp_path / "config.yaml").write_text(section + models + keys)

    done = run(["understudy", "check", "config.yaml"], demo, tmp_path)

    assert done.returncode == 0, done.stderr
    assert "collector:4318" in done.stdout


def test_the_example_of_an_experiment_can_be_applied(demo: Demo, tmp_path: Path) -> None:
    path = tmp_path / "experiment.yaml"
    path.write_text(next(one.text for one in blocks("yaml") if one.text.startswith("experiment:")))

    done = run(["understudy", "experiments", "apply", "-f", str(path), "--dry-run"], demo)

    assert done.returncode == 0, done.stderr


def example_config(folder: Path) -> Path:
    path = folder / "config.yaml"
    path.write_text(next(one.text for one in blocks("yaml") if "weight: 0.8" in one.text))
    return path


@pytest.mark.parametrize("command", commands("understudy check"))
def test_check_tells_of_the_example_file(command: str, demo: Demo, tmp_path: Path) -> None:
    example_config(tmp_path)
    for name in ("AZURE_API_BASE", "AZURE_API_KEY", "TOGETHER_API_KEY"):
        assert f"os.environ/{name}" in README

    done = run(["sh", "-c", command.replace(" --probe", "")], demo, tmp_path)

    assert "chatgpt-v-2" in done.stdout
    assert "TOGETHER_API_KEY" in done.stdout


def test_serve_runs_the_example_file(tmp_path: Path) -> None:
    environment = {
        "AZURE_API_BASE": "https://example.invalid",
        "AZURE_API_KEY": "k",
        "TOGETHER_API_KEY": "k",
    }
    path = example_config(tmp_path)
    assert commands("understudy serve") == ["understudy serve --config config.yaml"]

    with process("serve", "--config", str(path), "--port", "0", environment=environment) as server:
        assert server.ready.startswith("understudy is ready: grpc=")
        assert server.stop() == 0


def test_make_targets_that_are_named_exist() -> None:
    named = set(re.findall(r"`?make ([a-z]+)", README))

    assert named
    assert named <= TARGETS


def test_the_ready_line_is_as_shown(demo: Demo) -> None:
    shown = re.search(r"`(understudy is ready: grpc=127\.0\.0\.1:)50051 …`", README)

    assert shown is not None
    assert demo.ready.startswith(shown[1])


def test_the_tree_names_what_there_is() -> None:
    tree = next(
        block
        for block in re.findall(r"^```text\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
        if block.startswith("protos/")
    )
    named = set(re.findall(r"^  ([a-z_]+(?:\.py|/))", tree, re.MULTILINE)) | {"logs.py"}
    server = ROOT / "server/understudy/server"
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in server.iterdir()
        if (path.suffix == ".py" and not path.name.startswith("__"))
        or (path.is_dir() and not path.name.startswith("__"))
    }

    assert named == there

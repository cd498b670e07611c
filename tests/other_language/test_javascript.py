"""A client generated from `protos/` alone, in JavaScript, speaks to the service."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ..service.running import Demo

HERE = Path(__file__).parent
PROTOS = HERE.parent.parent / "protos"


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generated client in it."""
    folder = tmp_path_factory.mktemp("javascript")
    for name in ("package.json", "package-lock.json", "buf.gen.yaml", "ask.js"):
        shutil.copy(HERE / name, folder)
    run("npm", "ci", "--no-audit", "--no-fund", folder=folder)
    buf = str(Path(sys.executable).parent / "buf")
    run(buf, "generate", str(PROTOS), "--template", "buf.gen.yaml", folder=folder)
    return folder


def test_a_javascript_client_gets_answers_pieces_and_reasons(javascript: Path, demo: Demo) -> None:
    told = json.loads(run("node", "ask.js", demo.target, "gpt-4", folder=javascript))

    assert told["content"]
    assert told["tokens"] > 0
    assert told["streamed"] == told["content"]
    assert told["pieces"] > 1
    assert told["streamedBy"] == "gpt-4"
    assert told["code"] == "NotFound"
    assert told["message"].startswith("MODEL_NOT_FOUND: ")

"""The service answers `buf curl` by reflection, as a person would call it by hand."""

import json
import subprocess
import sys
from pathlib import Path

from .running import Demo

BUF = Path(sys.executable).parent / "buf"
SERVICE = "understudy.v1.CompletionService"
HI = '"messages":[{"role":"user","content":"hi"}]'


def curl(demo: Demo, method: str, data: str, *more: str) -> subprocess.CompletedProcess[str]:
    url = f"http://{demo.target}/{method}"
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", *more]
    return subprocess.run(
        [*command, "-d", data, url], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_whole_answer(demo: Demo) -> None:
    done = curl(demo, f"{SERVICE}/CreateCompletion", f'{{"model":"gpt-3.5-turbo",{HI}}}')

    answer = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert answer["choices"][0]["message"]["content"]
    assert answer["routing"]["provider"] == "simulated"
    assert isinstance(answer["usage"]["totalTokens"], int)


def test_an_answer_in_pieces(demo: Demo) -> None:
    done = curl(demo, f"{SERVICE}/StreamCompletion", f'{{"model":"gpt-4",{HI}}}')

    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"choices"') > 1


def test_an_error_names_its_reason(demo: Demo) -> None:
    done = curl(demo, f"{SERVICE}/CreateCompletion", f'{{"model":"gtp-4",{HI}}}')

    assert done.returncode != 0
    assert "MODEL_NOT_FOUND: no model group is named 'gtp-4'; did you mean 'gpt-4'?" in done.stderr


def test_a_providers_error_names_its_reason(demo: Demo) -> None:
    done = curl(demo, f"{SERVICE}/CreateCompletion", f'{{"model":"always-rate-limited",{HI}}}')

    assert "UPSTREAM_RATE_LIMITED: " in done.stderr


def test_the_services_are_listed(demo: Demo) -> None:
    command = [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--list-services"]
    done = subprocess.run(
        [*command, f"http://{demo.target}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    for name in ("Completion", "Experiment", "Record", "Operations"):
        assert f"understudy.v1.{name}Service" in done.stdout
    assert "grpc.health.v1.Health" in done.stdout

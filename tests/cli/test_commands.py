"""The command line, as a person meets it."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ..service.running import Demo, process, serving
from ..stub.eventually import eventually_sync
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread

SIMULATED = "model_list: [{model_name: g, litellm_params: {model: simulated/g}}]\n"


def understudy(
    *arguments: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "understudy.server", *arguments],
        input=stdin,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write(folder: Path, text: str) -> str:
    path = folder / "config.yaml"
    path.write_text(textwrap.dedent(text))
    return str(path)


def test_the_ready_line_is_one_line_and_says_that_nobody_needs_a_key(demo: Demo) -> None:
    assert demo.ready.startswith("understudy is ready: grpc=127.0.0.1:")
    assert demo.ready.endswith("auth=off\n")


def test_serve_tells_faults_by_their_place(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """\
        model_list:
          - model_name: g
            litellm_params: {model: openai/gpt-4, api_key: k, weight: -1}
        """,
    )

    done = understudy("serve", "--config", path)

    assert done.returncode == 1
    assert "config.yaml:3: model_list[0].litellm_params.weight" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_without_a_file_says_which(tmp_path: Path) -> None:
    done = understudy("serve", "--config", str(tmp_path / "none.yaml"))

    assert done.returncode == 1
    assert "none.yaml" in done.stderr


def test_serve_refuses_what_protected_something_until_it_is_accepted(tmp_path: Path) -> None:
    guarded = SIMULATED + 'litellm_settings: {success_callback: ["langfuse"]}\n'
    path = write(tmp_path, guarded)

    refused = understudy("serve", "--config", path)

    assert refused.returncode == 1
    name = "litellm_settings.success_callback.langfuse"
    assert name in refused.stderr
    assert "accept_ignored" in refused.stderr
    accepted = guarded + f"understudy: {{accept_ignored: [{name}]}}\n"
    with serving(accepted, tmp_path) as server:
        assert server.stop() == 0


def test_serve_refuses_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = understudy("serve", "--config", write(tmp_path, SIMULATED), "--port", port)

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def test_serve_refuses_an_open_door(tmp_path: Path) -> None:
    done = understudy("serve", "--config", write(tmp_path, SIMULATED), "--host", "0.0.0.0")

    assert done.returncode == 1
    assert "api_keys" in done.stderr


def test_an_unusable_deployment_with_a_share_stops_the_start(tmp_path: Path) -> None:
    text = """\
        model_list:
          - {model_name: g, litellm_params: {model: simulated/g}}
          - {model_name: g, litellm_params: {model: openai/gpt-4}}
        """
    path = write(tmp_path, text)

    refused = understudy("serve", "--config", path, OPENAI_API_KEY="")

    assert refused.returncode == 1
    assert "OPENAI_API_KEY" in refused.stderr
    with process("serve", "--config", path, "--port", "0", "--allow-unusable") as server:
        assert server.stop() == 0


def test_check_shows_keys_deployments_and_hosts(tmp_path: Path) -> None:
    text = """\
        model_list:
          - model_name: chat
            litellm_params: {model: together_ai/m, api_key: os.environ/TOGETHER_API_KEY, weight: 3}
          - model_name: chat
            litellm_params: {model: bedrock/m, weight: 1}
        guardrails: [{guardrail_name: pii}]
        litellm_settings: {set_verbose: true}
        """
    done = understudy("check", write(tmp_path, text), TOGETHER_API_KEY="sk-canary-1234567890abcdef")

    assert done.returncode == 1
    assert "75.0%" in done.stdout
    assert "api.together" in done.stdout
    assert "TOGETHER_API_KEY" in done.stdout
    assert "litellm_proxy" in done.stdout
    assert "guardrails" in done.stdout
    assert "serve refuses" in done.stderr
    assert "sk-canary" not in done.stdout + done.stderr


def test_check_shows_the_experiments_that_the_file_brings_along(tmp_path: Path) -> None:
    seed = "{experiment: mine, state: running, variants: {g: 3, h: {weight: 1, model_group: g}}}"
    good = write(tmp_path, f"{SIMULATED}understudy: {{experiments: {{seeds: [{seed}]}}}}\n")

    done = understudy("check", good, "--strict")

    assert done.returncode == 0
    assert "seed mine: running, g 75 % · h 25 %" in done.stdout

    bad = write(tmp_path, f"{SIMULATED}understudy: {{experiments: {{seeds: [{{}}]}}}}\n")
    done = understudy("check", bad)

    assert done.returncode == 1
    assert "config.yaml:2: understudy.experiments.seeds[0]: this is no experiment" in done.stderr


def test_status_tells_why_the_file_could_not_be_read_again(tmp_path: Path) -> None:
    with serving(SIMULATED, tmp_path) as server:
        write(tmp_path, "model_list: 1")
        server.process.send_signal(signal.SIGHUP)
        eventually_sync(lambda: [one for one in server.log if "not reloaded" in one], within=10)

        done = understudy("status", "--target", server.target)

    assert "the configuration file could not be read again" in done.stdout
    assert "  config.yaml:1: model_list: must be a list (is 1)" in done.stdout


def test_check_is_content_with_a_plain_file_and_strict_with_an_unknown_key(tmp_path: Path) -> None:
    plain = understudy("check", write(tmp_path, SIMULATED), "--strict")
    path = write(tmp_path, SIMULATED + "litellm_settings: {some_new_thing: 1}\n")

    assert plain.returncode == 0, plain.stdout
    assert understudy("check", path).returncode == 0
    assert understudy("check", path, "--strict").returncode == 1


def test_probe_tells_how_each_deployment_answers(tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        text = json.dumps(
            {
                "model_list": [
                    {
                        "model_name": mode,
                        "litellm_params": {
                            "model": f"openai/{mode}",
                            "api_base": f"{stub.url}/v1",
                            "api_key": "os.environ/HF_TOKEN",
                        },
                    }
                    for mode in ("ok", "length", "echo-key+status-401", "status-503", "status-404")
                ]
            }
        )
        done = understudy(
            "check", write(tmp_path, text), "--probe", HF_TOKEN="sk-canary-0123456789"
        )

    assert done.returncode == 1
    assert done.stdout.count(" ms") == 2
    assert "401 key HF_TOKEN refused" in done.stdout
    assert "503 " in done.stdout
    assert "404 no such model or path" in done.stdout
    assert "sk-canary" not in done.stdout + done.stderr


def test_complete_prints_the_answer_and_nothing_else(demo: Demo) -> None:
    done = understudy("complete", "--model", "gpt-4", "hi", UNDERSTUDY_TARGET=demo.target)

    assert done.returncode == 0
    assert done.stdout.startswith("[simulated]")
    assert done.stderr == ""


def test_complete_reads_the_prompt_from_standard_input(demo: Demo) -> None:
    done = understudy("complete", "-m", "gpt-4", "--stream", "--target", demo.target, stdin="hi")

    assert done.stdout.startswith("[simulated]")


def test_complete_prints_json(demo: Demo) -> None:
    done = understudy("complete", "-m", "gpt-4", "--json", "--target", demo.target, "hi")

    assert json.loads(done.stdout)["choices"][0]["message"]["role"] == "assistant"


def test_complete_draws_from_a_split(demo: Demo) -> None:
    split = "gpt-4=1,llama-2=0"
    done = understudy("complete", "--models", split, "--json", "--target", demo.target, "hi")

    assert '"gpt-4"' in done.stdout


@pytest.mark.parametrize("split", ["gpt-4", "gpt-4=x", "=1"])
def test_complete_says_what_a_split_looks_like(split: str, demo: Demo) -> None:
    done = understudy("complete", "--models", split, "--target", demo.target, "hi")

    assert done.returncode == 2
    assert "NAME=WEIGHT" in done.stderr


def test_complete_says_when_nobody_answers() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{closed.getsockname()[1]}"
        done = understudy("complete", "-m", "gpt-4", "--target", target, "hi")

    assert done.returncode == 1
    assert f"nothing answers at {target}; start one with `understudy demo`" in done.stderr


def test_without_the_servers_packages_the_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise ModuleNotFoundError(name='click')\n")

    done = understudy("demo", PYTHONPATH=str(tmp_path))

    assert done.returncode == 1
    assert "pip install 'understudy[server]'" in done.stderr

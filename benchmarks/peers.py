"""`make bench-peers`: the service beside its peers: same upstream, payload and core, in one run.

LiteLLM's proxy and its in-process Router, each with and without `silent_model`, in a virtual
environment of their own; Portkey's gateway where node is there. What is compared is how many
answers a core gives: they do other things besides, and the table says nothing of those.
"""

import argparse
import json
import os
import secrets
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop
from rich.console import Console

from benchmarks.http_load import press_http
from benchmarks.keeping import Row, keep
from benchmarks.load import Sample, memory, press
from benchmarks.peers_installed import install_litellm, install_portkey, name_versions
from benchmarks.speed import STATES, configure
from benchmarks.subjects import LOAD, SERVER, Subject, describe_machine, keep_to, serving, starting

HEADS = ("answers/s", "we, to this", "CPU µs", "p50 ms", "p99 ms", "RSS MiB", "failed")

# Without one LiteLLM's proxy does not start, nor with one that is short.
MASTER_KEY: Final = f"sk-{secrets.token_hex(32)}"

# And nothing beyond this machine is asked for.
LITELLM_ENVIRONMENT: Final = {
    "LITELLM_MASTER_KEY": MASTER_KEY,
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}

Press = Callable[[Subject, float, int], Sample]


@dataclass(slots=True)
class Peer:
    """One subject: how it is started and pressed, and by which state of ours it is measured."""

    name: str
    ours: str
    start: Callable[[str], AbstractContextManager[Subject]]
    press: Press
    samples: list[Sample] = field(default_factory=list[Sample])
    size: float = 0.0


def main() -> None:
    """Measure, print the table, and keep it if asked to."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5, help="interleaved rounds [5]")
    options.add_argument("--seconds", type=float, default=5.0, help="counted per stretch [5]")
    options.add_argument("--in-flight", type=int, default=32, help="calls in flight [32]")
    options.add_argument("--only", action="append", help="part of a name; repeatable [all]")
    options.add_argument("--out", help="folder for the table, the plot and the raw samples")
    given = options.parse_args()
    console = Console(width=130)
    with console.status("installing the peers, once"):
        python, gateway = install_litellm(), install_portkey()
    peers = [*ours(), *litellm(python)]
    if gateway is not None:
        peers.append(portkey(gateway))
    if given.only:
        peers = [one for one in peers if any(part in one.name for part in given.only)]
    with ExitStack() as stack:
        upstream = stack.enter_context(starting(["-m", "benchmarks.upstream"], LOAD))
        keep_to(LOAD)
        base = f"http://127.0.0.1:{upstream.port}"
        for number in range(given.rounds):
            for peer in peers if number % 2 == 0 else reversed(peers):
                told = f"round {number + 1} of {given.rounds}: {peer.name}"
                # One at a time: some of them keep a core busy doing nothing.
                with console.status(told), peer.start(base) as subject:
                    peer.samples.append(peer.press(subject, given.seconds, given.in_flight))
                    peer.size = memory(subject.pid)
    note = f"{describe_machine()}; {', '.join(name_versions(python, gateway))}"
    title = f"{given.in_flight} calls in flight"
    keep(console, "peers", title, note, HEADS, tell(peers), given.out)


def ours() -> list[Peer]:
    """The service, in the states that peers are compared with."""

    def start(name: str) -> Callable[[str], AbstractContextManager[Subject]]:
        state = next(one for one in STATES if one.name == name)
        return lambda base: serving(name, configure(base, state))

    def ask(subject: Subject, seconds: float, in_flight: int) -> Sample:
        return uvloop.run(press(subject.port, subject.pid, seconds, in_flight, 4))

    return [
        Peer(f"understudy, {name}", "", start(name), ask)
        for name in ("records, metrics", "every call mirrored")
    ]


def litellm(python: Path) -> list[Peer]:
    """LiteLLM, as a proxy and in process, with and without a silent model."""
    plain, mirrored = "understudy, records, metrics", "understudy, every call mirrored"

    def ask(subject: Subject, seconds: float, in_flight: int) -> Sample:
        path = "/v1/chat/completions"
        headers = {"authorization": f"Bearer {MASTER_KEY}"}
        return uvloop.run(press_http(subject, path, headers, seconds, in_flight))

    def run(subject: Subject, seconds: float, in_flight: int) -> Sample:
        ended = Path(subject.ready.split()[0])
        ended.with_suffix(".go").write_text(f"{seconds} {in_flight}")
        while not ended.exists():
            time.sleep(0.1)
        return Sample(**json.loads(ended.read_text()))

    return [
        Peer("LiteLLM's proxy", plain, lambda base: proxy(python, base, False), ask),
        Peer(
            "LiteLLM's proxy, silent_model", mirrored, lambda base: proxy(python, base, True), ask
        ),
        Peer("LiteLLM's Router", plain, lambda base: router(python, base, False), run),
        Peer(
            "LiteLLM's Router, silent_model", mirrored, lambda base: router(python, base, True), run
        ),
    ]


def portkey(gateway: Path) -> Peer:
    """Portkey's gateway, which has no mirror."""

    @contextmanager
    def start(base: str) -> Generator[Subject]:
        port = free_port()
        command = ["node", str(gateway), f"--port={port}", "--headless"]
        with running(command, port, "Portkey", f"http://127.0.0.1:{port}/") as subject:
            yield Subject(subject.name, port, subject.pid, base)

    def ask(subject: Subject, seconds: float, in_flight: int) -> Sample:
        headers = {
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"{subject.ready}/v1",
            "authorization": "Bearer sk-benchmark",
        }
        path = "/v1/chat/completions"
        return uvloop.run(press_http(subject, path, headers, seconds, in_flight))

    return Peer("Portkey's gateway", "understudy, records, metrics", start, ask)


def write_litellm(base: str, silent: bool) -> dict[str, Any]:
    """Return the configuration of LiteLLM that is ours."""
    model = {"model": "openai/benchmark-model", "api_base": f"{base}/v1"}
    params = {**model, "api_key": "sk-benchmark", **({"silent_model": "silent"} if silent else {})}
    models = [{"model_name": "benchmark", "litellm_params": params}]
    if silent:
        models.append({"model_name": "silent", "litellm_params": {**model, "api_key": "sk-s"}})
    return {"model_list": models}


@contextmanager
def proxy(python: Path, base: str, silent: bool) -> Generator[Subject]:
    """Start LiteLLM's proxy with one worker."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(json.dumps(write_litellm(base, silent)))
        port = free_port()
        command = [str(python.parent / "litellm"), "--config", str(path), "--port", str(port)]
        ready = f"http://127.0.0.1:{port}/health/liveliness"
        with running([*command, "--host", "127.0.0.1"], port, "LiteLLM", ready) as subject:
            yield subject


@contextmanager
def router(python: Path, base: str, silent: bool) -> Generator[Subject]:
    """Start a process that asks by LiteLLM's Router once it is told for how long."""
    with tempfile.TemporaryDirectory() as folder:
        ended = Path(folder) / "found.json"
        config = json.dumps(write_litellm(base, silent))
        script = str(Path(__file__).with_name("litellm_router.py"))
        process = subprocess.Popen(
            [str(python), script, str(ended), config],
            env={**os.environ, **LITELLM_ENVIRONMENT},
            preexec_fn=lambda: keep_to(SERVER),  # noqa: PLW1509
        )
        try:
            yield Subject("LiteLLM's Router", 0, process.pid, str(ended))
        finally:
            process.kill()
            process.wait()


@contextmanager
def running(command: Sequence[str], port: int, name: str, ready: str) -> Generator[Subject]:
    """Start a server, and wait until it answers."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **LITELLM_ENVIRONMENT},
        preexec_fn=lambda: keep_to(SERVER),  # noqa: PLW1509 - no threads run yet
    )
    try:
        deadline = time.monotonic() + 120
        while not answers(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start")
            time.sleep(0.2)
        yield Subject(name, port, process.pid, "")
    finally:
        process.kill()
        process.wait()


def answers(url: str) -> bool:
    """Whether something answers there."""
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def tell(peers: Sequence[Peer]) -> list[Row]:
    """Return a row of the table for each."""
    named: Mapping[str, Peer] = {one.name: one for one in peers}
    rows: list[Row] = []
    for one in peers:
        ours = named.get(one.ours)
        times = 0.0
        if ours is not None:
            pairs = zip(ours.samples, one.samples, strict=True)
            times = statistics.median(we.rate / it.rate for we, it in pairs)
        figures = (
            f"{statistics.median(part.rate for part in one.samples):,.0f}",
            f"{times:.1f} x" if times else "",
            f"{statistics.median(part.cpu_each for part in one.samples):,.0f}",
            f"{statistics.median(part.quantile(0.5) for part in one.samples):.1f}",
            f"{statistics.median(part.quantile(0.99) for part in one.samples):.1f}",
            f"{one.size:.0f}",
            str(sum(part.failures for part in one.samples)),
        )
        latencies = [latency for part in one.samples for latency in part.latencies]
        rows.append(Row(one.name, figures, times, latencies))
    return rows


if __name__ == "__main__":
    main()

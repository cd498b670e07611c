"""A service in a process of its own among upstreams that misbehave, and what a case did to it."""

import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import cast

import grpc

from understudy.v1 import (
    completion_pb2_grpc,
    operations_pb2,
    operations_pb2_grpc,
    record_pb2,
    record_pb2_grpc,
)

from ..service.asking import prompt, told
from ..service.running import Demo, serving
from ..stub.eventually import eventually_sync
from .cases import CASES, CODES, OK, Case
from .furnishing import (
    KEY,
    PATIENT,
    TIMEOUT,
    WELL,
    WELL_MIRRORED,
    Side,
    furnish,
    group_of,
    silent_group,
)
from .holding import Holding, forget_peak, look, peak, resident
from .yard import Yard, upstreams

CALLS = 3  # at once, for each case
DEADLINE = 1.2  # seconds that a caller waits
# Seconds. A busy machine is no failure: the tight bounds are held where little else goes on, in
# the tests of the mirror and of the upstream, and by the benchmark of isolation.
_SLACK = 1.0
_UNDISTURBED = 0.4  # less than a silent model may take: no primary waits for one

SPOKEN = "canary-prompt"  # what every prompt says, and no log may
_MOST_TOLD = 4096  # bytes of an error's message and trailers
_WATCHED = "tests.faults.watched"

# MiB: the caps of replies, which may be held twice, and what a process may need beside. A prompt
# is there up to eight times: as bytes, message, text and JSON, for the primary and its silent model.
_CAPS: dict[Side, float] = {"primary": 32.0, "silent": 1.0}
_BESIDE = 48.0


@dataclass(slots=True)
class Finding:
    """What became of a case. `faults` says what is not as it must be; empty is a pass."""

    case: Case
    side: Side
    outcome: str = ""
    seconds: float = 0.0
    mebibytes: float = 0.0
    leaks: dict[str, int] = field(default_factory=dict[str, int])
    faults: list[str] = field(default_factory=list[str])

    def check(self, holds: object, fault: str) -> None:
        """Note a fault unless something holds."""
        if not holds:
            self.faults.append(fault)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a caller got: the answer's bytes without `routing`, and the error if any."""

    code: grpc.StatusCode
    reason: str
    seconds: float
    answer: bytes
    trailers: str
    size: int  # of the trailers, in bytes


class House:
    """A service, with a group for each case and side."""

    def __init__(self, demo: Demo, yard: Yard, window: Path, channel: grpc.Channel) -> None:
        self._demo = demo
        self._yard = yard
        self._window = window
        self._completions = completion_pb2_grpc.CompletionServiceStub(channel)
        self._operations = operations_pb2_grpc.OperationsServiceStub(channel)
        self._records = record_pb2_grpc.RecordServiceStub(channel)
        self._pool = ThreadPoolExecutor(CALLS)
        self._warm_up()
        self._idle = self._look()
        self._answers = {stream: self._ask(WELL, stream, 64).answer for stream in (False, True)}

    def play(self, case: Case, side: Side) -> Finding:
        """Play a case, and look at what it did."""
        pid = self._demo.process.pid
        finding = Finding(case, side)
        logged = len(self._demo.log)
        forget_peak(pid)
        before = resident(pid)
        began = time.monotonic()
        group = group_of(case, side)
        replies = self._ask_at_once(group, case.stream, case.prompt)
        if side == "primary":
            _judge_primary(finding, replies)
        else:
            self._judge_primary_beside(finding, replies)
            self._judge_silent(finding, began)
        finding.mebibytes = max(0.0, peak(pid) - before)
        most = CALLS * (2 * _CAPS[side] + 8 * case.prompt / (1 << 20)) + _BESIDE
        finding.check(finding.mebibytes <= most, f"{finding.mebibytes:.0f} MiB, over {most:.0f}")
        self._judge_leaks(finding)
        finding.check(all(reply.size <= _MOST_TOLD for reply in replies), "the error is too long")
        said = [reply.trailers for reply in replies] + self._demo.log[logged:]
        finding.check(not any(KEY in line for line in said), "a key leaked")
        heard = self._demo.log[logged:]
        finding.check(not any(SPOKEN in line for line in heard), "a prompt leaked")
        finding.check(not any("Traceback" in line for line in heard), "a traceback was logged")
        finding.check(not self._yard.canary.connection_count, "the canary was contacted")
        return finding

    def play_patiently(self) -> tuple[dict[str, int], dict[str, int]]:
        """Say what is held while a call waits for its upstream, and once it was cancelled."""
        self._close_connections()  # one that is kept would serve, and none would be new
        call = self._completions.CreateCompletion.future(prompt(PATIENT, SPOKEN), timeout=30)
        try:
            eventually_sync(lambda: self._yard.left_open() == 1)
            held = self._look().leaks(self._idle)
        finally:
            call.cancel()
        left = Finding(CASES[0], "primary")
        self._judge_leaks(left)
        return held, left.leaks

    def _judge_primary_beside(self, finding: Finding, replies: list[Reply]) -> None:
        """A primary answers byte by byte the same, in no more time."""
        typical = median(reply.seconds for reply in replies)
        expected = self._answers[finding.case.stream]
        finding.check(
            all(reply.answer == expected for reply in replies), "the primary's answer differs"
        )
        # A prompt of megabytes takes its time to be written and read.
        allowed = _UNDISTURBED + finding.case.prompt / (4 << 20)
        finding.check(typical <= allowed, f"the primary took {typical:.2f} s")

    def _judge_silent(self, finding: Finding, began: float) -> None:
        case = finding.case
        name = silent_group(case)

        def ended() -> bool:
            return sum(self._silent(name).outcomes.values()) == CALLS

        eventually_sync(ended, within=TIMEOUT + 3)
        finding.seconds = time.monotonic() - began
        finding.check(
            finding.seconds <= TIMEOUT + _SLACK + case.prompt / (4 << 20),
            f"took {finding.seconds:.2f} s",
        )
        outcomes = {key: count for key, count in self._silent(name).outcomes.items() if count}
        reasons = self._read_reasons(name)
        finding.outcome = " ".join([*outcomes, *sorted(reasons)]).strip()
        if case.shed:
            outcomes.pop("SHED", None)
            reasons.discard(case.shed)
        finding.check(set(outcomes) == {case.outcome}, f"ended {outcomes}, not {case.outcome}")
        finding.check(reasons == {case.reason}, f"ended for {reasons}, not {case.reason}")

    def _read_reasons(self, name: str) -> set[str]:
        request = record_pb2.ListPairsRequest(filter=f'silent_model = "{name}"')
        reasons: list[str] = []

        def written() -> bool:
            pairs = self._records.ListPairs(request).pairs
            reasons[:] = [one.reason for pair in pairs for one in pair.silents if one.outcome]
            return len(reasons) == CALLS

        eventually_sync(written, within=3)
        return set(reasons)

    def _judge_leaks(self, finding: Finding) -> None:
        """Nothing is left within some seconds; a look-up that hangs may take as long."""
        deadline = time.monotonic() + 4
        while True:
            left = self._yard.left_open()
            self._yard.forget()
            leaks = self._look().leaks(self._idle)
            if left:
                leaks["unanswered connections"] = left
            if not leaks or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        finding.leaks = leaks
        finding.check(not leaks, f"left behind: {leaks}")

    def _warm_up(self) -> None:
        for stream in (False, True):
            for group in (WELL, WELL_MIRRORED):
                self._ask_at_once(group, stream, 64)
        eventually_sync(lambda: not self._status().mirror.in_flight, within=5)
        self._close_connections()

    def _close_connections(self) -> None:
        self._yard.forget()
        eventually_sync(lambda: self._look().connections == 0, within=5)

    def _ask_at_once(self, group: str, stream: bool, size: int) -> list[Reply]:
        asked = [self._pool.submit(self._ask, group, stream, size) for _ in range(CALLS)]
        return [one.result() for one in asked]

    def _look(self) -> Holding:
        return look(self._demo.process.pid, self._window, self._status())

    def _status(self) -> operations_pb2.GetStatusResponse:
        return self._operations.GetStatus(operations_pb2.GetStatusRequest())

    def _silent(self, name: str) -> operations_pb2.SilentModelStatus:
        found = [one for one in self._status().mirror.silent_models if one.silent_model == name]
        return found[0] if found else operations_pb2.SilentModelStatus()

    def _ask(self, group: str, stream: bool, size: int) -> Reply:
        request = prompt(group, SPOKEN.ljust(size, "."))
        began = time.monotonic()
        pieces: list[bytes] = []
        code, reason, trailers, size = grpc.StatusCode.OK, OK, "", 0
        try:
            if stream:
                for piece in self._completions.StreamCompletion(request, timeout=DEADLINE):
                    piece.ClearField("routing")
                    pieces.append(piece.SerializeToString(deterministic=True))
            else:
                answer = self._completions.CreateCompletion(request, timeout=DEADLINE)
                answer.ClearField("routing")
                pieces.append(answer.SerializeToString(deterministic=True))
        except grpc.RpcError as error:
            found = told(error)  # type: ignore[arg-type]
            # Where gRPC's own deadline is the first to pass, there is nobody to give a reason.
            code, reason = found.code, found.reason or found.code.name
            raw = cast(Sequence[tuple[str, str | bytes]], error.trailing_metadata() or ())
            trailers = f"{found.message} {found.metadata} {raw}"
            size = len(found.message.encode()) + sum(len(key) + len(value) for key, value in raw)
        took = time.monotonic() - began
        return Reply(code, reason, took, b"".join(pieces), trailers, size)


def _judge_primary(finding: Finding, replies: list[Reply]) -> None:
    case = finding.case
    found = {(reply.code, reply.reason) for reply in replies}
    # Of an answer, code and reason are the same word.
    words = (" ".join(dict.fromkeys((code.name, reason))) for code, reason in found)
    finding.outcome = " ".join(sorted(words))
    finding.check(found == {(CODES[case.told], case.told)}, f"told {finding.outcome}")
    finding.seconds = max(reply.seconds for reply in replies)
    most = (DEADLINE if case.told == "DEADLINE_EXCEEDED" else TIMEOUT) + _SLACK
    most += case.prompt / (4 << 20)
    finding.check(finding.seconds <= most, f"took {finding.seconds:.2f} s, over {most:.2f}")


@contextmanager
def house(folder: Path) -> Generator[House]:
    """Run a service among misbehaving upstreams until the block ends."""
    window = folder / "window"
    with upstreams() as yard:
        environment = {"UNDERSTUDY_WINDOW": str(window)}
        with (
            serving(
                furnish(yard, folder), folder, environment=environment, module=_WATCHED
            ) as demo,
            grpc.insecure_channel(demo.target) as channel,
        ):
            yield House(demo, yard, window, channel)

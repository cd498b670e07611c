"""Each report has a process of its own, shared by who asks the same, and gone with who asked."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from understudy.server.config.settings import RecordSettings
from understudy.server.domain.deployment import Secret
from understudy.server.domain.reports import Facts, Progress, Question, Report, Update
from understudy.server.errors import Reason, RefusedError, RequestError, UnderstudyError
from understudy.server.reporting import desk as desk_module
from understudy.server.reporting.desk import AT_ONCE, MOST_WAITING, ReportDesk

from ..stub.eventually import eventually
from .brood import processes
from .program import MODULE

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "not-for-everybody"


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a report's process find the tests, and have secrets in the environment."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OPENAI_API_KEY", PASSWORD)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)


@asynccontextmanager
async def open_desk(
    folder: Path, *, url: str = "", longest: float = 30.0
) -> AsyncGenerator[ReportDesk]:
    """A desk whose reports are played."""
    settings = RecordSettings(url=Secret(url) if url else None)
    facts = Facts(groups=("gpt-4",))
    desk = ReportDesk(settings, folder, lambda _: facts, lambda: 77, MODULE, longest)
    try:
        yield desk
    finally:
        await desk.close()
    await eventually(lambda: not processes(), within=5)


def about(silent_model: str, start: int | None = None, end: int | None = None) -> Question:
    return Question(parent=f"silentModels/{silent_model}", start=start, end=end)


async def hear(desk: ReportDesk, question: Question) -> list[Update]:
    async with aclosing(desk.get(question)) as updates:
        return [one async for one in updates]


async def look(desk: ReportDesk, silent_model: str) -> Update:
    """Look again and again, as a page does, until there is a report."""
    async with asyncio.timeout(10):
        while isinstance(found := await desk.look(about(silent_model)), Progress):
            await asyncio.sleep(0.05)
    return found


async def fail(desk: ReportDesk, silent_model: str) -> UnderstudyError:
    with pytest.raises(UnderstudyError) as caught:
        await hear(desk, about(silent_model))
    return caught.value


@pytest.mark.asyncio
async def test_progress_comes_first_and_then_the_report(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        *going, report = await hear(desk, about("fine", start=5, end=9))

    shares = [one.share for one in going if isinstance(one, Progress)]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert len(shares) == len(going)
    assert isinstance(report, Report)
    assert (report.start, report.end, report.created) == (5, 9, 77)
    assert report.caveats[-1] == "gpt-4"


@pytest.mark.asyncio
async def test_the_process_is_nice_and_shows_nobody_a_secret(tmp_path: Path) -> None:
    url = f"postgresql://somebody:{PASSWORD}@127.0.0.1:1/records"

    async with open_desk(tmp_path, url=url) as desk:
        *_, report = await hear(desk, about("fine"))

    assert isinstance(report, Report)
    command, environment, nice, place, *_ = report.caveats
    assert MODULE in command
    assert PASSWORD not in command + environment
    assert "PATH=" in environment
    assert "OMP_NUM_THREADS=1" in environment
    assert nice == str(os.nice(0) + 10)
    assert place.startswith("postgresql+psycopg://somebody")


@pytest.mark.asyncio
async def test_who_asks_the_same_shares_one_process_and_soon_after_its_report(
    tmp_path: Path,
) -> None:
    async with open_desk(tmp_path) as desk:
        several = await asyncio.gather(*(hear(desk, about("fine")) for _ in range(5)))
        again = await hear(desk, about("fine"))
        other = await hear(desk, about("another"))

    reports = [one[-1] for one in several]
    assert all(one == reports[0] for one in reports)
    assert again == [reports[0]]
    assert other[-1] != reports[0]


@pytest.mark.asyncio
async def test_a_caller_who_leaves_ends_the_process_unless_another_waits(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        first, second = desk.get(about("hangs")), desk.get(about("hangs"))
        for one in (first, second):
            while await anext(one) != Progress(0.5):
                pass
        (child,) = processes()

        await first.aclose()
        assert await anext(second) == Progress(0.5)
        assert processes() == [child]
        await second.aclose()
        await eventually(lambda: not processes(), within=5)


@pytest.mark.asyncio
async def test_a_process_that_is_killed_is_an_error_of_ours(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        asking = asyncio.create_task(fail(desk, "hangs"))
        await eventually(lambda: bool(processes()), within=5)
        os.kill(processes()[0], signal.SIGKILL)
        error = await asking
        fine = await hear(desk, about("fine"))

    assert error.reason is Reason.INTERNAL
    assert "SIGKILL" in error.message
    assert isinstance(fine[-1], Report)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("what", "reason", "told"),
    [
        ("dies", Reason.INTERNAL, "exit code 3"),
        ("breaks", Reason.INTERNAL, "an error of the server's own"),
        ("says-nothing", Reason.INTERNAL, "an error of the server's own"),
        ("is-away", Reason.STORE_UNAVAILABLE, "the store is away"),
        ("is-none", Reason.MODEL_NOT_FOUND, "there is none"),
    ],
)
async def test_what_goes_wrong_is_told_in_our_words(
    tmp_path: Path, what: str, reason: Reason, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_desk(tmp_path) as desk:
        error = await fail(desk, what)

    assert error.reason is reason
    assert told in error.message
    assert isinstance(error, RequestError) == (what == "is-none")
    assert "secret" not in error.message + caplog.text
    assert not isinstance(error, RefusedError) or error.retry_after == 2.0


@pytest.mark.asyncio
async def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    async with open_desk(tmp_path, longest=1.0) as desk:
        error = await fail(desk, "hangs")

    assert error.reason is Reason.DEADLINE_EXCEEDED
    assert "longer than 1 s" in error.message


@pytest.mark.asyncio
async def test_only_so_many_are_computed_and_wait(tmp_path: Path) -> None:
    most = AT_ONCE + MOST_WAITING
    async with open_desk(tmp_path) as desk:
        asked = [desk.get(Question(parent="silentModels/hangs", end=end)) for end in range(most)]
        for one in asked:
            await anext(one)
        refused = await fail(desk, "fine")
        await eventually(lambda: len(processes()) == AT_ONCE, within=5)
        await asked.pop().aclose()  # one that waits
        waiting = asyncio.create_task(hear(desk, about("fine")))
        for one in asked:
            await one.aclose()
        *_, report = await waiting

    assert refused.reason is Reason.OVERLOADED
    assert isinstance(refused, RefusedError)
    assert refused.retry_after is not None
    assert isinstance(report, Report)


@pytest.mark.asyncio
async def test_a_report_that_is_looked_at_goes_on_for_as_long_as_somebody_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_module, "LOOKED_AT", 0.5)
    async with open_desk(tmp_path) as desk:
        assert await desk.look(about("fine")) == Progress(0.0)
        assert isinstance(await look(desk, "fine"), Report)
        with pytest.raises(UnderstudyError, match="exit code 3"):
            await look(desk, "dies")
        with pytest.raises(UnderstudyError, match="exit code 3"):
            await desk.look(about("dies"))
        assert await desk.look(about("dies"), anew=True) == Progress(0.0)

        await desk.look(about("hangs"))
        await eventually(lambda: bool(processes()), within=5)
        await eventually(lambda: not processes(), within=5)


@pytest.mark.asyncio
async def test_what_no_report_is_made_of_starts_no_process(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        for parent, group_by, field in (
            ("pairs/1", "", "parent"),
            ("silentModels/nul\0", "", "parent"),
            ("silentModels/long" * 100, "", "parent"),
            ("silentModels/fine", "metadata.", "group_by"),
            ("experiments/unknown", "", "parent"),
        ):
            with pytest.raises(RequestError) as caught:
                await hear(desk, Question(parent=parent, group_by=group_by))
            assert caught.value.field == field
        assert not processes()


@pytest.mark.asyncio
async def test_a_process_ends_with_the_service_that_dies(tmp_path: Path) -> None:
    service = await asyncio.create_subprocess_exec(
        os.environ.get("PYTHON", str(ROOT / ".venv/bin/python")), "-m", "tests.reporting_out.victim",
        str(tmp_path), cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert service.stdout is not None
    child = int(await service.stdout.readline())

    service.kill()
    await service.wait()
    await eventually(lambda: not Path(f"/proc/{child}").exists(), within=5)

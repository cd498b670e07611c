"""`understudy report`, as a person at a terminal, a pull request and a program get it."""

import json
from collections.abc import Generator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from google.protobuf import json_format

from understudy import client
from understudy.server.cli.pairs import pairs
from understudy.server.cli.report import report
from understudy.v1 import record_pb2

from ..dashboard.house import Standing
from ..dashboard.mirrored import GROUP, SILENT, call, mirrored
from ..stub.eventually import eventually_sync

CALLS = 40


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[Standing]:
    """A service with a silent model that is slower, and an experiment."""
    with mirrored(tmp_path_factory.mktemp("report"), "words-9+slow-40ms") as one:
        call(one, CALLS)
        with client.Client(one.target) as caller:
            caller.completion_with_split_tests(
                models={GROUP: 0.5, "echo": 0.5},
                messages=[{"role": "user", "content": "hi"}],
                use_client=True,
                id="greeting",
            )
        eventually_sync(lambda: count_pairs(one) >= CALLS, within=30)
        yield one


def count_pairs(house: Standing) -> int:
    """How many are recorded."""
    asked = ["--json", "-n", "100", "-f", "outcome = PAIRED", "--target", house.target]
    return len(CliRunner().invoke(pairs, asked).output.splitlines())


def run(house: Standing, *arguments: str, width: int = 120) -> Result:
    return CliRunner(env={"COLUMNS": str(width)}).invoke(
        report, [*arguments, "--target", house.target]
    )


def test_without_a_parent_it_lists_what_to_type(house: Standing) -> None:
    done = run(house)

    assert done.exit_code == 0
    told = done.output.splitlines()
    assert f"  understudy report experiments/greeting --target {house.target}" in told
    assert f"  understudy report silentModels/{SILENT} --target {house.target}" in told


@pytest.mark.parametrize("width", [60, 80, 140])
def test_text_begins_with_a_verdict_and_fits_the_terminal(house: Standing, width: int) -> None:
    done = run(house, f"silentModels/{SILENT}", width=width)

    assert done.exit_code == 0, done.output
    words = " ".join(done.output.split())
    assert f"{SILENT} answered" in words
    assert "\u00d7 slower (" in words
    assert "latency p50" in words
    assert "worse" in words
    assert "\x1b" not in done.output
    assert all(len(line) <= width for line in done.output.splitlines())


def test_a_bare_name_is_that_of_an_experiment_or_else_of_a_silent_model(house: Standing) -> None:
    assert run(house, SILENT).output.startswith(f"Silent model {SILENT}\n")
    assert run(house, "greeting").output.startswith("Experiment greeting\n")


def test_markdown_has_tables_that_are_whole(house: Standing) -> None:
    done = run(house, SILENT, "--format", "md", "--by", "metadata.team")

    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == f"## Silent model {SILENT}"
    assert sum(line.startswith("### ") and "team search" in line for line in lines) == 1
    rows = [line for line in lines if line.startswith("|")]
    assert rows
    assert {line.count("|") for line in rows} == {6}


def test_html_is_one_whole_page_that_asks_nobody(house: Standing) -> None:
    done = run(house, SILENT, "--format", "html", "--since", "7d")

    assert done.exit_code == 0, done.output
    page = Page()
    page.feed(done.output)
    page.close()
    assert not page.open
    assert not page.asks
    assert {"svg", "table", "style"} <= page.seen
    assert "script" not in page.seen


def test_json_is_the_message(house: Standing) -> None:
    done = run(house, SILENT, "--format", "json", "--since", "2020-01-01")

    found = json_format.ParseDict(json.loads(done.output), record_pb2.Report())
    assert found.parent == f"silentModels/{SILENT}"
    assert found.end_time.ToMicroseconds() > found.start_time.ToMicroseconds() > 0
    assert {one.metric for one in found.sections[0].estimates} > {"offered", "latency_ratio"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("experiments/none",), "no experiment is named 'none'"),
        ((SILENT, "--by", "model"), "leave it empty, or write variant, caller"),
        ((SILENT, "--since", "1h", "--until", "2h"), "end_time must be after start_time"),
        ((SILENT, "--since", "soon"), "neither a span such as 30m or 7d, nor an instant"),
    ],
)
def test_what_cannot_be_says_what_to_write(
    house: Standing, arguments: tuple[str, ...], told: str
) -> None:
    done = run(house, *arguments)

    assert done.exit_code != 0
    assert told in " ".join(done.output.split())
    assert "Traceback" not in done.output


def test_without_a_service_it_says_so(tmp_path: Path) -> None:
    done = CliRunner().invoke(report, ["--target", "127.0.0.1:1"])

    assert done.exit_code == 1
    assert "127.0.0.1:1" in done.output


class Page(HTMLParser):
    """Reads a page: what was opened and not closed, and what it would ask of others."""

    VOID = frozenset({"meta", "rect", "line", "circle", "br", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.asks: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what begins."""
        self.seen.add(tag)
        self.asks += [f"{name}={value}" for name, value in attrs if name in ("src", "href")]
        self.asks += [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note what ends: what began last, and nothing else."""
        if tag not in self.VOID:
            assert self.open.pop() == tag

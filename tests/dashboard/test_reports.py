"""Reports on the dashboard: what there is, how one is asked for, and that it is whole to look at."""

import re
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from understudy import client

from ..service.configs import deployment, write
from ..service.running import serving
from ..stub.faultstub import FaultStub
from ..stub.runners import stub_thread
from .house import Standing, Visitor
from .looking import overflows
from .mirrored import GROUP, SILENT, call, mirrored
from .watching import watched

HOSTILE = "<img src=x onerror=alert(1)> &#34;'`{{7+7}}/../%2e"
LOOKS = (("light", 1280, False), ("dark", 1280, True), ("narrow", 390, False))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[Standing]:
    """A service with a silent model that is slower, and an experiment."""
    with mirrored(tmp_path_factory.mktemp("reports"), "words-9+slow-40ms") as one:
        call(one, 40)
        with client.Client(one.target) as caller:
            for number in range(12):
                caller.completion_with_split_tests(
                    models={GROUP: 0.5, "echo": 0.5},
                    messages=[{"role": "user", "content": "hi"}],
                    use_client=True,
                    id="greeting",
                    user=f"user-{number}",
                )
        yield one


def test_a_report_is_found_asked_for_and_read_by_the_keyboard_alone(
    browser: Browser, house: Standing
) -> None:
    with watched(browser, house.url) as window:
        page = window.page
        window.go("/reports")
        page.get_by_role("link", name=SILENT).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Silent model {SILENT}")
        expect(page.locator(".verdict").first).to_contain_text("slower", timeout=20_000)
        row = page.get_by_role("row", name="time to the whole answer").first
        expect(row.locator(".value.worse")).to_contain_text("\u00d7")
        expect(row).to_contain_text("worse")  # not by its colour alone
        assert page.locator("svg.forest-drawn .mark").count() >= 1

        page.get_by_label("Broken down by").select_option("a label")
        page.get_by_label("Label's name").fill("team")
        page.keyboard.press("Enter")
        for team in ("search", "ads"):
            expect(page.get_by_role("heading", name=f"team {team}")).to_be_visible(timeout=20_000)
        assert "by=metadata" in page.url
        assert "label=team" in page.url
        expect(page.locator("#report")).not_to_have_attribute("hx-get", re.compile("."))
        expect(page.locator("#command")).to_contain_text("--by metadata.team")


@pytest.mark.parametrize(("look", "width", "dark"), LOOKS)
def test_pages_of_reports_are_whole(
    browser: Browser, house: Standing, look: str, width: int, dark: bool
) -> None:
    with watched(browser, house.url, width=width, dark=dark) as window:
        page = window.page
        window.go("/reports")
        expect(page.get_by_role("row", name=SILENT)).to_contain_text("5")
        window.shoot(f"reports-{look}")
        assert not overflows(page)
        window.go(f"/reports/one?parent=silentModels/{SILENT}&window=all")
        expect(page.locator(".verdict").first).to_be_visible(timeout=20_000)
        window.shoot(f"report-{look}")
        assert not overflows(page)
        assert not page.evaluate(_FAULTS)


def test_an_experiment_leads_to_its_report(browser: Browser, house: Standing) -> None:
    with watched(browser, house.url) as window:
        window.go("/experiments/greeting")
        window.page.get_by_role("link", name="Report", exact=True).click()
        expect(window.page.locator(".verdict").first).to_contain_text("of", timeout=20_000)
        window.shoot("report-experiment")
        window.go("/deployments")
        window.page.get_by_role("link", name="Report", exact=True).click()
        expect(window.page.get_by_role("heading", level=1)).to_contain_text(SILENT)
        expect(window.page.locator(".verdict").first).to_be_visible(timeout=20_000)


def test_what_cannot_be_reported_on_says_why(house: Standing) -> None:
    visitor = Visitor(house.url)

    unknown = visitor.get("/reports/one?parent=experiments/none")
    nonsense = visitor.get("/reports/one?parent=%00&by=x")
    unnamed = visitor.get(f"/reports/one?parent=silentModels/{SILENT}&by=metadata")
    part = visitor.get("/reports/one/now?parent=experiments/none&start=99999999999999999999")

    assert unknown.status == 200
    assert "no experiment is named" in unknown.text
    assert "Try again" in unknown.text
    assert "hx-get" not in unknown.text.partition("<main")[2]
    assert nonsense.status == 200
    assert 'role="alert"' in nonsense.text
    assert unnamed.status == 422
    assert "name of the label" in unnamed.text
    assert part.status == 200
    assert "no experiment is named" in part.text


def test_names_of_others_are_text(browser: Browser, tmp_path: Path) -> None:
    with stub_thread(FaultStub()) as stub:
        config = write(
            deployment(stub, GROUP, "words-7", silent_model=HOSTILE),
            deployment(stub, HOSTILE, "words-9"),
            understudy={
                "server": {"port": 0},
                "dashboard": {"port": 0},
                "state_dir": str(tmp_path / "state"),
                "records": {"flush": "100ms"},
            },
        )
        with serving(config, tmp_path) as running:
            found = re.search(r"dashboard=(\S+)", running.ready)
            assert found is not None
            one = Standing(stub, running.target, found[1], running.log, running.process.pid)
            call(one, 20, metadata={HOSTILE: HOSTILE})
            with watched(browser, one.url) as window:
                page = window.page
                page.on("dialog", lambda dialog: window.faults.append(dialog.message))
                window.go("/reports")
                page.get_by_role("link", name="onerror").click()
                expect(page.locator(".verdict").first).to_contain_text(
                    "onerror=alert(1)", timeout=20_000
                )
                page.get_by_label("Broken down by").select_option("a label")
                page.get_by_label("Label's name").fill(HOSTILE)
                page.get_by_role("button", name="Show").click()
                expect(page.locator(".chapter h2").first).to_contain_text("{{7+7}}", timeout=20_000)
                window.shoot("report-hostile")
                assert not overflows(page)


# What a screen reader cannot do without.
_FAULTS = """() => {
  const faults = [];
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  faults.push(...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `two ${id}`));
  for (const one of document.querySelectorAll("[aria-labelledby]"))
    if (!document.getElementById(one.getAttribute("aria-labelledby"))) faults.push("no label");
  for (const one of document.querySelectorAll("input:not([type=hidden]), select, progress"))
    if (!one.labels.length) faults.push(`unlabelled ${one.id}`);
  for (const one of document.querySelectorAll("table"))
    if (!one.querySelector("th[scope=col]")) faults.push("a table without heads");
  for (const one of document.querySelectorAll("svg"))
    if (!one.closest("[aria-hidden=true]") && !one.getAttribute("aria-label")) faults.push("svg");
  const levels = [...document.querySelectorAll("h1, h2, h3")].map((one) => +one.tagName[1]);
  if (levels[0] !== 1 || levels.some((one, at) => at && one > levels[at - 1] + 1)) faults.push("h");
  return faults.length ? faults : null;
}"""

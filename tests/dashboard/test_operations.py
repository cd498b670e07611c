"""Deployments and mirror: how each is, and that stopping the mirror stops it."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from ..postgresql import database
from ..stub.eventually import eventually_sync
from .house import Standing, Visitor, with_keys
from .looking import overflows
from .mirrored import BROKEN, SILENT, call, mirrored
from .watching import watched

_COUNT_SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) window.shifted += one.value;
  }).observe({ type: "layout-shift" });
}"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_stopping_the_mirror_takes_effect_in_what_the_silent_model_receives(
    browser: Browser, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        stop_and_resume(browser, tmp_path)
        return
    with database(request.getfixturevalue("postgresql")) as url:
        stop_and_resume(
            browser, tmp_path, records={"url": url, "flush": "100ms"}, store={"url": url}
        )


def stop_and_resume(browser: Browser, folder: Path, **understudy: Any) -> None:
    with mirrored(folder, **understudy) as house, watched(browser, house.url) as window:
        page = window.page
        call(house, 3)
        eventually_sync(lambda: heard(house) == 3, within=10)
        window.go("/deployments")
        silent = page.get_by_role("region", name=f"Silent model {SILENT}")
        expect(silent.locator("[data-offered]")).to_have_text("3")
        expect(silent.locator('[data-end="PAIRED"]')).to_have_text("3")

        page.get_by_role("button", name="Stop", exact=True).click()
        dialog = page.locator("dialog#pause")
        expect(dialog).to_contain_text(f"Stop mirroring to {SILENT}")
        dialog.get_by_label("Why").fill("too <b>dear</b>")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Mirroring has stopped")).to_be_visible()
        call(house, 4)
        expect(silent).to_contain_text("stopped")
        expect(silent).to_contain_text("Not offered, by reason")
        assert heard(house) == 3

        silent.get_by_role("button", name="Resume").click()
        page.locator("dialog#resume").get_by_role("button", name="Resume").click()
        expect(page.get_by_text("Mirroring goes on")).to_be_visible()
        call(house, 2)
        eventually_sync(lambda: heard(house) == 5, within=10)
        expect(silent.locator("[data-offered]")).to_have_text("5")

        page.get_by_role("button", name="Stop mirroring").first.click()
        page.locator("dialog#pause").get_by_role("button", name="Stop mirroring").click()
        expect(page.get_by_text("All mirroring is stopped")).to_be_visible()
        call(house, 2)
        assert heard(house) == 5


def test_a_deployment_that_fails_is_seen_to_be_left_alone(browser: Browser, tmp_path: Path) -> None:
    with mirrored(tmp_path) as house:
        call(house, 12, model=BROKEN)
        call(house, 6)
        for look, width, dark in (
            ("light", 1280, False),
            ("dark", 1280, True),
            ("narrow", 390, False),
        ):
            with watched(browser, house.url, width=width, dark=dark) as window:
                window.go("/deployments")
                row = window.page.get_by_role("row", name="status-500")
                expect(row).to_contain_text("100 %")
                expect(window.page.locator('[data-end="PAIRED"]')).to_have_text("6")
                window.shoot(f"deployments-{look}")
                assert not overflows(window.page)


def test_nothing_jumps_when_figures_change(browser: Browser, tmp_path: Path) -> None:
    with mirrored(tmp_path) as house, watched(browser, house.url) as window:
        call(house, 3)
        window.go("/deployments")
        expect(window.page.locator('[data-end="PAIRED"]')).to_have_text("3")
        window.page.evaluate(_COUNT_SHIFTS)
        call(house, 9)
        expect(window.page.locator('[data-end="PAIRED"]')).to_have_text("12")
        expect(window.page.get_by_role("row", name="words-7")).to_contain_text("12")
        assert window.page.evaluate("window.shifted") < 0.02


def test_only_operators_stop_the_mirror_and_only_from_the_page(tmp_path: Path) -> None:
    with mirrored(tmp_path, server=with_keys()) as house:
        viewer, operator = Visitor(house.url), Visitor(house.url)
        viewer.log_in("viewer")
        operator.log_in("operator")
        proof = viewer.token("/deployments")

        assert "Stop mirroring" not in viewer.get("/deployments").text
        stop = {"silent_model": "", "cause": ""}
        assert viewer.post("/mirror/pause", {**stop, "token": proof}).status == 403
        assert operator.post("/mirror/pause", stop).status == 403
        assert operator.post("/mirror/pause", {**stop, "token": proof}).status == 403
        own = {"token": operator.token("/deployments")}
        assert operator.post("/mirror/pause", own).status == 422
        assert operator.post("/mirror/pause", {**stop, **own}).status == 303
        assert "All mirroring is stopped" in viewer.get("/deployments").text


def heard(house: Standing) -> int:
    """How many prompts the silent model was sent."""
    bodies = [json.loads(one.body) for one in tuple(house.stub.requests)]
    return sum(one["model"].startswith("words-9") for one in bodies)

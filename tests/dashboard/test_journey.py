"""The life of an experiment by way of the dashboard, each step as the models see it."""

import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from ..postgresql import database
from .house import standing
from .traffic import asking
from .watching import watched


def confirm(page: Page, opens: str, button: str = "") -> None:
    page.locator(f"[data-opens='{opens}']").click()
    dialog = page.locator(f"dialog#{opens}")
    expect(dialog).to_be_visible()
    dialog.locator("button:not([data-closes])").click()


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest) -> Generator[dict[str, Any]]:
    """The sections that say where experiments and records are kept."""
    if request.param == "sqlite":
        yield {}
        return
    with database(request.getfixturevalue("postgresql")) as url:
        yield {"store": {"url": url}, "records": {"url": url, "flush": "100ms"}}


def test_an_experiment_is_made_changed_stopped_and_decided_in_the_browser(
    browser: Browser, tmp_path: Path, stores: dict[str, Any]
) -> None:
    with standing(tmp_path, **stores) as house, watched(browser, house.url) as window:
        page = window.page
        window.go("/experiments")
        page.get_by_role("link", name="New experiment").click()
        page.get_by_label("Id", exact=True).fill("greeting")
        page.get_by_label("Title").fill("Which greets better?")
        page.locator("#v0-group").select_option("gpt-4")
        page.locator("#v1-group").select_option("llama-2")
        window.shoot("new-light")
        page.get_by_role("button", name="Save as a draft").click()

        expect(page.locator("h1")).to_contain_text("Draft")
        expect(page.locator("#call-1")).to_contain_text('id="greeting"')
        confirm(page, "start")
        expect(page.locator("h1")).to_contain_text("Running")

        with asking(house, "greeting") as traffic:
            shares = traffic.shares()
            assert shares["gpt-4"] > shares["llama-2"] > 0

            page.locator("#v0-weight").fill("50")
            expect(page.locator("#v1-weight")).to_have_value("50")
            page.get_by_role("button", name="Preview").click()
            expect(page.locator("#preview")).to_contain_text("30 % of keys get another variant")
            window.shoot("preview-light")
            page.get_by_role("button", name="Apply").click()
            expect(page.get_by_role("status").first).to_contain_text("Applied")
            shares = traffic.shares()
            assert abs(shares["gpt-4"] - shares["llama-2"]) < 26

            page.locator("#v1-weight").fill("100")
            page.locator("[aria-label='Variant llama-2'] summary").click()
            page.locator("#v1-system_prompt").fill("Be brief.")
            page.get_by_role("button", name="Preview").click()
            page.get_by_role("button", name="Apply").click()
            expect(page.get_by_role("status").first).to_contain_text("Applied")
            assert traffic.shares() == {"llama-2": 40}
            assert traffic.prompts("llama-2") == {"Be brief."}

            confirm(page, "hold")
            expect(page.locator("h1")).to_contain_text("Held")
            assert traffic.shares() == {"llama-2": 40}

            confirm(page, "roll-back")
            expect(page.locator("h1")).to_contain_text("Rolled back")
            assert traffic.shares() == {"gpt-4": 40}

            confirm(page, "start")
            expect(page.locator("h1")).to_contain_text("Running")
            assert traffic.shares() == {"llama-2": 40}

            page.locator("[data-opens='conclude']").click()
            page.locator("dialog#conclude input[value='gpt-4']").check()
            page.locator("dialog#conclude button:not([data-closes])").click()
            expect(page.locator("h1")).to_contain_text("Concluded")
            expect(page.locator("#permanent")).to_contain_text("variant 'gpt-4' won")
            assert traffic.shares() == {"gpt-4": 40}
            assert not traffic.failures

        expect(page.locator(".trail li")).to_have_count(8)
        expect(page.locator(".charts .uplot")).to_have_count(4)
        expect(page.locator("#figures-gpt-4")).to_have_text(re.compile(r"\d ms"))
        window.shoot("concluded-light")

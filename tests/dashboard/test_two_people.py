"""Two browsers that edit one experiment: nothing is overwritten, nothing typed is lost."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from understudy import client

from .house import Standing, standing
from .watching import Watched, watched

REFUSED = "status of 409"  # a browser calls an answer that refuses an error


def begin(house: Standing) -> None:
    with client.Client(house.target) as caller:
        caller.completion_with_split_tests(
            models={"gpt-4": 0.8, "llama-2": 0.2},
            messages=[{"role": "user", "content": "hi"}],
            use_client=True,
            id="greeting",
        )


def apply(window: Watched) -> None:
    window.page.get_by_role("button", name="Preview").click()
    window.page.get_by_role("button", name="Apply").click()


def test_edits_of_different_things_are_both_kept_and_shown_side_by_side(
    browser: Browser, tmp_path: Path
) -> None:
    with (
        standing(tmp_path) as house,
        watched(browser, house.url, expected=(REFUSED,)) as one,
        watched(browser, house.url) as other,
    ):
        begin(house)
        for window in (one, other):
            window.go("/experiments/greeting")
        other.page.locator("[aria-label='Variant llama-2'] summary").click()
        other.page.locator("#v1-system_prompt").fill("Be brief.")
        one.page.locator("#v0-weight").fill("50")
        apply(other)
        expect(other.page.get_by_role("status").first).to_contain_text("Applied")

        expect(one.page.locator("#now")).to_contain_text("loopback edited it")
        expect(one.page.locator("#v0-weight")).to_have_value("50")
        one.shoot("changed-meanwhile")
        one.page.get_by_role("button", name="Preview").click()
        one.page.get_by_role("button", name="Show both edits").click()
        clash = one.page.locator(".clash")
        expect(clash.get_by_role("listitem").filter(has_text="Be brief.")).to_have_count(1)
        expect(clash.get_by_role("listitem").filter(has_text="gpt-4: 50")).to_have_count(1)
        expect(one.page.locator("#v0-weight")).to_have_value("50")
        expect(one.page.locator("#v1-system_prompt")).to_have_value("Be brief.")
        one.shoot("clash-light")
        apply(one)

        expect(one.page.get_by_role("status").first).to_contain_text("Applied")
        expect(one.page.locator("#v1-weight")).to_have_value("50")
        expect(one.page.locator("#v1-system_prompt")).to_have_value("Be brief.")


def test_a_stale_page_can_roll_back_but_not_hold(browser: Browser, tmp_path: Path) -> None:
    with (
        standing(tmp_path) as house,
        watched(browser, house.url, expected=(REFUSED,)) as one,
        watched(browser, house.url) as other,
    ):
        begin(house)
        one.go("/experiments/greeting")
        other.go("/experiments/greeting")
        other.page.locator("#title").fill("changed")
        apply(other)
        expect(other.page.get_by_role("status").first).to_contain_text("Applied")

        one.page.locator("[data-opens='hold']").click()
        one.page.locator("dialog#hold button:not([data-closes])").click()
        expect(one.page.get_by_role("alert")).to_contain_text("Nothing was done")
        expect(one.page.locator("h1")).to_contain_text("Running")

        other.page.locator("#title").fill("changed again")
        apply(other)
        expect(other.page.get_by_role("status").first).to_contain_text("Applied")
        one.page.locator("[data-opens='roll-back']").click()
        one.page.locator("dialog#roll-back button:not([data-closes])").click()
        expect(one.page.locator("h1")).to_contain_text("Rolled back")

"""The list of experiments, in a browser."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from understudy import client

from .house import standing
from .watching import watched


def test_a_newcomer_is_told_the_next_step_and_sees_what_comes_of_it(
    browser: Browser, tmp_path: Path
) -> None:
    with standing(tmp_path) as house, watched(browser, house.url) as window:
        window.go("/")
        expect(window.page.get_by_text("No experiment yet")).to_be_visible()
        expect(window.page.locator("#first-call")).to_contain_text("use_client=True")

        with client.Client(house.target) as caller:
            caller.completion_with_split_tests(
                models={"gpt-4": 0.8, "llama-2": 0.2},
                messages=[{"role": "user", "content": "hi"}],
                use_client=True,
                id="my-unique-id",
            )

        row = window.page.get_by_role("row", name="my-unique-id")
        expect(row).to_contain_text("80 %")
        expect(row).to_contain_text("Running")
        expect(row.locator('[data-label="Requests, 15 min"]')).to_have_text("1")

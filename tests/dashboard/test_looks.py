"""Every page of experiments in each state, light, dark and narrow: nothing is refused or broken.

The pictures are for people to look at: see `UNDERSTUDY_SHOTS`.
"""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from understudy import client

from .house import standing
from .watching import watched

_CALLS = 60


@pytest.mark.parametrize(
    ("look", "width", "dark"),
    [("light", 1280, False), ("dark", 1280, True), ("narrow", 390, False), ("small", 360, True)],
)
def test_pages_are_whole(
    browser: Browser, tmp_path: Path, look: str, width: int, dark: bool
) -> None:
    with standing(tmp_path) as house:
        with client.Client(house.target) as caller:
            for number in range(_CALLS):
                caller.completion_with_split_tests(
                    models={"gpt-4": 0.8, "llama-2": 0.2},
                    messages=[{"role": "user", "content": "hi"}],
                    use_client=True,
                    id=("greeting", "a-second.one")[number % 3 == 0],
                    user=f"user-{number}",
                )
        with watched(browser, house.url, width=width, dark=dark) as window:
            window.go("/experiments")
            row = window.page.get_by_role("row", name="greeting")
            expect(row.locator('[data-label="Requests, 15 min"]')).to_have_text("40")
            window.shoot(f"list-{look}")
            assert not overflows(window.page.evaluate)
            window.go("/new")
            window.page.get_by_role("button", name="Add a silent model").click()
            window.page.get_by_role("button", name="Add a variant").click()
            window.shoot(f"new-{look}")
            assert not overflows(window.page.evaluate)
            window.go("/experiments/greeting?window=15m")
            expect(window.page.locator(".charts .uplot")).to_have_count(4)
            window.page.locator("[aria-label='Variant gpt-4'] summary").click()
            window.page.locator(".trail summary").first.click()
            window.shoot(f"experiment-{look}")
            assert not overflows(window.page.evaluate)
            window.page.locator("[data-opens='roll-back']").click()
            window.shoot(f"roll-back-{look}")


def overflows(evaluate: object) -> bool:
    """Whether a page is wider than its window."""
    assert callable(evaluate)
    return bool(evaluate("document.documentElement.scrollWidth > window.innerWidth"))

"""A store that is away, as the browser shows it."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from understudy import client

from .. import postgresql as databases
from .house import standing
from .watching import watched

UNAVAILABLE = "status of 503"


def test_a_store_that_is_away_is_said_on_the_page_and_the_rest_works(
    browser: Browser, tmp_path: Path
) -> None:
    with databases.server() as store:
        url = f"{store.url}/postgres"
        section = {"store": {"url": url}, "records": {"url": url, "flush": "100ms"}}
        with (
            standing(tmp_path, **section) as house,
            watched(browser, house.url, expected=(UNAVAILABLE,)) as window,
            client.Client(house.target) as caller,
        ):
            page = window.page

            def ask() -> None:
                caller.completion_with_split_tests(
                    models={"gpt-4": 0.8, "llama-2": 0.2},
                    messages=[{"role": "user", "content": "hi"}],
                    use_client=True,
                    id="greeting",
                )

            ask()
            window.go("/experiments/greeting")
            page.locator("#title").fill("typed")
            store.stop()
            expect(page.locator("#trouble, #now")).to_contain_text(
                ["", "cannot be read"], timeout=15_000
            )
            page.get_by_role("button", name="Preview").click()
            expect(page.locator("#preview")).to_contain_text(
                "cannot be read or changed now", timeout=15_000
            )
            expect(page.locator("#title")).to_have_value("typed")
            ask()
            page.once("dialog", lambda dialog: dialog.accept())
            window.go("/experiments/greeting")
            expect(page.get_by_text("The store cannot be reached")).to_be_visible()
            expect(page.locator("h1")).to_contain_text("Running")
            window.shoot("store-away")
            store.start()
            page.reload()
            expect(page.locator(".trail li")).to_have_count(1)

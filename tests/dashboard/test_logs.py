"""Logs: every call in a list that can be filtered, turned, opened and taken away."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from ..postgresql import database
from ..stub.eventually import eventually_sync
from .house import KEYS, Visitor, with_keys
from .looking import overflows
from .mirrored import BROKEN, call, mirrored
from .watching import SHOTS, watched

HOSTILE = "</pre><script>document.title='stolen'</script><img src=x onerror=alert(1)> \u202eabc \x00 {{7*7}}"
LONG = "long " * 150_000


def rows_of(page: Page) -> int:
    return page.locator("table.calls tbody tr").count()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_calls_are_filtered_turned_opened_and_exported(
    browser: Browser, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        use_the_list(browser, tmp_path)
        return
    with database(request.getfixturevalue("postgresql")) as url:
        records = {"url": url, "capture": "content", "flush": "100ms"}
        use_the_list(browser, tmp_path, records=records)


def use_the_list(browser: Browser, folder: Path, **understudy: Any) -> None:
    with mirrored(folder, **understudy) as house, watched(browser, house.url) as window:
        page = window.page
        call(house, 60)
        call(house, 3, model=BROKEN)
        visitor = Visitor(house.url)
        eventually_sync(lambda: len(exported(visitor, "")) == 126, within=15)

        window.go("/logs")
        assert rows_of(page) == 50
        first = page.locator("table.calls tbody tr").first.get_attribute("id")
        page.get_by_role("link", name="Further").click()
        expect(page).to_have_url(re.compile("after="))
        page.get_by_role("link", name="Further").click()
        expect(page.locator("table.calls tbody tr")).to_have_count(26)
        page.get_by_role("link", name="Back").click()
        expect(page.locator("table.calls tbody tr")).to_have_count(50)
        page.go_back()
        expect(page.locator("table.calls tbody tr")).to_have_count(26)
        page.go_forward()
        page.get_by_role("link", name="Back").click()
        assert page.locator("table.calls tbody tr").first.get_attribute("id") == first

        page.get_by_label("Role").select_option("SILENT")
        page.get_by_label("Label (metadata)").fill("team")
        page.get_by_label("is", exact=True).fill("search")
        page.get_by_role("button", name="Filter").click()
        expect(page.locator("#filter")).to_have_value("role = SILENT AND metadata.team = search")
        expect(page.locator("table.calls tbody tr")).to_have_count(30)
        expect(page.get_by_label("Role")).to_have_value("SILENT")
        assert len(exported(visitor, page.locator("#filter").input_value())) == 30

        page.locator("#filter").fill("failed = true OR latency > 1h")
        page.keyboard.press("Enter")
        expect(page.locator("table.calls tbody tr")).to_have_count(6)
        expect(page.get_by_text("Written by hand")).to_be_visible()
        page.locator("#filter").fill("failed = maybe")
        with page.expect_response(lambda answer: answer.status == 422):
            page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("true or false")
        assert page.locator("#filter").input_value() == "failed = maybe"
        window.faults.clear()  # a page with status 422 is an error to a browser

        page.get_by_role("link", name="Clear").click()
        page.get_by_label("Words in prompts").fill("question 17")
        page.keyboard.press("Enter")
        expect(page.locator("table.calls tbody tr")).to_have_count(2)
        page.locator("table.calls tbody a").first.focus()
        page.keyboard.press("Enter")
        drawer = page.locator("#drawer")
        expect(drawer).to_contain_text("question 17")
        expect(drawer.locator(".attempt")).to_have_count(2)
        expect(drawer).to_contain_text("ads")
        window.shoot("logs-drawer-light")
        page.keyboard.press("Escape")
        expect(drawer).to_be_hidden()

        with page.expect_download() as taken:
            page.get_by_role("link", name="CSV").click()
        table = list(csv.DictReader(io.StringIO(Path(taken.value.path()).read_text())))
        assert [row["metadata"] for row in table] == ['{"team":"ads"}'] * 2
        assert "question 17" in table[0]["messages"]


def test_a_live_list_adds_calls_and_keeps_still_while_one_is_read(
    browser: Browser, tmp_path: Path
) -> None:
    with mirrored(tmp_path) as house, watched(browser, house.url) as window:
        page = window.page
        call(house, 2)
        window.go("/logs?live=1")
        rows = page.locator("table.calls tbody tr")
        expect(rows).to_have_count(4)
        call(house, 1)
        expect(rows).to_have_count(6)

        rows.last.locator("a").click()
        expect(page.locator("#drawer")).to_contain_text("question 0")
        call(house, 1)
        eventually_sync(lambda: len(exported(Visitor(house.url), "")) == 8, within=10)
        page.wait_for_timeout(2500)
        assert rows.count() == 6
        expect(page.locator("#live-note")).to_contain_text("Paused")
        page.keyboard.press("Escape")
        expect(rows).to_have_count(8)


def test_whatever_was_said_is_shown_as_text_and_long_texts_are_cut(
    browser: Browser, tmp_path: Path
) -> None:
    with mirrored(tmp_path) as house, watched(browser, house.url) as window:
        page = window.page
        page.on("dialog", lambda dialog: window.faults.append(dialog.message))
        said = [{"role": "system", "content": HOSTILE}, {"role": "user", "content": LONG}]
        call(house, 1, model="echo", messages=said, metadata={"x": HOSTILE[:60]})
        visitor = Visitor(house.url)
        eventually_sync(lambda: len(exported(visitor, "")) == 2, within=10)
        window.go("/logs")
        page.locator("table.calls tbody a").first.click()
        drawer = page.locator("#drawer")
        expect(drawer).to_contain_text("<script>document.title='stolen'</script>")
        expect(drawer).to_contain_text("⟨U+202E⟩abc ␀ {{7*7}}")
        expect(drawer).to_contain_text("more characters")
        assert len(drawer.inner_text()) < 40_000
        drawer.get_by_role("button", name="Show all").first.click()
        expect(drawer.locator(".pieces").first).not_to_contain_text("more characters")
        assert len(drawer.locator(".pieces").first.inner_text()) > len(LONG)
        assert page.title() == "Logs · Understudy"


def test_without_the_role_reader_no_text_is_anywhere(tmp_path: Path) -> None:
    with mirrored(tmp_path, server=with_keys()) as house:
        call(house, 1, api_key=KEYS["caller"], messages=[{"role": "user", "content": "secret-xyz"}])
        reader, viewer = Visitor(house.url), Visitor(house.url)
        reader.log_in("reader")
        viewer.log_in("viewer")
        eventually_sync(lambda: len(exported(reader, "")) == 2, within=10)
        pair = exported(viewer, "")[0]["pair_id"]

        paths = [
            "/logs",
            f"/calls/{pair}",
            f"/calls/{pair}/inside",
            f"/calls/{pair}/text?part=prompt",
        ]
        paths += [f"/logs/export?format={form}" for form in ("csv", "jsonl")]
        assert not [path for path in paths if "secret-xyz" in viewer.get(path).text]
        assert "role `reader` only" in viewer.get(f"/calls/{pair}").text
        assert viewer.get("/logs?words=secret").status == 403
        assert viewer.get("/logs/export?words=secret").status == 403
        assert "secret-xyz" in reader.get(f"/calls/{pair}").text
        assert "secret-xyz" in reader.get("/logs/export").text
        assert "secret-xyz" in reader.get(f"/calls/{pair}/text?part=prompt").text


def test_addresses_that_make_no_sense_are_refused_with_words(tmp_path: Path) -> None:
    with mirrored(tmp_path) as house:
        visitor = Visitor(house.url)
        for path in (
            "/logs?after=[1]",
            "/logs?before=nonsense",
            '/logs?after=[9e999,"a",""]',
            "/logs?filter=" + quote("nosuch = 1"),
            "/logs/export?format=exe",
        ):
            answer = visitor.get(path.replace('"', "%22"))
            assert (answer.status, "Traceback" in answer.text) == (422, False), path
        assert visitor.get("/calls/nosuch").status == 404


def test_the_list_fits_each_window(browser: Browser, tmp_path: Path) -> None:
    with mirrored(tmp_path) as house:
        call(house, 8)
        call(house, 2, model=BROKEN)
        for look, width, dark in (
            ("light", 1280, False),
            ("dark", 1280, True),
            ("narrow", 390, False),
        ):
            with watched(browser, house.url, width=width, dark=dark) as window:
                window.go("/logs")
                window.shoot(f"logs-{look}")
                assert not overflows(window.page)
                window.page.locator("table.calls tbody a").first.click()
                expect(window.page.locator("#drawer")).to_contain_text("Upstream calls")
                window.page.locator("#drawer").screenshot(path=SHOTS / f"call-{look}.png")


def test_in_a_narrow_window_fields_are_folded_away_until_they_say_something(
    browser: Browser, tmp_path: Path
) -> None:
    with mirrored(tmp_path) as house:
        call(house, 2)
        with watched(browser, house.url, width=390) as window:
            window.go("/logs")
            fields = window.page.get_by_label("Caller")
            expect(fields).to_be_hidden()
            window.page.get_by_text("Fields", exact=True).click()
            expect(fields).to_be_visible()
            window.go("/logs?filter=" + quote('caller = "nobody"'))
            expect(fields).to_have_value("nobody")
            expect(fields).to_be_visible()
        with watched(browser, house.url) as window:
            window.go("/logs")
            expect(window.page.get_by_label("Caller")).to_be_visible()
            expect(window.page.get_by_text("Fields", exact=True)).to_be_hidden()


def exported(visitor: Visitor, filter: str) -> list[dict[str, object]]:
    answer = visitor.get(f"/logs/export?filter={quote(filter)}")
    assert answer.status == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]

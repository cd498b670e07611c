"""Review: twenty pairs by keyboard, blind until rated; only for who may read."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from ..postgresql import database
from ..stub.eventually import eventually_sync
from .house import KEYS, Visitor, with_keys
from .looking import overflows
from .mirrored import GROUP, SILENT, call, mirrored
from .test_pairs import counted
from .watching import watched

PRIMARY_SAYS = "word0 word1 word2 word3 word4 word5 word6"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_twenty_pairs_are_rated_by_keyboard(
    browser: Browser, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    if kind == "sqlite":
        rate_twenty(browser, tmp_path)
        return
    with database(request.getfixturevalue("postgresql")) as url:
        rate_twenty(browser, tmp_path, records={"url": url, "capture": "content", "flush": "100ms"})


def rate_twenty(browser: Browser, folder: Path, **understudy: Any) -> None:
    with mirrored(folder, **understudy) as house, watched(browser, house.url) as window:
        page = window.page
        call(house, 21)
        eventually_sync(lambda: counted(Visitor(house.url)) == 21, within=15)
        window.go(f"/pairs/review?silent={SILENT}")
        before = page.url
        page.keyboard.press("s")
        expect(page).not_to_have_url(before)
        firsts: list[str] = []
        chosen = 0
        for number in range(20):
            expect(page.get_by_role("heading", name="Answer 1")).to_have_text("Answer 1")
            blind = page.locator(".review").inner_html()
            assert GROUP not in blind
            assert "primary" not in blind.lower()
            first = page.locator(".beside .text").first.inner_text()
            firsts.append(first)
            key = "012"[number % 3]
            page.keyboard.press(key)
            expect(page.get_by_role("link", name="Next")).to_be_visible()
            name = GROUP if first == PRIMARY_SAYS else SILENT
            expect(page.locator("#answer-1")).to_contain_text(name)
            if key != "0":
                chosen += (key == "1") == (first == PRIMARY_SAYS)
                preferred = page.locator(".preferred h3")
                expect(preferred).to_contain_text(f"Answer {key}")
            if number < 19:
                page.keyboard.press("Enter")
        row = page.locator(".tally tbody tr")
        expect(row.locator('[data-label="Primary better"]')).to_have_text(str(chosen))
        expect(row.locator('[data-label="Silent better"]')).to_have_text(str(13 - chosen))
        expect(row.locator('[data-label="No difference"]')).to_have_text("7")
        assert 0 < firsts.count(PRIMARY_SAYS) < 20
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="No difference")).to_be_visible()
        page.keyboard.press("0")
        expect(page.get_by_role("link", name="Next")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Nothing waits for you")).to_be_visible()


def test_who_may_not_read_may_not_rate(tmp_path: Path) -> None:
    with mirrored(tmp_path, server=with_keys()) as house:
        call(house, 1, api_key=KEYS["caller"], messages=[{"role": "user", "content": "secret-xyz"}])
        viewer, operator, reader = (Visitor(house.url) for _ in range(3))
        for visitor, role in ((viewer, "viewer"), (operator, "operator"), (reader, "reader")):
            visitor.log_in(role)
        eventually_sync(lambda: counted(viewer) == 1, within=10)
        address = reader.get("/pairs/review").headers["location"].partition("?")[0]
        path = f"{address}?of={SILENT}"
        said = {"of": SILENT, "silent": "", "choice": "1"}

        for visitor in (viewer, operator):
            answers = [
                visitor.get(one) for one in ("/pairs/review", path, f"{address}/text?of={SILENT}")
            ]
            assert not [one for one in answers if "secret-xyz" in one.text or "word0" in one.text]
            token = visitor.token("/experiments")
            assert visitor.post(f"{address}/rate", {**said, "token": token}).status == 403
        assert reader.post(f"{address}/rate", said).status == 403
        own = {**said, "token": reader.token(path)}
        assert reader.post(f"{address}/rate", {**own, "choice": "3"}).status == 422
        assert reader.post("/pairs/review/nosuch/rate", own).status == 404
        assert reader.post(f"{address}/rate", own).status == 303
        told = reader.get(f"/pairs/{address.rpartition('/')[2]}").text
        assert '<b class="plain-text">reader</b>' in told


def test_a_review_fits_each_window(browser: Browser, tmp_path: Path) -> None:
    with mirrored(tmp_path) as house:
        call(house, 4)
        eventually_sync(lambda: counted(Visitor(house.url)) == 4, within=10)
        for look, width, dark in (
            ("light", 1280, False),
            ("dark", 1280, True),
            ("narrow", 390, False),
        ):
            with watched(browser, house.url, width=width, dark=dark) as window:
                window.go("/pairs/review")
                window.shoot(f"review-{look}")
                assert not overflows(window.page)
                window.page.keyboard.press("1")
                expect(window.page.get_by_role("link", name="Next")).to_be_visible()
                window.shoot(f"review-rated-{look}")
                assert not overflows(window.page)

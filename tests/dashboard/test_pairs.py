"""Pairs: two answers side by side, with what differs marked, sorted and filtered."""

import re
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, expect

from ..stub.eventually import eventually_sync
from .house import KEYS, Visitor, with_keys
from .looking import overflows
from .mirrored import SILENT, call, mirrored
from .watching import SHOTS, watched

HOSTILE = "<script>document.title='stolen'</script><img src=x onerror=alert(1)> \u202eabc \x00"


def test_pairs_are_sorted_filtered_and_read_side_by_side(browser: Browser, tmp_path: Path) -> None:
    with mirrored(tmp_path) as house, watched(browser, house.url) as window:
        page = window.page
        call(house, 55)
        words = "word0 word1 word2 word3 word4 word5 word6 word7 word8"
        call(house, 1, model="echo", messages=[{"role": "user", "content": words}])
        call(
            house, 1, model="echo", messages=[{"role": "user", "content": f"{HOSTILE} word0 word1"}]
        )
        eventually_sync(lambda: counted(Visitor(house.url)) == 57, within=15)

        window.go("/pairs")
        rows = page.locator("table.pairs tbody tr")
        expect(rows).to_have_count(50)
        page.get_by_role("link", name="Further").click()
        expect(rows).to_have_count(7)
        page.get_by_label("Order").select_option("worst")
        page.get_by_role("button", name="Filter").click()
        expect(rows.first).to_contain_text("echo")

        page.get_by_label("Answers", exact=True).select_option("false")
        page.get_by_label("Silent model").select_option(SILENT)
        page.get_by_role("button", name="Filter").click()
        expect(page.locator("#filter")).to_have_value(
            f"silent_model = {SILENT} AND normalized_equal = false"
        )
        expect(rows.first).to_contain_text("differ")
        rows.first.locator("a").click()
        drawer = page.locator("#drawer")
        expect(drawer).to_contain_text("<script>document.title='stolen'</script>")
        expect(drawer.locator("ins").last).to_contain_text("word8")
        assert page.title() == "Pairs · Understudy"
        page.keyboard.press("Escape")
        page.get_by_label("Answers", exact=True).select_option("true")
        page.get_by_role("button", name="Filter").click()
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("equal")


def test_pairs_of_tool_calls_are_compared_by_structure(browser: Browser, tmp_path: Path) -> None:
    with (
        mirrored(tmp_path, silent="tool-call") as house,
        watched(browser, house.url, width=390) as window,
    ):
        call(house, 1)
        eventually_sync(lambda: counted(Visitor(house.url)) == 1, within=10)
        window.go("/pairs")
        window.page.locator("table.pairs a").first.click()
        expect(window.page.locator("#drawer")).to_contain_text("other calls")
        window.page.locator("#drawer").screenshot(path=SHOTS / "pair-tools-narrow.png")
        assert not overflows(window.page)


def test_a_viewer_is_told_why_there_is_no_text(tmp_path: Path) -> None:
    with mirrored(tmp_path, server=with_keys()) as house:
        said = [{"role": "user", "content": "secret-xyz"}]
        call(house, 1, api_key=KEYS["caller"], model="echo", messages=said)
        viewer, reader = Visitor(house.url), Visitor(house.url)
        viewer.log_in("viewer")
        reader.log_in("reader")
        eventually_sync(lambda: counted(viewer) == 1, within=10)
        address = newest(viewer)

        for path in (f"/pairs/{address}", f"/pairs/{address}/inside"):
            assert "secret-xyz" not in viewer.get(path).text
            assert "role `reader` only" in viewer.get(path).text
            assert "secret-xyz" in reader.get(path).text
        assert viewer.get("/pairs?words=secret").status == 403
        assert viewer.get("/pairs?filter=" + quote("nosuch = 1")).status == 422


def test_pairs_without_kept_texts_say_so(tmp_path: Path) -> None:
    records = {"capture": "metadata", "flush": "100ms"}
    with mirrored(tmp_path, records=records) as house:
        call(house, 1)
        visitor = Visitor(house.url)
        eventually_sync(lambda: counted(visitor) == 1, within=10)
        address = newest(visitor)

        assert "understudy.records.capture is `metadata`" in visitor.get(f"/pairs/{address}").text


def test_the_list_and_a_pair_fit_each_window(browser: Browser, tmp_path: Path) -> None:
    with mirrored(tmp_path) as house:
        call(house, 5)
        said = "word0 word1 something else word4 and the end"
        call(house, 3, model="echo", messages=[{"role": "user", "content": said}])
        eventually_sync(lambda: counted(Visitor(house.url)) == 8, within=10)
        for look, width, dark in (
            ("light", 1280, False),
            ("dark", 1280, True),
            ("narrow", 390, False),
        ):
            with watched(browser, house.url, width=width, dark=dark) as window:
                window.go("/pairs")
                window.shoot(f"pairs-{look}")
                assert not overflows(window.page)
                window.page.locator("table.pairs a").first.click()
                expect(window.page.locator("#drawer ins").first).to_be_visible()
                window.page.locator("#drawer").screenshot(path=SHOTS / f"pair-{look}.png")


def newest(visitor: Visitor) -> str:
    """The id of the pair that the list begins with."""
    found = re.search(r'href="/pairs/([0-9a-f]{16,})"', visitor.get("/pairs").text)
    assert found is not None
    return found[1]


def counted(visitor: Visitor) -> int:
    """How many pairs have ended."""
    paired = quote('outcome = "PAIRED"')
    found, path = 0, f"/pairs?filter={paired}"
    while path:
        text = visitor.get(path).text
        found += text.count('class="opens"')
        following = text.partition('rel="next" href="')[2].partition('"')[0]
        path = following.replace("&amp;", "&")
    return found

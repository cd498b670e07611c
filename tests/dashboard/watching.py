"""A browser's page that remembers whatever went wrong on it, and takes pictures."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import gettempdir

from playwright.sync_api import Browser, ConsoleMessage, Page, Request

SHOTS = Path(os.environ.get("UNDERSTUDY_SHOTS") or Path(gettempdir()) / "understudy-shots")

_COUNT_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


@dataclass(slots=True)
class Watched:
    """A page of a browser of its own, and what went wrong on it."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list[str])

    def go(self, path: str) -> None:
        """Open a page of the dashboard."""
        self.page.goto(f"{self.url}{path}", wait_until="load")

    def shoot(self, name: str) -> None:
        """Take a picture of the whole page, for people to look at."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)

    def check(self) -> None:
        """Fail if anything went wrong so far."""
        self.faults += self.page.evaluate("window.violations ?? []")
        assert not self.faults, self.faults


@contextmanager
def watched(
    browser: Browser,
    url: str,
    *,
    width: int = 1280,
    dark: bool = False,
    expected: tuple[str, ...] = (),
) -> Generator[Watched]:
    """Open a browser window with nothing in it; at its end, nothing may have gone wrong.

    What contains one of `expected` is no fault: a page that is refused is an error to a browser.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(10_000)
    context.add_init_script(_COUNT_VIOLATIONS)
    page = context.new_page()
    one = Watched(page, url)

    def note(told: str) -> None:
        if not any(text in told for text in expected):
            one.faults.append(told)

    def hear(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            note(message.text)

    def see(request: Request) -> None:
        if not request.url.startswith((url, "data:")):
            note(f"asked somebody else: {request.url}")

    page.on("console", hear)
    page.on("pageerror", lambda error: note(str(error)))
    page.on("request", see)
    try:
        yield one
        one.check()
    finally:
        context.close()

"""Questions about how a page looks."""

from playwright.sync_api import Page


def overflows(page: Page) -> bool:
    """Whether a page is wider than its window."""
    wider = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return bool(wider)

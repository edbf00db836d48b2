"""Pages in a real browser: the system's Chromium, driven by playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WHY_NOT = "no Chromium is installed here (in Debian: apt-get install chromium)"
TIMEOUT = 120_000  # milliseconds, for a busy machine


class Opened:
    """A page with its console messages and the addresses it requested."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.console: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(TIMEOUT)
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; the page's policy does not apply to the driver."""
        return self.page.evaluate(expression)


@contextmanager
def launched() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=TIMEOUT)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(
    chromium: Browser, file: Path, *, width: int = 1280, scheme: Literal["light", "dark"] = "light",
    media: Literal["screen", "print"] = "screen",
) -> Iterator[Opened]:  # fmt: skip
    """A page in a context of its own, which shares nothing with others of the same browser."""
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    try:
        page.emulate_media(media=media, color_scheme=scheme)
        opened_page = Opened(page)
        page.goto(file.as_uri())
        yield opened_page
    finally:
        page.close()

"""A headless Chromium, the pages that it opens, and what went wrong while they were open.

Without Chromium, and where it cannot be installed, the tests are skipped with the reason.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import large
from tests.browser.packages import Unavailable, chromium

SIZES = {"phone": (360, 740), "desktop": (1440, 900)}
REPORTS = ("micro", "large")


@dataclass
class Opened:
    """A page with its console errors, uncaught exceptions and requests."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        path = chromium()
    except Unavailable as reason:
        pytest.skip(str(reason))
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def folders(finished, tmp_path_factory) -> dict[str, Path]:
    """Folders of two reports: that of a micro run, and a large synthetic one."""
    return {"micro": finished.results / "report", "large": large.render(tmp_path_factory.mktemp("large"))}


@pytest.fixture
def visit(browser, folders) -> Iterator[Callable[..., Opened]]:
    """Open a report from its file at the size of a screen; closed after the test."""
    contexts = []

    def go(report: str, size: str = "desktop", **options) -> Opened:
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.on("console", lambda message: message.type == "error" and opened.errors.append(message.text))
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.on("requestfailed", lambda request: opened.errors.append(f"failed: {request.url}"))
        opened.page.goto((folders[report] / "index.html").as_uri())
        return opened

    yield go
    for context in contexts:
        context.close()

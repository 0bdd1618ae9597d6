"""Settings of all tests: Hypothesis sets no deadline, for machines are shared; and a browser for the tests of pages."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import settings

from microgradlike.graph.engine import _engine

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    """No test leaves the engine's lock taken: others' threads would wait for it for ever."""
    result = yield
    if _engine._lock._is_owned():
        while _engine._lock._is_owned():
            _engine._lock.release()
        pytest.fail("the engine's lock was not released")
    return result


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="pages are driven with Playwright, which is not installed"
    )
    if CHROMIUM is None:
        pytest.skip("there is no Chromium on this machine to show the page")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Open a page; at the end, nothing may have gone wrong in it, and nothing may have left it."""
    troubles, requests, contexts = [], [], []

    def opened(page, at="", **options):
        file = tmp_path / "page.html"
        file.write_text(page, encoding="utf-8")
        contexts.append(browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **options}))
        tab = contexts[-1].new_page()
        tab.on("console", lambda message: troubles.append(message.text))
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(file.as_uri() + at)
        return tab

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []
    assert all(url.startswith(("file:", "data:")) for url in requests), requests


@pytest.fixture(scope="module")
def firefox():
    """A second browser, of another make."""
    from firefox import FIREFOX, Firefox

    pytest.importorskip("tornado", reason="Firefox is spoken to over tornado's WebSocket")
    if FIREFOX is None:
        pytest.skip("there is no Firefox on this machine to show the page")
    browser = Firefox()
    yield browser
    browser.close()

"""Photographs of pages, for the README: `python docs/photographs.py`. Needs Playwright and a Chromium."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import microgradlike as mg
from microgradlike import Value

IMAGES = Path(__file__).resolve().parent / "images"


def main() -> None:
    """Take `images/live.png`: a number of J = 3(a + b·c) was dragged, and is nudged."""
    from playwright.sync_api import sync_playwright

    a, b, c = Value(5, label="a"), Value(3, label="b"), Value(2, label="c")
    u = b * c
    v = a + u
    J = 3 * v
    mg.label(u=u, v=v, J=J)
    page = mg.live(J, title="J = 3(a + b·c)")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1080, "height": 500}, device_scale_factor=2, reduced_motion="reduce")
        tab.goto(page.save(Path(folder) / "live.html").as_uri())
        tab.locator(".leaf[aria-label^='b,']").focus()
        tab.keyboard.press("n")
        tab.evaluate("document.fonts.ready")
        tab.screenshot(path=IMAGES / "live.png", clip={"x": 0, "y": 0, "width": 1080, "height": 490})
        browser.close()


if __name__ == "__main__":
    main()

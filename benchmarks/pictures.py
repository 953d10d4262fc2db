"""Pictures of reports, as they stand in docs/images: the whole map at both widths, in few colours.

    python benchmarks/pictures.py demo=demo/warehouse/current/report/index.html ... [--out docs/images]

Writes NAME.png, 1,280 pixels wide, and NAME-narrow.png, 390 pixels wide, for each NAME=PAGE.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

WIDTHS = {"": 1280, "-narrow": 390}
COLOURS = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", metavar="NAME=PAGE")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    given = parser.parse_args()
    with sync_playwright() as playwright:
        installed = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=installed)
        for name, _, path in (page.partition("=") for page in given.pages):
            for suffix, width in WIDTHS.items():
                page = browser.new_page(viewport={"width": width, "height": 900})
                page.set_default_timeout(0)
                page.goto(Path(path).resolve().as_uri())
                drawn = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
                few = drawn.quantize(COLOURS, kmeans=3, dither=Image.Dither.NONE)
                few.save(given.out / f"{name}{suffix}.png", optimize=True)
                page.close()
        browser.close()


if __name__ == "__main__":
    main()

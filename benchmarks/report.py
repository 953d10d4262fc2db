"""How large the report of a million journeys is, how soon it is there, and how fast it answers.

    python benchmarks/report.py DATABASE [--journeys 1000000]

The journeys of a published database are repeated under new ids until there are as many as asked for, and every
count of the tables that the page reads is multiplied alike. Then the report is built, opened from the disk in
Chromium, and each kind of interaction is made and timed up to the frame that shows it.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import duckdb
from playwright.sync_api import Page, sync_playwright

from footpath.report import build_report

COUNTS = {
    "stages": ("visits", "journeys", "customers", "drop_offs", "opens"),
    "transitions": ("count", "journeys", "customers", "denominator"),
    "map_slices": ("touchpoints", "journeys"),
    "map_cells": ("touchpoints", "journeys", "customers", "drop_offs", "drop_off_denominator"),
    "journey_flow": ("journeys",),
}
TIMED = """
async ([selector, change]) => {
    const element = document.querySelector(selector);
    const begun = performance.now();
    if (change === null) element.click();
    else {
        element.value = change;
        element.dispatchEvent(new Event("input", { bubbles: true }));
        element.dispatchEvent(new Event("change", { bubbles: true }));
    }
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - begun;
}
"""


def enlarge(source: Path, target: Path, journeys: int) -> int:
    """Copy a database with its journeys repeated; returns how many there are."""
    shutil.copy(source, target)
    with duckdb.connect(str(target), config={"threads": 1}) as con:
        [(there,)] = con.sql("SELECT count(*) FROM journeys").fetchall()
        times = max(1, -(-journeys // there))
        for table in ("journeys", "touchpoints", "journey_personas"):
            con.execute(
                f"INSERT INTO {table} SELECT {table}.* REPLACE (journey_id || '-' || i AS journey_id) "
                f"FROM {table}, range(1, {times}) AS again (i)"
            )
        for table, columns in COUNTS.items():
            changes = ", ".join(f"{column} = {column} * {times}" for column in columns)
            con.execute(f"UPDATE {table} SET {changes}")
        con.execute(f"UPDATE kpis SET denominator = denominator * {times}")
        con.execute(
            f"UPDATE kpis SET value = value * {times} WHERE measure = 'revenue' "
            "OR measure IN (SELECT measure FROM kpi_definitions WHERE kind = 'count')"
        )
    return there * times


def interactions(page: Page) -> dict[str, float]:
    """Milliseconds of every kind of interaction."""
    options = page.locator(".shown select").first.locator("option")
    slices = options.evaluate_all("all => all.map((o) => o.value)")
    took = {}

    def timed(name: str, selector: str, change: str | None = None) -> None:
        took[name] = page.evaluate(TIMED, [selector, change])

    if len(slices) > 2:
        timed("another slice on the map", ".shown select", slices[1])
        timed("a second slice over it", ".shown .choice:nth-child(2) select", slices[2])
    people = page.locator(".shown .choice:last-of-type option")
    if people.count() > 1:
        person = people.nth(1).get_attribute("value")
        timed("one customer alone", ".shown .choice:last-of-type select", person)
        timed("back to all journeys", ".shown .link")
    timed("a cell's evidence", ".map .entry")
    page.keyboard.press("Escape")
    for view in ("flow", "journeys", "personas", "findings", "health"):
        timed(f"open {view}", f'.top nav a[href="#{view}"]')
        if view == "flow":
            timed("flow of touchpoints", 'input[value="touchpoint"]')
            timed("flow as graph", 'input[value="graph"]')
            timed("least share", 'input[type="range"]', "3")
            timed(
                "one node's moves",
                "#flow-controls select",
                page.locator("#flow-controls option").nth(3).get_attribute("value"),
            )
        if view == "journeys":
            timed(
                "a path pattern",
                'input[type="search"]',
                ".* "
                + str(page.locator(".choice:nth-child(2) option").nth(5).get_attribute("value")),
            )
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("--journeys", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "footpath.duckdb"
        journeys = enlarge(given.database, database, given.journeys)
        begun = time.perf_counter()
        out = build_report(database, Path(folder) / "index.html", "Benchmark")
        print(
            f"{journeys:,} journeys: built in {time.perf_counter() - begun:.1f} s, {out.stat().st_size / 1e6:.2f} MB"
        )
        with sync_playwright() as playwright:
            installed = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(executable_path=installed)
            for width in (1280, 390):
                page = browser.new_page(viewport={"width": width, "height": 900})
                page.goto(out.as_uri())
                page.wait_for_timeout(500)
                painted = page.evaluate(
                    "performance.getEntriesByName('first-contentful-paint')[0].startTime"
                )
                print(f"{width} px: first paint {painted:.0f} ms")
                if width == 1280:
                    for name, ms in interactions(page).items():
                        print(f"  {name:<28}{ms:>6.0f} ms")
            browser.close()


if __name__ == "__main__":
    main()

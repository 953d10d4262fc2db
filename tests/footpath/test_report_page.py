"""The report in a real browser: every section and control works, shows the database's numbers, and is accessible.

Needs Playwright and a Chromium: the one that is installed, or Playwright's own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

pytest.importorskip("playwright", reason="pip install 'footpath[browser]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright  # noqa: E402

from footpath.demonstration import demonstrate  # noqa: E402
from footpath.report import build_report  # noqa: E402
from tests.examples.worked_example import needs, run  # noqa: E402
from tests.small_world import publish_small_world  # noqa: E402

pytestmark = pytest.mark.browser

VIEWS = ("map", "flow", "journeys", "personas", "findings", "health")
WIDTHS = (1280, 390)
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    installed = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, not to be changed."""
    return publish_small_world(tmp_path_factory.mktemp("world"), customers=400)


@pytest.fixture(scope="module")
def report(published: Path) -> Path:
    return build_report(published, published.with_name("report.html"), "Small & world")


@pytest.fixture(scope="module")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the demo, of fewer events."""
    folder = tmp_path_factory.mktemp("demo")
    list(demonstrate(folder, events=40_000, seed=1))
    return folder / "warehouse" / "current" / "report" / "index.html"


@pytest.fixture(scope="module")
def clickstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the example ecom."""
    example = run("ecom", tmp_path_factory.mktemp("ecom"), "user_id")
    example.con.close()
    return example.config.warehouse / "current" / "report" / "index.html"


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """The report, opened from the disk; at the end nothing may have failed or been asked for."""
    yield from _opened(browser, report)


def _opened(browser: Browser, report: Path, width: int = 1280) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: troubles.append(request.url))
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.goto(report.as_uri())
    assert troubles == [report.as_uri()]
    troubles.clear()
    yield page
    assert troubles == []
    context.close()


def _tile(page: Page, label: str) -> Locator:
    """The key figure of that name."""
    named = page.locator(".tile-label").get_by_text(label, exact=True)
    return page.locator(".tile").filter(has=named)


def _visit(page: Page, view: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=view, exact=True).click()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_is_accessible_and_fits(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    """axe finds no serious violation, and nothing is wider than the screen, in light and dark."""
    for page in _opened(browser, report, width):
        page.emulate_media(color_scheme=scheme)
        for view in VIEWS:
            page.goto(f"{report.as_uri()}#{view}")
            found = axe.Axe().run(page).response["violations"]
            serious = [
                (v["id"], [node["target"] for node in v["nodes"]][:3])
                for v in found
                if v["impact"] in ("serious", "critical")
            ]
            assert serious == [], (view, serious)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, view


def test_displayed_numbers_are_the_databases(published: Path, page: Page) -> None:
    """Tiles, stages, cells, the flow's table and the accounting show what a query returns."""
    with duckdb.connect(str(published), read_only=True) as con:

        def number(query: str) -> float:
            return float(con.sql(query).fetchall()[0][0])

        kpi = "SELECT value FROM kpis WHERE period = 'all' AND segment = 'all' AND measure = '{}'"
        tiles = page.locator(".tiles").first
        for measure in ("customers", "journeys_started", "orders", "sessions"):
            label = con.sql(f"SELECT label FROM kpi_definitions WHERE measure = '{measure}'")
            expect(_tile(page, label.fetchall()[0][0])).to_contain_text(
                f"{number(kpi.format(measure)):,.0f}"
            )
        expect(tiles).to_contain_text(f"{100 * number(kpi.format('conversion_rate')):.1f}%")
        expect(tiles).to_contain_text(f"€{number(kpi.format('revenue')):,.0f}")
        count = number("SELECT touchpoints FROM map_cells WHERE touchpoint = 'checkout_shipping'")
        share = number("SELECT drop_off_p FROM stages WHERE level = 'touchpoint' AND segment = 'all' "
                       "AND node = 'checkout_shipping'")  # fmt: skip
        entry = page.locator(".map .entry", has_text="Checkout shipping")
        expect(entry).to_contain_text(f"{count:,.0f}")
        expect(entry).to_contain_text(f"{100 * share:.0f}% leave")
        reach = number(
            "SELECT journeys / (SELECT count(*) FROM journeys) FROM stages "
            "WHERE level = 'stage' AND segment = 'all' AND node = 'service'"
        )
        head = page.locator(".map .head-cell", has_text="Service")
        expect(head).to_contain_text(f"{100 * reach:.0f}% of journeys")
        _visit(page, "Data health")
        read = number("SELECT sum(records_read) FROM ingest_ledger")
        expect(page.locator("tr.total")).to_contain_text(f"{read:,.0f}")
        _visit(page, "Findings")
        pain = number("SELECT measured FROM pain_points WHERE rank = 1")
        expect(page.locator(".finding").first).to_contain_text(f"{100 * pain:.1f}%")


def test_a_cells_evidence_holds_a_query_that_returns_its_number(
    published: Path, page: Page
) -> None:
    """The dialog tells number, interval and journeys; its SQL, run, gives the number; Escape closes it."""
    page.locator(".map .entry", has_text="Search").first.press("Enter")
    dialog = page.locator("#evidence")
    expect(dialog).to_contain_text("95% interval")
    expect(dialog.locator(".journey")).to_have_count(5)
    shown = int(re.sub(r"\D", "", dialog.locator("dd").first.inner_text().split("times")[0]))
    with duckdb.connect(str(published), read_only=True) as con:
        queries = dialog.locator("code").all_inner_texts()
        assert con.sql(queries[0]).fetchall()[0][0] == shown
        rates = con.sql(queries[1])
        row = dict(zip(rates.columns, rates.fetchall()[0], strict=True))
    expect(dialog).to_contain_text(f"{100 * row['drop_off_p']:.1f}%")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_key_figure_tells_what_it_counts(published: Path, page: Page) -> None:
    """Its dialog holds definition, interval and a query that returns it."""
    page.locator(".tile-lead").click()
    dialog = page.locator("#evidence")
    expect(dialog).to_contain_text("95% interval")
    with duckdb.connect(str(published), read_only=True) as con:
        value = con.sql(dialog.locator("code").inner_text()).fetchall()[0][0]
    expect(dialog.locator("dd").first).to_contain_text(f"{100 * value:.1f}%")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize(
    "measure",
    ["time_to_convert", "repeat_rate", "retention_rate", "first_contact_resolution", "csat", "nps"],
)
def test_figures_of_time_return_and_service_are_tiles(
    published: Path, page: Page, measure: str
) -> None:
    """Each shows the value and the interval that its query returns, in its own unit."""
    shown = {
        "time_to_convert": lambda v: f"{v / 3600:.1f} h",
        "csat": lambda v: f"{100 * v:.0f}",
        "nps": lambda v: f"{v:.0f}".replace("-", "\N{MINUS SIGN}"),
    }.get(measure, lambda v: f"{100 * v:.1f}%")
    with duckdb.connect(str(published), read_only=True) as con:
        label = con.sql(f"SELECT label FROM kpi_definitions WHERE measure = '{measure}'")
        _tile(page, label.fetchall()[0][0]).click()
        dialog = page.locator("#evidence")
        queries = dialog.locator("code").all_inner_texts()
        row, *beside = (con.sql(query).fetchall()[0] for query in queries)
    value, _, low, high, denominator = row
    assert low <= value <= high
    facts = dialog.locator("dd")
    expect(facts.first).to_contain_text(shown(value))
    if measure != "time_to_convert":
        expect(facts.first).to_contain_text(f"95% interval {shown(low)} to {shown(high)}")
    expect(facts.nth(1)).to_contain_text(f"{denominator:,.0f}")
    if measure == "time_to_convert":
        (at_once, *_), (in_steps, *_) = beside
        expect(facts.nth(2)).to_contain_text(f"{100 * at_once:.1f}%")
        expect(facts.nth(3)).to_contain_text(f"{in_steps / 3600:.1f} h")
        expect(_tile(page, "Time to convert")).to_contain_text(f"{100 * at_once:.1f}% at once")
        expect(_tile(page, "Time to convert")).to_contain_text(
            f"{in_steps / 3600:.1f} h in several steps"
        )


def test_a_slice_is_shown_and_another_laid_over_it(published: Path, page: Page) -> None:
    """Numbers of the second slice stand beside those of the first, and leave with it."""
    with duckdb.connect(str(published), read_only=True) as con:
        every, mobile = (
            con.execute(
                "SELECT touchpoints FROM map_slices WHERE touchpoint = 'add_to_cart' AND segment_value = ?",
                [value],
            ).fetchall()[0][0]
            for value in ("all", "mobile")
        )
    entry = page.locator(".map .entry", has_text="Add to cart")
    page.get_by_label("Over it").select_option("device=mobile")
    expect(entry.locator(".entry-facts b")).to_have_text([str(every), str(mobile)])
    page.get_by_label("Show").select_option("device=mobile")
    expect(entry.locator(".entry-facts b")).to_have_text([str(mobile)])
    page.get_by_role("button", name="Back to all journeys").click()
    expect(entry.locator(".entry-facts b")).to_have_text([str(every)])


@pytest.mark.parametrize("width", WIDTHS)
def test_with_a_slice_the_head_counts_it_and_findings_name_whom_they_are_about(
    browser: Browser, published: Path, report: Path, width: int
) -> None:
    """Mobile journeys are counted above the map; what was found in all journeys says so beside them."""
    with duckdb.connect(str(published), read_only=True) as con:
        [(mobile, every)] = con.sql(
            "SELECT count(*) FILTER (device = 'mobile'), count(*) FROM journeys"
        ).fetchall()
        [(segment,)] = con.sql("SELECT segment FROM pain_points WHERE rank = 1").fetchall()
    assert segment == "all"
    for page in _opened(browser, report, width):
        lede = page.locator(".lede")
        card = page.locator(".map" if width == 1280 else ".narrow").locator(".note-card").first
        expect(lede).to_contain_text(f"on {every:,} journeys")
        expect(card).not_to_contain_text("All journeys")
        page.get_by_label("Show").select_option("device=mobile")
        expect(lede).to_contain_text("Mobile: what")
        expect(lede).to_contain_text(f"on {mobile:,} of all {every:,} journeys")
        expect(card).to_contain_text("All journeys")
        card.click()
        expect(page.locator("#evidence .eyebrow")).to_contain_text("All journeys")


@pytest.mark.parametrize("width", WIDTHS)
def test_planted_pain_and_the_dip_at_support_are_seen_at_once(
    browser: Browser, retailer: Path, width: int
) -> None:
    """As the page opens, nothing clicked: who leaves at shipping, and that service is the lowest of the experience."""
    for page in _opened(browser, retailer, width):
        place = page.locator(".map" if width == 1280 else ".narrow")
        note = place.locator(".note-card", has_text="Shipping").first
        expect(note).to_be_visible()
        expect(note).to_contain_text(re.compile("People leave.*% instead of .*%", re.S))
        dip = place.locator(".point-dip")
        expect(dip.locator("b")).to_be_visible()
        expect(dip).to_contain_text("Service, No call for help afterwards")


def test_the_curve_has_gaps_and_its_intervals_have_two_ends(
    browser: Browser, retailer: Path
) -> None:
    """No line over stages that nobody answered about; whatever the signal, no interval runs from a number to itself."""
    for page in _opened(browser, retailer):
        menu = page.locator(".map").get_by_label("Signal")
        for value in menu.locator("option").evaluate_all("all => all.map(o => o.value)"):
            menu.select_option(value)
            told = page.locator(".map .point small").all_inner_texts()
            ends = [text.split(" \N{MIDDLE DOT} ")[0].split(" to ") for text in told]
            assert ends
            assert all(low != high for low, high in ends), (value, ends)
        menu.select_option("csat")  # they are asked after a ticket, and in a review
        expect(page.locator(".map .point")).to_have_count(2)
        drawn = page.locator(".map .curve").get_attribute("d") or ""
        assert (drawn.count("M"), drawn.count("L")) == (2, 0)


def test_a_finding_says_what_it_counts_and_what_it_is_worth(
    browser: Browser, retailer: Path
) -> None:
    """Departures rather than anything, an amount in the currency that is known; and personas have one name each."""
    with duckdb.connect(str(retailer.parent.parent / "footpath.duckdb"), read_only=True) as con:
        names = dict(con.sql("SELECT persona_id, name FROM dim_persona").fetchall())
    for page in _opened(browser, retailer):
        _visit(page, "Findings")
        facts = page.locator(".finding").first.locator("dd")
        expect(facts.nth(2)).to_have_text(re.compile("^[0-9,]+departures$"))
        expect(facts.nth(3)).to_contain_text(re.compile(r"journeys, worth about \$[0-9,]+$"))
        _visit(page, "Journeys")
        listed = (
            page.get_by_label("Persona")
            .locator("option")
            .evaluate_all("all => all.slice(1).map(o => [o.value, o.textContent])")
        )
        assert dict(listed).items() <= names.items()
        assert ["undetermined", "Undetermined"] in listed


def test_a_purchase_is_never_folded_and_what_is_rare_not_coloured(
    browser: Browser, retailer: Path
) -> None:
    """Of the web's ten touchpoints in the stage of purchase, it is the seventh; after 1 complaint in 700 all leave."""
    for page in _opened(browser, retailer):
        bought = page.locator(".map .entry", has_text=re.compile("^Purchase"))
        expect(bought).to_have_count(2)  # on the web and in a store
        for entry in bought.all():
            expect(entry).to_be_visible()
        leave = {
            name: page.locator(".map .entry", has_text=name) for name in ("Complaint", "Shipping")
        }
        expect(leave["Complaint"]).to_have_class("entry heat-0")
        expect(leave["Shipping"]).to_have_class("entry heat-3")


@needs("ecom")
def test_labels_of_two_curves_are_apart(browser: Browser, clickstream: Path) -> None:
    """New users over loyal ones and the other way about: at no stage does one label cover the other's."""
    for page in _opened(browser, clickstream):
        for first, second in (("new", "loyal"), ("loyal", "new")):
            page.get_by_label("Show").select_option(f"lifecycle={first}")
            page.get_by_label("Over it").select_option(f"lifecycle={second}")
            labels = [label.bounding_box() or {} for label in page.locator(".map .point b").all()]
            assert len(labels) == 10
            for one, other in zip(labels[:5], labels[5:], strict=True):
                apart = abs(one["y"] - other["y"])
                assert apart >= max(one["height"], other["height"]), (first, second)


@needs("ecom")
@pytest.mark.parametrize("width", WIDTHS)
def test_the_planted_loop_is_seen_at_once(browser: Browser, clickstream: Path, width: int) -> None:
    """As the page opens: mobile users are thrown off their way at shipping, and where they begin again."""
    for page in _opened(browser, clickstream, width):
        place = page.locator(".map" if width == 1280 else ".narrow")
        note = place.locator(".note-card", has_text="Shipping details")
        expect(note).to_be_visible()
        expect(note).to_contain_text("Thrown off the way → Checkout bug")
        expect(note).to_contain_text(
            re.compile("then back to Add to cart .*Cart .*Shipping details")
        )
        expect(note).to_contain_text("Platform: Mobile")


@pytest.mark.parametrize("width", WIDTHS)
def test_one_customer_is_shown_alone(
    browser: Browser, published: Path, report: Path, width: int
) -> None:
    """Their touchpoints by stage and channel as queries count them, all their journeys, and the way back."""
    for page in _opened(browser, report, width):
        menu = page.get_by_label("One customer alone")
        customer = menu.locator("option").nth(1).get_attribute("value")
        with duckdb.connect(str(published), read_only=True) as con:
            journeys, touchpoints = con.execute(
                "SELECT count(*), sum(touchpoints) FROM journeys WHERE customer_id = ?", [customer]
            ).fetchall()[0]
        menu.select_option(customer)
        expect(page.locator("#map-view .journey")).to_have_count(journeys)
        expect(_tile(page, "Touchpoints")).to_contain_text(str(touchpoints))
        place = ".map" if width == 1280 else ".narrow"
        entries = page.locator(f"{place} .entry")
        counts = entries.locator("b").all_inner_texts()
        assert (
            sum(int(text.removesuffix("\N{MULTIPLICATION SIGN}")) for text in counts) == touchpoints
        )
        entries.first.click()
        dialog = page.locator("#evidence")
        with duckdb.connect(str(published), read_only=True) as con:
            [(found, _)] = con.sql(dialog.locator("code").first.inner_text()).fetchall()
        expect(dialog.locator("dd").first).to_contain_text(f"{found} time")
        page.keyboard.press("Escape")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("button", name="Back to all journeys").click()
        expect(page.locator("#map-title")).to_have_text("The map")
        _visit(page, "Journeys")
        page.get_by_role("button", name="All they did").first.click()
        expect(page.locator("#map-title")).to_have_text("One customer")


def test_the_experience_can_be_told_by_each_signal(published: Path, page: Page) -> None:
    """Every signal of the menu draws its curve, and the query of each runs."""
    menu = page.get_by_label("Signal")
    for value in menu.locator("option").evaluate_all("all => all.map(o => o.value)"):
        menu.select_option(value)
        expect(page.locator(".map .curve")).to_have_count(1)
        page.locator(".map .point").first.press("Enter")
        with duckdb.connect(str(published), read_only=True) as con:
            assert con.sql(page.locator("#evidence code").first.inner_text()).fetchall()
        page.keyboard.press("Escape")


def test_the_flow_follows_its_controls(page: Page) -> None:
    """Both drawings at both levels; a higher share draws fewer moves; a node filters; a move has evidence."""
    _visit(page, "Flow")
    note = page.locator("#flow-view .note")

    def drawn() -> int:
        return int(note.inner_text().split()[0].replace(",", ""))

    for form in ("Graph", "Steps"):
        page.locator("label", has_text=form).first.click()
        for level in ("Touchpoints", "Stages"):
            page.locator("label", has_text=level).first.click()
            expect(page.locator("#flow-view svg path").first).to_be_attached()
    before = drawn()
    page.get_by_role("slider").fill("10")
    assert 0 < drawn() < before
    page.get_by_role("slider").fill("0")
    every = drawn()
    page.get_by_label("Only moves of").select_option("purchase")
    assert 0 < drawn() < every
    page.get_by_role("button", name="Clear Purchase").click()
    assert drawn() == every
    page.locator("#flow-view svg text", has_text="Purchase").first.click()
    page.locator("label", has_text="Graph").first.click()
    page.get_by_text("as a table").click()
    page.locator("#flow-view table button").first.click()
    expect(page.locator("#evidence")).to_contain_text("departures")


def test_journeys_are_found_by_their_path(published: Path, page: Page) -> None:
    """Exactly the journeys that a query over all steps finds; an unknown touchpoint is told."""
    _visit(page, "Journeys")
    search = page.get_by_label("Path pattern")
    search.fill("^ ad_click .* purchase $")
    note = page.locator("#journeys-view .note").first
    page.get_by_text("Count them among all journeys").click()
    with duckdb.connect(str(published), read_only=True) as con:
        [(found,)] = con.sql(page.locator("#journeys-view code").first.inner_text()).fetchall()
        [(expected,)] = con.sql(
            "SELECT count(*) FROM journeys WHERE entry_touchpoint = 'ad_click' AND exit_touchpoint = 'purchase'"
        ).fetchall()
    assert found == expected > 0
    assert 0 < int(note.inner_text().split()[0]) <= found
    search.fill("add_to_cat")
    expect(page.get_by_role("alert")).to_contain_text("no touchpoint")
    page.get_by_label("Add a touchpoint").select_option("review_written")
    search.fill("review_written")
    expect(page.locator(".step-marked").first).to_be_visible()
    page.get_by_label("Outcome").select_option("converted")
    expect(page.locator(".outcome-lapsed")).to_have_count(0)


def test_light_and_dark_can_be_switched(page: Page) -> None:
    """The button turns the paper dark, and light again."""
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    button = page.get_by_role("button", name="Switch between light and dark")
    button.click()
    assert page.evaluate(paper) != light
    button.click()
    assert page.evaluate(paper) == light


def test_it_prints_every_section(page: Page) -> None:
    """The printed page holds all sections, whichever was on the screen."""
    pdf = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= len(VIEWS)


def test_html_in_a_field_runs_nothing(browser: Browser, published: Path, tmp_path: Path) -> None:
    """Markup is read as text wherever it is shown."""
    path = tmp_path / "footpath.duckdb"
    shutil.copy(published, path)
    with duckdb.connect(str(path)) as con:
        for table in ("map_cells", "map_slices", "stages", "transitions", "journey_flow", "touchpoints",
                      "pain_points", "personas", "persona_features", "stage_order"):  # fmt: skip
            for (column,) in con.sql(
                f"SELECT column_name FROM duckdb_columns() WHERE table_name = '{table}' AND data_type = 'VARCHAR' "
                "AND column_name IN ('node', 'source_node', 'target_node', 'touchpoint', 'channel', 'stage', "
                "'sentence', 'name', 'portrait', 'feature')"
            ).fetchall():
                con.execute(
                    f"UPDATE {table} SET {column} = {column} || ? "
                    f"WHERE {column} NOT IN ('START', 'CONVERSION', 'DROP_OFF', 'OPEN', 'MORE')",
                    [EVIL],
                )
    report = build_report(path, tmp_path / "report.html", EVIL)
    for page in _opened(browser, report):
        for view in VIEWS:
            page.goto(f"{report.as_uri()}#{view}")
            assert page.locator("img").count() == 0
        expect(page.locator("#health-title")).to_be_visible()


def test_an_empty_project_shows_what_it_waits_for(browser: Browser, tmp_path: Path) -> None:
    """Every section is there and says so in words."""
    path = publish_small_world(tmp_path, customers=0)
    report = build_report(path, tmp_path / "report.html", "Empty")
    for page in _opened(browser, report, 390):
        expect(page.locator(".lede")).to_contain_text("No journeys yet")
        for view in VIEWS:
            page.goto(f"{report.as_uri()}#{view}")
            expect(page.locator(f"#{view}-view .empty").first).to_be_visible()

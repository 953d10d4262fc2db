"""The generator keeps its word: counts are exact, truth and files agree, plants are there."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from footpath.generator import (
    MOBILE_BACK_TO_CART,
    PAYMENT_FAILURES,
    PainPoint,
    Scenario,
    Summary,
    generate,
)
from footpath.generator.personas import END, PERSONAS, START, Persona, chain, lookup_table
from footpath.generator.touchpoints import (
    CHECKOUT_STEPS,
    CODES,
    PRE_PURCHASE,
    SOURCES,
    TOUCHPOINTS,
)

SESSION_GAP = pd.Timedelta("30min")
JOURNEY_GAP = pd.Timedelta("30D")

FLAWED = Scenario(
    events=12_000,
    seed=3,
    chunk_events=5_000,
    duplicate_share=0.03,
    malformed_share=0.02,
    future_share=0.01,
    late_share=0.03,
    null_like_share=0.02,
    kiosk_share=0.02,
)
"""Three chunks, with so many flaws that every kind occurs in every feed that is large enough."""

World = tuple[Path, Summary]


@pytest.fixture(scope="module")
def flawed(tmp_path_factory: pytest.TempPathFactory) -> World:
    out = tmp_path_factory.mktemp("flawed")
    return out, generate(out, FLAWED)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> World:
    out = tmp_path_factory.mktemp("large")
    return out, generate(out, Scenario(events=150_000, seed=11))


@pytest.fixture(scope="module")
def truth(large: World) -> pd.DataFrame:
    return journey_steps(large[0])


def journey_steps(out: Path) -> pd.DataFrame:
    """Order true events by person and time, logins aside, with the next step of the journey.

    `next` is OPEN where the journey may still go on, DROP_OFF where it ended.
    """
    events = pq.read_table(out / "truth" / "events.parquet").to_pandas()
    events = events[events["touchpoint"] != "login"].sort_values(["person_id", "event_time"])
    by_journey = events.groupby(["person_id", "journey"], sort=False)
    following = by_journey["touchpoint"].shift(-1)
    is_over = (events["event_time"].max() - events["event_time"] > JOURNEY_GAP) | (
        events["journey"] < events.groupby("person_id")["journey"].transform("max")
    )
    last = pd.Series(np.where(is_over, "DROP_OFF", "OPEN"), index=events.index)
    return events.assign(next=following.where(following.notna(), last))


def share_of_next(steps: pd.DataFrame, touchpoint: str, following: str) -> float:
    next_steps = steps.loc[steps["touchpoint"] == touchpoint, "next"]
    return float((next_steps[next_steps != "OPEN"] == following).mean())


def digest(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def moment(value: str | int) -> dt.datetime:
    if isinstance(value, int):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    return dt.datetime.fromisoformat(value)


def elements(source: str, value: Any) -> list[dict[str, Any]]:
    return value if source == "email" else [value]


REQUIRED = {
    "web": ("type", "messageId", "anonymousId", "context", "timestamp", "receivedAt"),
    "email": ("email", "timestamp", "event", "sg_event_id", "sg_message_id", "category"),
    "store": (
        *("id", "created_at", "updated_at", "email", "phone", "customer", "total_price"),
        *("currency", "financial_status", "source_name", "line_items", "refunds", "cancelled_at"),
        "buyer_accepts_marketing",
    ),
    "support": (
        *("id", "external_id", "created_at", "updated_at", "requester_id", "requester", "via"),
        *("subject", "tags", "priority", "status", "satisfaction_rating"),
    ),
}
ID = {"web": "messageId", "email": "sg_event_id", "store": "id", "support": "id"}
TIME = {"web": "timestamp", "email": "timestamp", "store": "created_at", "support": "created_at"}


def test_same_seed_same_bytes(flawed: World, tmp_path: Path) -> None:
    """A scenario decides every byte of the data and of the truth."""
    generate(tmp_path / "again", FLAWED)
    assert digest(tmp_path / "again") == digest(flawed[0])


def test_other_seed_other_bytes(flawed: World, tmp_path: Path) -> None:
    """Two seeds share no file, the list of touchpoints aside."""
    generate(tmp_path / "other", replace(FLAWED, seed=4, events=3_000))
    equal = digest(flawed[0]).items() & digest(tmp_path / "other").items()
    assert {name for name, _ in equal} == {"truth/touchpoints.parquet"}


def test_summary_equals_a_recount(flawed: World) -> None:
    """Files, lines, records and kinds are counted exactly, by source and by file."""
    out, summary = flawed
    assert json.loads((out / "truth" / "summary.json").read_text()) == asdict(summary)
    defects = pq.read_table(out / "truth" / "defects.parquet").to_pandas()
    events = pq.read_table(out / "truth" / "events.parquet").to_pandas()
    lines = {
        str(path.relative_to(out)): path.read_bytes().count(b"\n")
        for source in SOURCES
        for path in (out / source).iterdir()
    }
    assert lines == summary.files
    for source, counts in summary.sources.items():
        files = list((out / source).iterdir())
        kinds = Counter(defects.loc[defects["source"] == source, "kind"])
        mine = events[events["source"] == source]
        assert counts.files == len(files)
        assert counts.bytes == sum(path.stat().st_size for path in files)
        assert counts.lines == sum(lines[f"{source}/{path.name}"] for path in files)
        assert counts.events == len(mine)
        assert counts.duplicates == kinds["duplicate"]
        assert counts.malformed == kinds["malformed"]
        assert counts.future == kinds["future"]
        assert counts.late == kinds["late"]
        assert counts.null_identifiers == kinds["null_identifier"]
        assert counts.consent_denied == int((~mine["consent"]).sum())
        assert counts.records == sum(
            (counts.events, counts.duplicates, counts.malformed, counts.future)
        )
    assert summary.events == len(events)
    assert summary.persons == pq.read_metadata(out / "truth" / "persons.parquet").num_rows
    per_person = events.groupby("person_id")[["session", "journey"]].nunique().sum()
    assert (summary.sessions, summary.journeys) == tuple(per_person)
    assert summary.pain_points == events["pain_point"].value_counts().to_dict()


@pytest.mark.parametrize("source", SOURCES)
def test_every_record_is_what_the_truth_says(flawed: World, source: str) -> None:
    """Each record is an event, its repetition or a listed defect; each event appears once."""
    out, summary = flawed
    defects = pq.read_table(out / "truth" / "defects.parquet").to_pandas()
    defects = defects[defects["source"] == source]
    flaws = {
        (row.file, row.line, None if pd.isna(row.position) else int(row.position)): row
        for row in defects.itertuples()
        if row.kind in ("malformed", "duplicate", "future")
    }
    events = pq.read_table(out / "truth" / "events.parquet").to_pandas()
    events = events[events["source"] == source]
    times = dict(zip(events["event_id"], events["event_time"].dt.to_pydatetime(), strict=True))
    far = dt.datetime.combine(FLAWED.end, dt.time(), dt.UTC) + dt.timedelta(days=100)
    seen: Counter[str] = Counter()
    count = 0
    for path in sorted((out / source).iterdir()):
        name = f"{source}/{path.name}"
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            whole = flaws.pop((name, number, None), None)
            try:
                batch = elements(source, json.loads(line.decode("utf-8")))
            except ValueError:
                assert whole is not None
                assert whole.detail in ("truncated", "binary")
                count += 1
                continue
            assert 1 <= len(batch) <= 100
            for position, record in enumerate(batch):
                count += 1
                flaw = whole or flaws.pop((name, number, position), None)
                if flaw is not None and flaw.detail == "empty_object":
                    assert record == {}
                    continue
                if flaw is not None and flaw.detail == "missing_time":
                    assert TIME[source] not in record
                    continue
                assert set(REQUIRED[source]) <= set(record)
                event_id = str(record[ID[source]])
                if flaw is not None and flaw.detail == "text_time":
                    assert record[TIME[source]] == "yesterday"
                    assert event_id not in times
                    continue
                time = moment(record[TIME[source]])
                if flaw is not None and flaw.kind == "future":
                    assert time > far
                    assert event_id not in times
                    continue
                assert time == times[event_id]
                if flaw is None:
                    seen[event_id] += 1
                else:
                    assert flaw.kind == "duplicate"
                    assert flaw.event_id == event_id
    assert not flaws
    assert seen == dict.fromkeys(times, 1)
    assert count == summary.sources[source].records


def test_duplicates_come_later_and_late_records_in_later_files(flawed: World) -> None:
    """The first copy received is the original, and a late event is in a file after its own."""
    out, _ = flawed
    defects = pq.read_table(out / "truth" / "defects.parquet").to_pandas()
    web = defects[defects["source"] == "web"]
    records = []
    for path in sorted((out / "web").iterdir()):
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            try:
                call = json.loads(line)
            except ValueError:
                continue
            if "timestamp" in call:
                keys = ("messageId", "receivedAt", "timestamp", "userId")
                records.append((f"web/{path.name}", number, *(call[key] for key in keys)))
    columns = ["file", "line", "event_id", "received", "time", "user_id"]
    frame = pd.DataFrame(records, columns=columns)

    def flagged(kind: str, detail: str | None = None) -> pd.Series:
        rows = web[(web["kind"] == kind) & ((detail is None) | (web["detail"] == detail))]
        return pd.MultiIndex.from_frame(frame[["file", "line"]]).isin(
            pd.MultiIndex.from_frame(rows[["file", "line"]])
        )

    readable = ~flagged("malformed") & ~flagged("future")
    copies = frame[flagged("duplicate")]
    originals = frame[readable & ~flagged("duplicate")].set_index("event_id")["received"]
    assert len(copies) > 100
    assert (copies["received"].to_numpy() > originals[copies["event_id"]].to_numpy()).all()
    late = frame[flagged("late")]
    following = pd.to_datetime(late["file"].str.slice(4, 14), utc=True)
    assert len(late) > 100
    assert (pd.to_datetime(late["time"], format="ISO8601") < following).all()
    assert (pd.to_datetime(late["received"], format="ISO8601") >= following).all()
    nothing = frame[flagged("null_identifier", "userId")]
    assert set(nothing["user_id"]) == {"", "null", "undefined", "0000"}


def test_sessions_and_journeys_follow_from_the_gaps(large: World) -> None:
    """Gaps of 30 minutes and 30 days, and openings after a conversion, give the planted numbers."""
    out, _ = large
    events = pq.read_table(out / "truth" / "events.parquet").to_pandas()
    events = events.sort_values(["person_id", "event_time"], kind="stable")
    gap = events.groupby("person_id")["event_time"].diff()
    assert not (gap <= pd.Timedelta(0)).any()
    session = (gap.isna() | (gap > SESSION_GAP)).groupby(events["person_id"]).cumsum()
    assert (session == events["session"]).all()
    assert (gap[gap <= SESSION_GAP] > pd.Timedelta("25min")).sum() > 100

    kinds = pq.read_table(out / "truth" / "touchpoints.parquet").to_pandas().set_index("touchpoint")
    opens = events["touchpoint"].map(kinds["opens_journey"]).to_numpy()
    converts = events["touchpoint"].map(kinds["converts"]).to_numpy()
    silent = (gap.isna() | (gap > JOURNEY_GAP)).to_numpy()
    first = gap.isna().to_numpy()
    expected = np.zeros(len(events), np.int64)
    journey, converted = 0, False
    for row in range(len(events)):
        if first[row]:
            journey, converted = 0, False
        if silent[row] or (converted and opens[row]):
            journey, converted = journey + 1, False
        converted = converted or bool(converts[row])
        expected[row] = journey
    assert (expected == events["journey"].to_numpy()).all()


def test_shipping_loses_25_points_more(truth: pd.DataFrame) -> None:
    """The planted step stands out by 25 points; the others lose 8 to 12 in 100; tickets follow."""
    lost = {step: share_of_next(truth, step, "DROP_OFF") for step in CHECKOUT_STEPS}
    others = [share for step, share in lost.items() if step != "shipping"]
    assert all(0.07 < share < 0.13 for share in others), lost
    assert lost["shipping"] - float(np.mean(others)) == pytest.approx(0.25, abs=0.03)
    assert share_of_next(truth, "shipping", "support_delivery") == pytest.approx(0.04, abs=0.015)
    hurt = truth[truth["is_pain_hit"]]
    assert set(hurt["touchpoint"]) == {"shipping"}
    assert set(hurt["next"]) <= {"DROP_OFF", "OPEN", "support_delivery"}


def test_a_world_without_pain_has_none(tmp_path: Path) -> None:
    """Without pain points no checkout step stands out."""
    summary = generate(tmp_path / "well", Scenario(events=120_000, seed=5, pain_points=()))
    steps = journey_steps(tmp_path / "well")
    lost = {step: share_of_next(steps, step, "DROP_OFF") for step in CHECKOUT_STEPS}
    assert all(0.07 < share < 0.13 for share in lost.values()), lost
    assert share_of_next(steps, "shipping", "support_delivery") == 0
    assert not steps["is_pain_hit"].any()
    assert summary.pain_points == {}
    assert pq.read_metadata(tmp_path / "well" / "truth" / "pain_points.parquet").num_rows == 0


def test_pain_points_keep_to_their_device_and_dates(tmp_path: Path) -> None:
    """The mobile error and the payment failures strike whom, when and as hard as declared."""
    scenario = Scenario(events=120_000, pain_points=(MOBILE_BACK_TO_CART, PAYMENT_FAILURES))
    generate(tmp_path / "two", scenario)
    steps = journey_steps(tmp_path / "two")
    day = steps["event_time"].dt.date
    for pain_point in scenario.pain_points:
        assert pain_point.start is not None
        assert pain_point.end is not None
        struck = steps["pain_point"] == pain_point.name
        assert struck.sum() > 20
        assert day[struck].between(pain_point.start, pain_point.end).all()
        exposed = day.between(pain_point.start, pain_point.end)
        if pain_point.device is not None:
            exposed &= steps["device_type"] == pain_point.device
        before = share_of_next(steps[~exposed], pain_point.touchpoint, pain_point.outcome)
        during = share_of_next(steps[exposed], pain_point.touchpoint, pain_point.outcome)
        assert during - before == pytest.approx(pain_point.points, abs=0.09)


def test_households_are_as_large_as_declared(tmp_path: Path) -> None:
    """Each of them has one tablet, and all its members are of one size."""
    scenario = Scenario(events=4_000, seed=5, household_share=0.5, household_size=4, kiosks=0)
    generate(tmp_path, scenario)
    persons = pq.read_table(tmp_path / "truth" / "persons.parquet").to_pandas()
    sizes = persons["household_id"].dropna().value_counts()
    assert len(sizes) > 10
    assert set(sizes) == {4}
    owned = pq.read_table(tmp_path / "truth" / "identifiers.parquet").to_pandas()
    homes = persons.set_index("person_id")["household_id"]
    browsers = owned[owned["namespace"] == "anonymous_id"].groupby("value")["person_id"]
    shared = [homes[list(set(of))] for _, of in browsers if of.nunique() > 1]
    assert max(map(len, shared)) > 2
    assert all(home.nunique() == 1 for home in shared)


def test_identifiers_name_their_owners(flawed: World) -> None:
    """Written forms normalise to one value; only kiosks and households are shared."""
    out, _ = flawed
    table = pq.read_table(out / "truth" / "identifiers.parquet").to_pandas()
    persons = pq.read_table(out / "truth" / "persons.parquet").to_pandas().set_index("person_id")
    assert not table.duplicated(["namespace", "raw", "person_id"]).any()
    kiosks = table[table["person_id"].isna()]
    assert len(kiosks) == FLAWED.kiosks
    owned = table[table["person_id"].notna()]
    owners = owned.groupby(["namespace", "value"])["person_id"].nunique()
    assert set(owners[owners > 1].index.get_level_values("namespace")) == {"anonymous_id"}
    assert owners.max() == 2
    shared = owned.merge(owners[owners > 1].rename("owners").reset_index())
    assert persons.loc[shared["person_id"], "household_id"].notna().all()
    email = owned[owned["namespace"] == "email"]
    assert (email["raw"].str.strip().str.lower() == email["value"]).all()
    assert (email["raw"] != email["value"]).any()
    assert (email["value"].to_numpy() == persons.loc[email["person_id"], "email"]).all()
    phone = owned[owned["namespace"] == "phone"]
    assert (phone["raw"].str.replace(r"\D", "", regex=True) == phone["value"]).all()
    assert phone["raw"].str.replace(r"\d", "", regex=True).nunique() == 4


def test_user_id_is_known_only_after_a_login(flawed: World) -> None:
    """On a device that nobody shares, no call before its first identify names the user."""
    out, _ = flawed
    calls = []
    for path in sorted((out / "web").iterdir()):
        for line in path.read_bytes().splitlines():
            try:
                call = json.loads(line)
            except ValueError:
                continue
            if "timestamp" in call and call["timestamp"] != "yesterday":
                keys = ("messageId", "anonymousId", "userId", "timestamp", "type")
                calls.append(tuple(call[key] for key in keys))
    frame = pd.DataFrame(calls, columns=["event_id", "anonymous", "user", "time", "type"])
    real = frame["user"].fillna("").str.fullmatch(r"u\d+")
    first_login = frame[frame["type"] == "identify"].groupby("anonymous")["time"].min()
    named = frame[real & frame["anonymous"].str.contains("-")]
    login = named["anonymous"].map(first_login)
    lost = login.isna() | (named["time"] < login)
    assert lost.mean() < 0.02, "but for an identify whose own anonymousId is a null-like"
    assert 0.1 < real.mean() < 0.7


def test_web_alone(tmp_path: Path) -> None:
    """A pure clickstream has no other source, and no step of one."""
    summary = generate(tmp_path / "web", Scenario(events=20_000, channels=("web",), kiosks=0))
    assert list(summary.sources) == ["web"]
    assert {path.name for path in (tmp_path / "web").iterdir()} == {"web", "truth"}
    assert summary.events == pytest.approx(20_000, rel=0.1)


def test_file_days_cuts_the_receipts(tmp_path: Path) -> None:
    """One day a file: what was received on a day is in the file of that day."""
    scenario = Scenario(events=2_000, days=20, file_days=1, channels=("web",), malformed_share=0)
    generate(tmp_path / "daily", scenario)
    days = set()
    for path in (tmp_path / "daily" / "web").iterdir():
        day = path.name[:10]
        days.add(day)
        lines = path.read_text(encoding="utf-8").splitlines()
        received = {json.loads(line)["receivedAt"][:10] for line in lines}
        assert received == {day} or (day == scenario.end.isoformat() and min(received) >= day)
    assert len(days) >= 20


@pytest.mark.parametrize("persona", PERSONAS, ids=lambda persona: persona.name)
def test_chains_are_probabilities(persona: Persona) -> None:
    """Rows sum to one; journeys start before a purchase; none ends by noise."""
    probabilities = chain(persona, SOURCES, noise=0.02)
    assert np.allclose(probabilities.sum(axis=1), 1)
    starts = [TOUCHPOINTS[code] for code in np.flatnonzero(probabilities[START])]
    assert {touchpoint.stage for touchpoint in starts} <= PRE_PURCHASE
    assert probabilities[START, END] == 0
    after = np.flatnonzero(probabilities[CODES["purchase"], :END] > 0.02)
    assert not {TOUCHPOINTS[code].stage for code in after} & PRE_PURCHASE


def test_lookup_table_is_proportional() -> None:
    """Every slot is used, and no share is off by more than one slot."""
    table = lookup_table([0.1, 0.2, 0.7])
    assert np.bincount(table).tolist() == [410, 819, 2867]


def test_an_impossible_scenario_names_every_mistake() -> None:
    """All that is wrong is said at once."""
    bad = PainPoint("bad", "delivery", "no such touchpoint", points=0.2, device="watch")
    with pytest.raises(ValueError, match="late_share is 2") as caught:
        Scenario(events=0, late_share=2, channels=("email",), pain_points=(bad,))
    for part in ("events is 0", "must include 'web'", "'delivery' is not one of", "'watch'"):
        assert part in str(caught.value)


def test_old_files_are_never_mixed_with_new(tmp_path: Path) -> None:
    """A folder that holds anything is refused."""
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        generate(tmp_path, Scenario(events=100))


def test_progress_ends_at_all_persons(tmp_path: Path) -> None:
    """Progress counts persons, chunk by chunk, up to all of them."""
    calls: list[tuple[int, int]] = []
    scenario = Scenario(events=3_000, chunk_events=1_000, start=dt.date(2025, 1, 1), days=90)
    summary = generate(tmp_path / "out", scenario, lambda done, total: calls.append((done, total)))
    assert len(calls) == 3
    assert calls[-1] == (summary.persons, summary.persons)

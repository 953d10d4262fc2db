"""``footpath forget``: nothing of a person is left but a tombstone, and nothing brings them back."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from contracts.config import Config
from contracts.errors import ConfigError, InputError
from contracts.lake import Lake
from contracts.loading import load_config
from footpath.checking import check_project
from footpath.erasing import forget
from footpath.identities import order_split
from footpath.publication import DATABASE
from footpath.running import STAGES, run_stages
from models.event_keys import key_events
from models.identifiers import Pseudonymiser
from sql.digest import digest
from tests.oracles.warehouse_search import places_of
from tests.spine import expectations_not_asked

KEY = "a key for tests only"
START = datetime(2025, 5, 1, tzinfo=UTC)
ANN = {"u": "login-ann-4711", "m": "Ann.Smith@example.com", "d": "phone-of-ann-77"}
BOB = {"u": "login-bob-4712", "m": "bob@example.com", "d": "phone-of-bob-78"}
TABLET = "tablet-of-both-99"
EVENTS = [  # minute, what, bearing
    (0, "visit", {"d": ANN["d"]}),
    (5, "visit", ANN),
    (10, "visit", {"u": ANN["u"], "d": TABLET}),
    (15, "buy", {"d": TABLET}),  # Ann's, by its time
    (200, "visit", {"u": BOB["u"], "d": TABLET}),
    (205, "buy", {"d": TABLET}),  # Bob's
    (900, "visit", {"d": TABLET}),  # nobody's that is known
    (1000, "visit", BOB),
    (1010, "visit", {"u": "login-eve-4713", "m": ANN["m"]}),  # Eve typed Ann's address
    (1020, "visit", {"u": "login-eve-4713"}),
    (1_000_000, "visit", {"m": ANN["m"]}),  # in the future: quarantine
]


def record(number: int) -> dict[str, Any]:
    minute, what, bearing = EVENTS[number]
    at = (START + timedelta(minutes=minute)).isoformat()
    return {"id": f"event-{number:03d}-{minute}", "t": at, "e": what, **bearing}


def deliver(folder: Path, name: str, numbers: Iterable[int]) -> None:
    (folder / "data").mkdir(exist_ok=True)
    lines = [json.dumps(record(number)) for number in numbers]
    (folder / "data" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def project(folder: Path, *paths: Path, **changes: Any) -> Config:
    document = {
        "project": "Household",
        "as_of": "2026-01-01T00:00:00Z",
        "sources": {
            "web": {
                "format": "jsonl",
                "paths": [str(path) for path in paths],
                "channel": {"const": "web"},
                "fields": {"event_id": "$.id", "event_time": "$.t", "event_type": "$.e"},
                "identifiers": {"user_id": "$.u", "email": "$.m", "anonymous_id": "$.d"},
            }
        },
        "touchpoints": [
            {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "buy"}},
            {"touchpoint": "visit", "stage": "awareness", "when": {"event_type": "visit"}},
        ],
    }
    (folder / "footpath.yml").write_text(json.dumps(document | changes), encoding="utf-8")
    return load_config(folder / "footpath.yml")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of a household's journeys, with duplicates and a decision about Ann's address."""
    folder = tmp_path_factory.mktemp("published")
    deliver(folder, "1.jsonl", range(5))
    config = project(folder, folder / "data/*")
    with expectations_not_asked():
        run_stages(config, STAGES, ())
        deliver(folder, "2.jsonl", [3, 4, *range(5, len(EVENTS)), 1])
        list(order_split(config, "email", ANN["m"], undo=False))
        list(order_split(config, "email", ANN["m"], undo=True))
        run_stages(config, STAGES, ())
    return folder


@pytest.fixture
def household(published: Path, tmp_path: Path) -> Config:
    """A copy of the warehouse to work on; the sources' files are where they were."""
    shutil.copytree(published / "warehouse", tmp_path / "warehouse", symlinks=True)
    return project(tmp_path, published / "data/*")


def ask(config: Config, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(config.warehouse / "current" / DATABASE), read_only=True) as con:
        return con.sql(sql).fetchall()


def traces(config: Config) -> tuple[set[str], set[int]]:
    """Every value that is Ann's: raw, hashed, and the ids made from them."""
    mine = {("user_id", ANN["u"]), ("anonymous_id", ANN["d"])}
    pseudonym = Pseudonymiser(KEY.encode()).digest("email", ANN["m"].lower())
    mine |= {("email", pseudonym)}
    (customer,) = {
        c
        for namespace, value in mine
        for (c,) in ask(
            config,
            f"SELECT customer_id FROM identities WHERE (namespace, value) = ('{namespace}', '{value}')",
        )
    }
    of_ann = ask(
        config,
        f"SELECT event_id, session_id, journey_id FROM touchpoints WHERE customer_id = '{customer}'",
    )
    assert len(of_ann) == 4, "three that she logged in at or carries, and one on the tablet"
    texts = {customer, pseudonym, ANN["u"], ANN["m"], ANN["d"]}
    texts |= {text for row in of_ann for text in row}
    texts |= {record(8)["id"], record(10)["id"]}
    hashes = {
        int.from_bytes(hashlib.md5(f"{n}\x1f{v}".encode()).digest()[:8], order)
        for n, v in mine
        for order in ("little", "big")
    }
    ids = [row[0] for row in of_ann] + [record(8)["id"]]
    keys = key_events(
        pa.table(
            {
                "event_id": ids,
                "event_time": pa.array([0] * len(ids), pa.timestamp("us", tz="UTC")),
                "ingest_time": pa.array([0] * len(ids), pa.timestamp("us", tz="UTC")),
                "record_hash": pa.nulls(len(ids), pa.uint64()),
            }
        ),
        "web",
    )
    return texts, hashes | set(keys["key"].to_pylist())


def erase(config: Config, namespace: str = "email", value: str = ANN["m"]) -> list[str]:
    return list(forget(config, namespace, value, sure=True))


def test_nothing_is_left_of_a_person_but_a_tombstone(household: Config):
    """No file of the warehouse holds a raw or hashed value, or an id made from one, as text or as
    number; what is left adds up, and others keep what is theirs.
    """
    texts, numbers = traces(household)
    assert len(places_of(household.warehouse, texts, numbers)) > 50, (
        "the search finds what is there"
    )
    told = erase(household)
    assert places_of(household.warehouse, texts, numbers) == []
    assert any("erased 5 events, 2 duplicates and 1 quarantined" in line for line in told), told
    (tombstone,) = (household.warehouse / "decisions/erasures.jsonl").read_text().splitlines()
    assert len(json.loads(tombstone)["identifiers"]) == 3
    assert len(json.loads(tombstone)["events"]) == 1, "the purchase on the tablet"
    list(check_project(household))
    (sums,) = ask(
        household,
        "SELECT sum(records_read), sum(events), sum(duplicates), sum(quarantined), sum(erased) "
        "FROM ingest_ledger",
    )
    assert sums == (14, 5, 1, 0, 8)
    # Bob's and the tablet's, and Eve's but for the one that bore Ann's address
    left = {event for (event,) in ask(household, "SELECT event_id FROM touchpoints")}
    assert left == {record(number)["id"] for number in (4, 5, 6, 7, 9)}
    assert [folder.name for folder in (household.warehouse / "versions").iterdir()] == ["000003"]


@pytest.mark.usefixtures("unasked")
@pytest.mark.parametrize(
    "how", ["again", *(pytest.param(h, marks=pytest.mark.engine) for h in ("refreshed", "reread"))]
)
def test_an_erased_person_does_not_come_back(
    household: Config, published: Path, tmp_path: Path, how: str
):
    """Not with a later file, not from nothing, not when a changed source is read anew; and the
    ways agree on every table.
    """
    texts, numbers = traces(household)
    erase(household)
    expected = digest(household.warehouse / "current" / DATABASE)
    config = household
    if how == "again":
        deliver(tmp_path, "3.jsonl", [1, 3, 10])
        config = project(tmp_path, published / "data/*", tmp_path / "data/*")
    elif how == "refreshed":
        decisions = (household.warehouse / "decisions/erasures.jsonl").read_bytes()
        shutil.rmtree(household.warehouse)
        (household.warehouse / "decisions").mkdir(parents=True)
        (household.warehouse / "decisions/erasures.jsonl").write_bytes(decisions)
    else:
        config = project(tmp_path, published / "data/*", min_event_time="2001-01-01T00:00:00Z")
    run_stages(config, STAGES, ())
    assert places_of(config.warehouse, texts, numbers) == []
    assert digest(config.warehouse / "current" / DATABASE) == expected
    (sums,) = ask(config, "SELECT sum(records_read), sum(events), sum(erased) FROM ingest_ledger")
    assert sums == ((17, 5, 11) if how == "again" else (14, 5, 8))


class Killed(BaseException):
    """Nothing may catch it."""


def _dying(after: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    calls: list[int] = []

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **options: Any) -> Any:
            calls.append(1)
            if len(calls) > after:
                raise Killed
            return function(*arguments, **options)

        return called

    return wrap


_KILLS = (
    ("pipelines.erase._rewrite_index", 0, "run"),
    ("contracts.lake.Lake.sweep", 1, "forget"),
)
_MORE_KILLS = (
    ("pipelines.erase.forget_decisions", 0, "forget"),
    ("contracts.lake.Lake.save_draft", 2, "run"),
    ("contracts.lake.Lake.publish", 0, "run"),
    ("footpath.running.retire", 0, "forget"),
    ("contracts.lake.Lake.sweep", 1, "run"),
    ("shutil.rmtree", 3, "run"),
    ("shutil.rmtree", 3, "forget"),
)


@pytest.mark.usefixtures("unasked")
@pytest.mark.parametrize(
    ("place", "after", "completed_by"),
    [*_KILLS, *(pytest.param(*kill, marks=pytest.mark.engine) for kill in _MORE_KILLS)],
)
def test_a_killed_erasure_is_completed(
    household: Config, monkeypatch: pytest.MonkeyPatch, place: str, after: int, completed_by: str
):
    """Wherever it was killed, saying it again, or the next run, leaves nothing of the person and
    the same tables.
    """
    texts, numbers = traces(household)
    with monkeypatch.context() as patched:
        module, _, name = place.rpartition(".")
        owner: Any = Lake if module == "contracts.lake.Lake" else __import__(module, fromlist=["_"])
        patched.setattr(owner, name, _dying(after)(getattr(owner, name)))
        with pytest.raises(Killed):
            erase(household)
    if completed_by == "forget":
        erase(household)
    else:
        run_stages(household, STAGES, ())
    assert places_of(household.warehouse, texts, numbers) == []
    assert len(list((household.warehouse / "versions").iterdir())) == 1
    list(check_project(household))
    lines = (household.warehouse / "decisions/erasures.jsonl").read_text().splitlines()
    assert len(lines) == 1, "one tombstone, however often it was said"


def test_without_yes_nothing_happens(household: Config):
    """What would go is told, and every file stays as it was."""
    before = {
        p: p.read_bytes()
        for p in household.warehouse.rglob("*")
        if p.is_file() and p.name != ".lock"
    }
    told = list(forget(household, "email", ANN["m"], sure=False))
    assert "--yes" in told[-1]
    assert "3 identifiers" in told[0]
    assert "000001, 000002" in told[2]
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.engine
def test_an_unknown_person_is_kept_out_all_the_same(
    household: Config, published: Path, tmp_path: Path
):
    """Who was never seen leaves a tombstone, and is withheld when first delivered."""
    erase(household, "email", "carol@example.com")
    line = {"id": "c1", "t": START.isoformat(), "e": "visit", "m": "Carol@example.com"}
    (tmp_path / "carol.jsonl").write_text(json.dumps(line), encoding="utf-8")
    config = project(tmp_path, published / "data/*", tmp_path / "carol.jsonl")
    run_stages(config, STAGES, ())
    assert ask(config, "SELECT sum(erased), sum(events) FROM ingest_ledger") == [(1, 10)]


def test_what_cannot_be_erased_says_why(household: Config, monkeypatch: pytest.MonkeyPatch):
    """A device of several people, a namespace nobody fills, a value that is none, no key."""
    with pytest.raises(InputError, match="used by several persons"):
        erase(household, "anonymous_id", TABLET)
    with pytest.raises(ConfigError, match="allowed: user_id, email, anonymous_id"):
        erase(household, "phone", "0171")
    with pytest.raises(InputError, match="does not look like one"):
        erase(household, "email", "ann")
    monkeypatch.setenv("FOOTPATH_KEY", "mistyped")
    with pytest.raises(ConfigError, match="not that of the published version"):
        erase(household)
    monkeypatch.delenv("FOOTPATH_KEY")
    with pytest.raises(ConfigError, match="tombstones are keyed hashes"):
        erase(household)


@pytest.mark.engine
def test_erasures_outlive_a_change_of_keys(
    household: Config, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Under a new key a run is refused until the former one is named; then the erased stay away."""
    erase(household)
    monkeypatch.setenv("FOOTPATH_KEY", "a new key")
    with pytest.raises(ConfigError, match="former_key_envs"):
        run_stages(household, STAGES, ())
    monkeypatch.setenv("FORMER_KEY", KEY)
    former = {"former_key_envs": ["FORMER_KEY"]}
    config = project(tmp_path, published / "data/*", privacy=former)
    run_stages(config, STAGES, ())
    assert ask(config, "SELECT sum(erased), sum(events) FROM ingest_ledger") == [(8, 5)]
    assert places_of(config.warehouse, [ANN["u"], ANN["m"], ANN["d"]]) == []
    owners = (
        f"SELECT DISTINCT customer_id FROM identities WHERE value IN ('{TABLET}', '{BOB['u']}')"
    )
    assert len(ask(config, owners)) == 1, "without Ann the tablet is Bob's alone, and goes with him"
    list(forget(config, "email", BOB["m"], sure=True))
    assert places_of(config.warehouse, [BOB["u"], BOB["m"], BOB["d"], TABLET]) == []
    assert ask(config, "SELECT event_id FROM events") == [(record(9)["id"],)]
    assert ask(config, "SELECT count(*) FROM touchpoints") == [(1,)]

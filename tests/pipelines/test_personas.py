"""Personas through the whole job: equal from any history, named alike from run to run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest

from contracts.config import Config
from contracts.errors import ConfigError, InputError
from contracts.loading import load_config
from footpath.running import STAGES, run_stages
from sql.digest import digest
from tests.spine import STAGES as SPINE
from tests.spine import expectations_not_asked, rows, start, table

pytestmark = pytest.mark.usefixtures("unasked")

WALKS = {
    "bargains": ("ad", "coupon", "list", "cart"),
    "readers": ("article", "search", "article", "product"),
    "visitors": ("map", "call", "store", "survey"),
}
MEMBERS = ("journey_personas", "customer_personas", "personas", "persona_features")
TOUCHPOINTS = sorted({touchpoint for walk in WALKS.values() for touchpoint in walk})


def deliver(folder: Path, name: str, kind: str, numbers: Iterable[int]) -> None:
    """Two journeys each of customers of one kind; one step in ten goes astray."""
    lines = []
    for number in numbers:
        random = np.random.default_rng([number, len(kind)])
        for journey in range(2):
            start = datetime(2025, 1, 1 + number % 20) + timedelta(days=60 * journey)
            for step in range(int(random.integers(3, 8))):
                astray = random.random() < 0.1
                event = str(random.choice(TOUCHPOINTS)) if astray else WALKS[kind][step % 4]
                lines.append(
                    {
                        "id": f"{kind}-{number}-{journey}-{step}",
                        "t": (start + timedelta(minutes=7 * step)).isoformat() + "Z",
                        "e": event,
                        "u": f"{kind}-{number}",
                    }
                )
    target = folder / "data" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")


def project(folder: Path, **personas: object) -> Config:
    source = {
        "format": "jsonl",
        "paths": "data/*",
        "channel": {"const": "web"},
        "fields": {"event_id": "$.id", "event_time": "$.t", "event_type": "$.e"},
        "identifiers": {"user_id": "$.u"},
    }
    rules = [
        {"touchpoint": name, "stage": "awareness", "when": {"event_type": name}}
        for name in TOUCHPOINTS
    ]
    document = {
        "project": "Test",
        "as_of": "2026-01-01T00:00:00Z",
        "sources": {"web": source},
        "touchpoints": rules,
        "journey": {"conversion": "cart"},
        "personas": personas,
    }
    path = folder / "footpath.yml"
    path.write_text(json.dumps(document), encoding="utf-8")
    return load_config(path)


def ask(config: Config, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(config.warehouse / "current" / "footpath.duckdb", read_only=True) as con:
        return con.sql(sql).fetchall()


def kinds(config: Config) -> dict[str, str]:
    """The persona that stands for each kind of customer."""
    rows = ask(
        config,
        "SELECT split_part(value, '-', 1), mode(persona_id) FROM customer_personas "
        "JOIN identities USING (customer_id) WHERE persona_id <> 'undetermined' GROUP BY 1",
    )
    return {str(kind): str(persona) for kind, persona in rows}


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Config, dict[str, str]]:
    """A project run once over everything; one run in two deliveries; its personas in between."""
    folders = [tmp_path_factory.mktemp(name) for name in ("once", "twice")]
    profile = "customer,age\n" + "".join(
        f"{kind}-{n},{'old' if kind == 'readers' else 'young'}\n"
        for kind in WALKS
        for n in range(90)
    )
    asked = {"paths": "profile.csv", "identifiers": {"user_id": "customer"}, "columns": ["age"]}
    for folder in folders:
        (folder / "profile.csv").write_text(profile, encoding="utf-8")
        deliver(folder, "1.jsonl", "bargains", range(80))
        deliver(folder, "2.jsonl", "readers", range(60))
    twice = project(folders[1], profile=asked)
    with expectations_not_asked():
        run_stages(twice, STAGES, ())
    between = kinds(twice)
    for folder in folders:
        deliver(folder, "3.jsonl", "readers", range(60, 190))
        deliver(folder, "4.jsonl", "visitors", range(110))
    once = project(folders[0], profile=asked)
    with expectations_not_asked():
        run_stages(once, STAGES, ())
        run_stages(twice, STAGES, ())
    return once, twice, between


def test_ids_stay_and_new_personas_get_new_ones(histories):
    """Who was the largest is p1 for ever; a run from nothing numbers them by their size now."""
    once, twice, between = histories
    assert between == {"bargains": "p1", "readers": "p2"}
    assert kinds(twice) == {"bargains": "p1", "readers": "p2", "visitors": "p3"}
    assert kinds(once) == {"readers": "p1", "visitors": "p2", "bargains": "p3"}
    places = "SELECT persona_id, place FROM personas ORDER BY place"
    assert ask(twice, places) == [("p2", 1), ("p3", 2), ("p1", 3)]


def test_histories_have_equal_digests_though_ids_differ(histories):
    """What personas are called is bookkeeping; what they are is not."""
    once, twice, _ = histories
    one, other = (digest(c.warehouse / "current" / "footpath.duckdb") for c in (once, twice))
    assert {name for name in one if one[name] != other[name]} == set()
    assert {"personas", "persona_features", "journey_personas", "customer_personas"} <= set(one)
    assert not {"persona_models", "persona_changes"} & set(one)


def test_changes_and_models_are_kept(histories):
    """Births are told by the run that saw them; the newest model is kept whole."""
    _, twice, _ = histories
    born = "SELECT persona_id FROM persona_changes WHERE change = 'born' ORDER BY run_id, 1"
    assert ask(twice, born) == [("p1",), ("p2",), ("p3",)]
    fits = ask(twice, "SELECT personas, model IS NULL FROM persona_models ORDER BY fit_id")
    assert fits == [(2, True), (3, False)]


def test_without_news_nothing_is_done(histories):
    """The ledger is no reason to run again."""
    run = run_stages(histories[1], STAGES, ())
    assert {entry["stage"] for entry in run.log if not entry["skipped"]} <= {"ingest"}


def test_attributes_that_differ_are_told_and_never_clustered_by(histories):
    """Readers are old; the others are not."""
    (row,) = ask(
        histories[1],
        "SELECT value, value_others, sentence FROM persona_features "
        "WHERE persona_id = 'p2' AND kind = 'attribute' AND feature = 'age old'",
    )
    assert row == (
        1.0,
        0.0,
        "100% of those of whom it is known have age old, against 0% of others.",
    )
    assert "age old" in str(ask(histories[1], "SELECT portrait FROM personas WHERE place = 1"))


def test_mistakes_in_a_profile_are_told(tmp_path):
    """A namespace that names nobody, a number without its method, a file or column that is not there."""
    deliver(tmp_path, "1.jsonl", "readers", range(3))
    asked = {"paths": "none.csv", "identifiers": {"user_id": "id"}, "columns": ["age"]}
    with pytest.raises(ConfigError, match=r"personas\.profile\.identifiers\.mail"):
        project(tmp_path, profile={**asked, "identifiers": {"mail": "id"}})
    with pytest.raises(ConfigError, match="n_personas goes with"):
        project(tmp_path, n_personas=3)
    with pytest.raises(InputError, match=r"none\.csv matches no file"):
        run_stages(project(tmp_path, profile=asked), STAGES, ())
    (tmp_path / "none.csv").write_text("id,city\n1,Rome\n")
    with pytest.raises(InputError, match="has no column age; it has id, city"):
        run_stages(project(tmp_path, profile=asked), STAGES, ())


def test_customers_to_whom_nothing_happened_keep_their_personas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Going on with a fit, only customers with news are assigned; the tables are those of assigning all."""
    stages = (*SPINE, "personas")
    config = project(tmp_path, refit_after="90d").model_copy(update={"as_of": None})
    for kind in WALKS:
        deliver(tmp_path, f"{kind}.jsonl", kind, range(60))
    first = start(config, stages=stages)
    first.lake.publish(first.draft)
    deliver(tmp_path, "more.jsonl", "readers", range(58, 66))
    late = {"id": "late", "t": "2025-04-20T00:00:00Z", "e": "map", "u": "bargains-7"}
    (tmp_path / "data" / "late.jsonl").write_text(json.dumps(late) + "\n", encoding="utf-8")
    outcomes = []
    for goes_on in (True, False):
        if not goes_on:
            monkeypatch.setattr("pipelines.personas.goes_on_from_base", lambda *_: False)
        first.lake.discard_draft()
        run = start(config, stages=stages)
        outcomes.append({name: rows(run, name) for name in MEMBERS})
        models = table(run, "persona_models").to_pylist()
        assert [model["fit_id"] for model in models] == [first.run_id], "it was fitted anew"
    assert outcomes[0] == outcomes[1]
    assert len({row[2] for row in outcomes[0]["journey_personas"][1:]}) > 2

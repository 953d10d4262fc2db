"""Versions appear whole or not at all, and no file that a kept version names is ever swept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.errors import NewerWarehouse
from contracts.lake import (
    LAYOUT,
    DataFile,
    Lake,
    Manifest,
    StageRecord,
    digest_of,
    write_atomically,
)


def manifest(*names: str) -> Manifest:
    files = [
        DataFile(
            f"tables/events/{n}.parquet",
            1,
            {"source": "web"},
            {"links": f"tables/links/{n}.parquet"},
        )
        for n in names
    ]
    return Manifest(
        tables={"events": files}, stages={"ingest": StageRecord("f", {"rows": len(names)})}
    )


def lay(lake: Lake, *names: str) -> None:
    for name in names:
        for folder in ("events", "links"):
            path = lake.root / "tables" / folder / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)


def test_a_manifest_survives_its_text():
    """What is written is what is read, and a copy is independent."""
    original = manifest("a", "b")
    copy = original.copy()
    assert copy == original
    copy.tables["events"].pop()
    assert len(original.tables["events"]) == 2
    assert original.names("events", "none") == [
        "tables/events/a.parquet",
        "tables/events/b.parquet",
    ]


def test_before_the_first_publication_there_is_an_empty_version(tmp_path: Path):
    """A fresh warehouse has no tables and no error."""
    lake = Lake(tmp_path)
    assert lake.published() == lake.draft() == Manifest()


def test_publication_switches_and_the_draft_is_gone(tmp_path: Path):
    """Readers follow one name; the next draft starts from what they see."""
    lake = Lake(tmp_path)
    first = lake.publish(manifest("a"))
    assert (lake.current.resolve(), lake.published().version) == (first.resolve(), 1)
    assert lake.draft() == lake.published()
    lake.save_draft(_with(lake.draft(), "b"))
    assert lake.published().names("events") == ["tables/events/a.parquet"]
    assert lake.draft().names("events") == ["tables/events/a.parquet", "tables/events/b.parquet"]
    lake.publish(lake.draft())
    assert lake.published().version == 2


def _with(draft: Manifest, name: str) -> Manifest:
    draft.tables["events"] += manifest(name).tables["events"]
    return draft


@pytest.mark.parametrize("step", ["save_draft", "rename", "symlink_to", "replace"])
def test_killed_while_publishing_readers_keep_the_old_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
):
    """Whichever step is the last that runs, the old version stays and the next publication
    succeeds.
    """
    lake = Lake(tmp_path)
    lake.publish(manifest("a"))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    draft = _with(lake.draft(), "b")
    lake.save_draft(draft)
    with monkeypatch.context() as patched:
        patched.setattr(*((lake, step) if step == "save_draft" else (Path, step)), killed)
        with pytest.raises(KeyboardInterrupt):
            lake.publish(draft)
    assert lake.published().names("events") == ["tables/events/a.parquet"]
    lake.publish(_with(lake.published(), "c"))
    assert lake.published().names("events") == [
        "tables/events/a.parquet",
        "tables/events/c.parquet",
    ]
    assert lake.draft() == lake.published()


def test_a_draft_of_an_older_version_is_not_taken_up(tmp_path: Path):
    """A draft counts only against the version it was begun from."""
    lake = Lake(tmp_path)
    lake.publish(manifest("a"))
    stale = manifest("old")
    lake.save_draft(stale)
    assert lake.draft().names("events") == ["tables/events/a.parquet"]
    lake.discard_draft()
    lake.discard_draft()
    assert not lake.draft_folder.exists()


def test_only_what_no_kept_version_names_is_swept(tmp_path: Path):
    """Links belong to their file of events; scratch goes altogether."""
    lake = Lake(tmp_path)
    lay(lake, "a", "b", "c")
    lake.scratch("ingest")
    assert lake.sweep([manifest("a"), manifest("b")]) == 2
    left = sorted(path.stem for path in (tmp_path / "tables").rglob("*.parquet"))
    assert left == ["a", "a", "b", "b"]
    assert not (tmp_path / "scratch").exists()


def test_a_warehouse_may_be_moved(tmp_path: Path):
    """No absolute path is kept anywhere."""
    (tmp_path / "one").mkdir()
    Lake(tmp_path / "one").publish(manifest("a"))
    (tmp_path / "one").rename(tmp_path / "two")
    moved = Lake(tmp_path / "two")
    assert moved.published().version == 1
    assert moved.paths(moved.published(), "events") == [tmp_path / "two/tables/events/a.parquet"]


def test_a_failed_write_leaves_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The name always shows a whole file."""
    path = tmp_path / "m.json"
    write_atomically(path, "old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"


def test_a_newer_layout_is_refused_and_an_unnamed_one_is_the_first():
    """Nothing of a warehouse that a newer footpath wrote is guessed at."""
    document = json.loads(manifest("a").to_json())
    assert document.pop("layout") == LAYOUT
    assert Manifest.from_json(json.dumps(document)) == manifest("a")
    with pytest.raises(NewerWarehouse, match=f"has layout {LAYOUT + 1}, .* up to {LAYOUT}: "):
        Manifest.from_json(json.dumps({**document, "layout": LAYOUT + 1}))


def test_digests_depend_on_values_and_not_on_the_order_of_keys():
    """A fingerprint is of what is said, not of how it is written down."""
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}) != digest_of({"a": 2, "b": 1})
    assert digest_of("ab", "c") != digest_of("a", "bc")

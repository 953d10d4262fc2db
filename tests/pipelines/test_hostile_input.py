"""Input that means harm, or is broken: every record is an event or a dead letter with its reason.

The same at full size (a line of a gigabyte, a bomb of gigabytes) is `benchmarks/hostile.py`.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from contracts.config import Config
from contracts.errors import InputError
from contracts.loading import load_config
from pipelines.job import Run
from tests.pipelines.test_increments import BASE, event, project
from tests.spine import ledger_sums, publish, start, table
from tests.transforms.test_read_records import planned
from transforms.limits import Limits
from transforms.plan_files import list_files
from transforms.read_records import read_slice

GOOD = json.dumps(event(1)).encode()
CSV: dict[str, Any] = {
    "format": "csv",
    "fields": {"event_id": "id", "event_time": "t", "event_type": "e"},
    "identifiers": {"user_id": "u"},
}
HEADER = b"id,t,e,u\n"


def row(number: int) -> bytes:
    return b"e%d,2025-05-01,a,u1\n" % number


def put(folder: Path, name: str, content: bytes) -> None:
    path = folder / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def ingest(config: Config, **lake: int) -> Run:
    config = config.model_copy(update={"lake": config.lake.model_copy(update=lake)})
    run = start(config, stages=("ingest",))
    ledger_sums(run)
    return run


def outcome(run: Run, file: str = "") -> dict[str, int]:
    """How many events there are, and dead letters of each reason; of one file, if it is named."""
    ids = {
        Path(row["path"]).name: row["file_id"] for row in table(run, "ingest_ledger").to_pylist()
    }
    events, dead = table(run, "events"), table(run, "dead_letters")
    if file:
        events, dead = (
            t.filter(pc.equal(t["file_id"], ids[file])) if len(t) else t for t in (events, dead)
        )
    reasons = dead["reason"].value_counts().to_pylist() if len(dead) else []
    return {row["values"]: row["counts"] for row in reasons} | {"events": len(events)}


def good(number: int) -> bytes:
    return json.dumps(event(number)).encode()


NUL = good(91).replace(b"e91", b"e\\u0000")
DEEP = b'{"id":"e100","t":"2025-05-01","e":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
LINES: dict[str, tuple[bytes, dict[str, int]]] = {
    "long": (b'{"id": "' + b"x" * (2 << 20) + b'"}\n' + good(1), {"record_too_large": 1, "events": 1}),
    "brackets": (good(2) + b"\n" + b"[" * 200_000, {"unreadable_json": 1, "events": 1}),
    "deep": (good(3) + b"\n" + b'{"a":' * 100_000 + b"1" + b"}" * 100_000, {"missing_event_time": 1, "events": 1}),
    "deep value": (good(4) + b"\n" + DEEP, {"events": 2}),
    "mark": (b"\xef\xbb\xbf" + good(5), {"events": 1}),
    "utf-16": (good(6).decode().encode("utf-16"), {"invalid_utf8": 1, "events": 0}),
    "utf-16 unmarked": ((good(7).decode() + "\n").encode("utf-16-le"), {"unreadable_json": 2, "events": 0}),
    "not utf-8": (good(8) + b"\n" + good(80).replace(b"e80", b"e\xc3("), {"invalid_utf8": 1, "events": 1}),
    "NUL": (good(9) + b"\n\0" + good(90) + b"\n" + NUL, {"unreadable_json": 1, "events": 2}),
    "short lines": (b"{}\n" * 600_000 + good(10), {"missing_event_time": 600_000, "events": 1}),
}  # fmt: skip


def test_lines_of_json(tmp_path: Path):
    """What can't be read is one dead letter a line, and the good line beside it is an event."""
    for name, (content, _) in LINES.items():
        put(tmp_path, f"web/{name}.jsonl", content)
    run = ingest(project(tmp_path, web={}), max_record_mb=1)
    for name, (_, reasons) in LINES.items():
        assert outcome(run, f"{name}.jsonl") == reasons, name


LONG = b"x\n" * (1 << 20)
ROWS: dict[str, tuple[bytes, dict[str, int]]] = {
    "open": (HEADER + row(1) + b'x,2025-05-01,"a,u1\n' + row(11) * 3, {"broken_quotes": 1, "events": 1}),
    "endless": (HEADER + row(2) + b'x,"' + LONG, {"record_too_large": 1, "events": 1}),
    "long": (HEADER + b'"' + LONG + b'",2025-05-01,a,u1\n' + row(3), {"record_too_large": 1, "events": 1}),
    "wide": (b"," * 3_000 + b"\n" + row(4), {"too_many_columns": 1, "events": 0}),
    "NUL": (HEADER + b"e5,2025-05-01,\0,u1\n" + row(50), {"events": 2}),
    "utf-16": ((HEADER + row(6)).decode().encode("utf-16"), {"bad_event_time": 1, "wrong_field_count": 1, "events": 0}),
}  # fmt: skip


def test_rows_of_csv(tmp_path: Path):
    """A quote that nothing closes, or that closes too late, takes what is within it and no more."""
    for name, (content, _) in ROWS.items():
        put(tmp_path, f"web/{name}.csv", content)
    run = ingest(project(tmp_path, web=CSV), max_record_mb=1)
    for name, (_, reasons) in ROWS.items():
        assert outcome(run, f"{name}.csv") == reasons, name


def test_a_bomb_is_not_unpacked(tmp_path: Path):
    """Reading stops at the limit, which the message names; what came before is kept, and a dense small file is fine."""
    put(tmp_path, "web/bomb.jsonl.gz", gzip.compress(GOOD + b"\n" + b"x" * (80 << 20), 1))
    put(
        tmp_path,
        "web/small.jsonl.gz",
        gzip.compress(GOOD.replace(b"e1", b"e2") + b"\n" * (1 << 20)),
    )
    run = ingest(project(tmp_path, web={}), max_expansion=2)
    assert outcome(run) == {"expands_too_much": 1, "events": 2}
    (message,) = table(run, "dead_letters")["message"].to_pylist()
    assert "raise lake.max_expansion" in message


def test_a_document_that_is_too_large_is_not_parsed(tmp_path: Path):
    """Neither as it is nor unpacked: one dead letter names the limit."""
    document = b"[" + b",".join([GOOD] * 20_000) + b"]"
    put(tmp_path, "web/a.json", document)
    put(tmp_path, "web/b.json.gz", gzip.compress(document + b" "))
    run = ingest(project(tmp_path, web={"format": "json"}), max_document_mb=1)
    assert outcome(run) == {"document_too_large": 2, "events": 0}
    assert {"raise lake.max_document_mb"} == {
        text.split("; ")[1].removesuffix(" or have it delivered in parts")
        for text in table(run, "dead_letters")["message"].to_pylist()
    }


def test_parquet_that_is_none_and_parquet_that_is_too_much(tmp_path: Path):
    """A file without its end, one whose row group unpacks to more than allowed, one with too many columns."""
    folder = tmp_path / "data/web"
    folder.mkdir(parents=True)
    rows = {"id": ["e1"], "t": ["2025-05-01"], "e": ["a"], "u": ["u1"]}
    pq.write_table(pa.table(rows), folder / "good.parquet")
    content = (folder / "good.parquet").read_bytes()
    (folder / "broken.parquet").write_bytes(content[:-20])
    (folder / "garbage.parquet").write_bytes(content[:60] + b"\xff" * 60 + content[120:])
    many = {name: values * 300_000 for name, values in rows.items()} | {"x": ["y" * 9] * 300_000}
    pq.write_table(pa.table(many), folder / "large.parquet", use_dictionary=False)
    pq.write_table(pa.table({f"c{n}": [1] for n in range(30)}), folder / "wide.parquet")
    limits = {"max_document_mb": 1, "max_columns": 20}
    run = ingest(project(tmp_path, web=CSV | {"format": "parquet"}), **limits)
    assert outcome(run) == {
        "unreadable_file": 2, "document_too_large": 1, "too_many_columns": 1, "events": 1,
    }  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
@pytest.mark.parametrize("packed", [False, True])
def test_records_over_the_limit_are_judged_alike_however_the_file_is_cut(
    tmp_path: Path, size: int, packed: bool
):
    """Passed over in a stream or found in a block, as lines or as quoted fields: the same records, the same lines."""
    long = b"x" * 100
    for name, text, changes in (
        ("a.jsonl", b'{"a":1}\n' + long + b'\n\n{"a":2}\n' + long, {}),
        ("a.csv", b'x,y\n1,"' + b"a\n" * 60 + b'"\n2,3\n4,"' + b"b\n" * 60, CSV),
    ):
        path = tmp_path / (name + ".gz" * packed)
        path.write_bytes(gzip.compress(text) if packed else text)
        config = project(tmp_path, web={**changes, "paths": str(path)})
        found: list[Any] = []
        for piece in planned(
            path, config.model_copy(update={"sources": {"s": config.sources["web"]}}), size
        ).slices:
            for batch in read_slice(piece, config.sources["web"], Limits(slice=size, record=50)):
                found += batch.table["@position"].to_pylist()
                found += [(u.position, u.reason) for u in batch.unreadable]
        expected = [1, 4, (2, "record_too_large"), (5, "record_too_large")]
        if name == "a.csv":
            expected = [63, (2, "record_too_large"), (64, "record_too_large")]
        assert sorted(found, key=str) == sorted(expected, key=str)


def test_texts_that_are_code_elsewhere_are_texts_here(tmp_path: Path):
    """SQL, HTML, formulas and paths in every field and in every value of the configuration that may be any text."""
    evil = "'; DROP TABLE events; -- \" <script>alert(1)</script> =cmd|' /c calc'!A0 {$.t} ../../etc/passwd %s"
    record = dict.fromkeys(("id", "e", "u", "page", "a"), evil) | {"t": "2025-05-01", "c": "EUR"}
    put(tmp_path, "web/a.jsonl", json.dumps(record).encode() + b"\n" + GOOD)
    fields = {
        **BASE["fields"],
        "page": "$.page",
        "currency": {"lookup": {"const": evil}, "map": {evil: evil}},
    }
    source = {
        "description": evil,
        "fields": fields,
        "identifiers": {"user_id": {"coalesce": ["$.u", {"const": evil}]}},
        "attributes": {"a": "$.a", "b": {"const": evil}, "c": f'$."{evil.replace(chr(34), "")}"'},
        "channel": {"const": evil},
        "consent": {"field": {"const": evil}, "granted": [evil], "withdrawn": ["no"], "purpose": {"const": evil}},
    }  # fmt: skip
    document = json.loads(
        (project(tmp_path, web=source).warehouse.parent / "footpath.yml").read_text()
    )
    document |= {
        "project": evil,
        "privacy": {"purpose": evil, "patterns": {"word": "'; DROP"}},
        "identity": {"null_like": ["", evil + "x"], "blocked": {"user_id": [evil + "y"]}},
    }
    document["touchpoints"].insert(
        0, {"touchpoint": "evil", "stage": "awareness", "when": {"channel": evil}}
    )
    (tmp_path / "footpath.yml").write_text(json.dumps(document), encoding="utf-8")
    run = start(load_config(tmp_path / "footpath.yml"))
    found = {row["event_id"]: row for row in table(run, "events").to_pylist()}
    assert set(found) == {evil, "e1"}
    assert {found[evil][name] for name in ("event_type", "id_user_id", "a", "b", "currency")} == {
        evil
    }
    assert {row["touchpoint"] for row in table(run, "touchpoints").to_pylist()} == {"evil"}


def test_paths_that_must_not_be_read_are_refused_by_name(tmp_path: Path):
    """A pipe would be waited for, a device never ends, the warehouse is no source: all are told at once."""
    put(tmp_path, "web/a.jsonl", GOOD)
    os.mkfifo(tmp_path / "data/web/pipe")
    (tmp_path / "data/web/folder").mkdir()
    (tmp_path / "data/web" / os.fsdecode(b"\xff.jsonl")).write_bytes(GOOD)
    (tmp_path / "warehouse").mkdir()
    (tmp_path / "warehouse/run.json").write_text("{}")
    paths = ["data/web/*", "data/web/folder", "/dev/zero", "data/../warehouse/*"]
    with pytest.raises(InputError) as told:
        list_files(project(tmp_path, web={"paths": paths}))
    lines = str(told.value).splitlines()
    assert len(lines) == 5
    for part in (
        "pipe', which is no file",
        "no UTF-8",
        "folder', which is",
        "/dev/zero', which",
        "of the warehouse",
    ):
        assert sum(part in line for line in lines) == 1, part
    odd = "data/web/a\n[1].jsonl"
    (tmp_path / odd).write_bytes(GOOD)
    assert [
        file.path for file in list_files(project(tmp_path, web={"paths": "data/web/a*"}))
    ] == sorted(str(tmp_path / name) for name in ("data/web/a.jsonl", odd))


def test_a_limit_that_is_raised_reads_what_was_over_it(tmp_path: Path):
    """The message says to raise it; the next run does the rest."""
    put(
        tmp_path,
        "web/a.jsonl",
        good(1) + b"\n" + good(2).replace(b'"a"', b'"' + b"x" * (1 << 20) + b'"'),
    )
    assert outcome(ingest(project(tmp_path, web={}), max_record_mb=1)) == {
        "record_too_large": 1,
        "events": 1,
    }
    config = project(tmp_path, web={})
    publish(config.model_copy(update={"lake": config.lake.model_copy(update={"max_record_mb": 1})}))
    assert outcome(ingest(config)) == {"events": 2}


def test_a_long_field_is_read_beside_a_broken_row(tmp_path: Path):
    """Whether a record is readable depends on the record, not on its neighbours."""
    put(tmp_path, "web/a.csv", HEADER + b"e1,2025-05-01," + b"x" * 200_000 + b",u1\n1,2\n")
    put(tmp_path, "web/b.csv", b'"' + b"x" * 200_000 + b'",t,e,u\n' + row(2))
    found = outcome(ingest(project(tmp_path, web=CSV)))
    assert found == {"wrong_field_count": 1, "events": 2}

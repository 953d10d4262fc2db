"""Files cut anywhere give the records of the whole file, each with its line, and nothing is
dropped.
"""

from __future__ import annotations

import csv
import gzip
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.config import Config
from contracts.errors import InputError
from transforms.limits import Limits
from transforms.plan_files import PlannedFile, Slice, SourceFile, list_files, plan_file
from transforms.read_records import RawBatch, read_slice

Found = list[tuple[int, Any]]
WHOLE = 1 << 30


def config(path: Path, **changes: Any) -> Config:
    source = {
        "paths": str(path), "format": "jsonl", "channel": {"const": "c"},
        "fields": {"event_time": "$.t", "event_type": "$.e"}, "identifiers": {"user_id": "$.u"},
    }  # fmt: skip
    rules = [{"touchpoint": "x", "stage": "awareness", "when": {"source": "s"}}]
    return Config.model_validate(
        {"project": "t", "sources": {"s": source | changes}, "touchpoints": rules}
    )


def planned(path: Path, project: Config, size: int = WHOLE) -> PlannedFile:
    """The file's plan, cut at the first record end of every `size` bytes."""
    if size < WHOLE:
        project = project.model_copy(
            update={"lake": project.lake.model_copy(update={"slice_mb": 0})}
        )
    file = SourceFile("s", str(path), path.stat().st_size, datetime(2025, 1, 1, tzinfo=UTC))
    with patch("transforms.plan_files._BLOCK", size):
        return plan_file(file, project)


def few_at_once(piece: Slice, project: Config, limits: Limits) -> list[RawBatch]:
    """A slice whose blocks are cut after every third record, as they are where there are very many."""
    with patch("transforms.blocks._MOST_RECORDS", 3):
        return list(read_slice(piece, project.sources["s"], limits))


def read(
    path: Path, size: int = WHOLE, max_record: int = 1 << 20, **changes: Any
) -> tuple[Found, Found]:
    """Records (line, values) and unreadable ones (line, reason) of a file, however it is cut."""
    project = config(path, **changes)
    records: Found = []
    unreadable: Found = []
    for piece in planned(path, project, size).slices:
        limits = Limits(min(size, 1 << 20), max_record)
        for batch in few_at_once(piece, project, limits):
            batch.table.validate(full=True)
            for row in batch.table.to_pylist():
                position = row.pop("@position")
                records.append(
                    (position, next(iter(row.values())) if list(row) == ["record"] else row)
                )
            unreadable += [(u.position, u.reason) for u in batch.unreadable]
            assert batch.records == len(batch.table) + len(batch.unreadable)
    return records, sorted(unreadable)


@pytest.fixture(scope="module")
def spot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for files that one example of a property writes and the next overwrites."""
    return tmp_path_factory.mktemp("spot")


def test_json_lines_keep_their_line_numbers(tmp_path: Path):
    """Blank lines are no records but count as lines; a last line needs no line end."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a":1}\n\n  \r\n{"a":2}\r\n{"a":3}')
    records, _ = read(path)
    assert [(n, text.strip()) for n, text in records] == [
        (1, '{"a":1}'),
        (4, '{"a":2}'),
        (5, '{"a":3}'),
    ]


def test_what_cannot_be_read_is_set_aside_with_its_line(tmp_path: Path):
    """Bytes that are no UTF-8 and records over the limit spoil no neighbour."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":"\xff\xfe"}\n{"a":"\xc3\xa4"}\n{"a":"' + b"x" * 100 + b'"}\n')
    records, unreadable = read(path, max_record=50)
    assert [n for n, _ in records] == [1, 3]
    assert unreadable == [(2, "invalid_utf8"), (4, "record_too_large")]


LINE = st.binary(max_size=6) | st.sampled_from(
    [b'{"a":1}', b"", b" ", b"\r", b"\xff", b"\xc3\xa4", b"\xc3", b'"']
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINE, max_size=12).map(b"\n".join), st.integers(1, 24), st.booleans())
def test_any_bytes_cut_anywhere_give_the_same_lines(
    spot: Path, content: bytes, size: int, compressed: bool
):
    """Slices of any size, and a compressed file read in blocks of any size, hold the lines that
    one slice holds: each line once, with its number.
    """
    path = spot / ("a.jsonl.gz" if compressed else "a.jsonl")
    path.write_bytes(gzip.compress(content, 1) if compressed else content)
    whole = read(path)
    assert read(path, size) == whole
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    numbered = {
        number for number, line in enumerate(lines, start=1) if line.strip(b" \t\r\x0b\x0c")
    }
    assert {n for n, _ in [*whole[0], *whole[1]]} == numbered


FIELD = st.text(alphabet=st.sampled_from('ab ,"\n\r\tä'), max_size=5)
ROWS = st.lists(st.lists(FIELD, min_size=2, max_size=2), max_size=8)
CSV: dict[str, Any] = {
    "format": "csv", "channel": "c",
    "fields": {"event_time": "x", "event_type": "y"}, "identifiers": {"user_id": "x"},
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(ROWS, st.integers(1, 24), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_csv_with_quoted_line_ends_cut_anywhere_is_what_was_written(
    spot: Path, rows: list[list[str]], size: int, end: str, compressed: bool
):
    """Fields come back as they were written, whatever they hold, with the line their record
    begins at.
    """
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=end)
    writer.writerow(["x", "y"])
    expected = []
    for row in rows:
        expected.append((text.getvalue().count("\n") + 1, {"x": row[0], "y": row[1]}))
        writer.writerow(row)
    path = spot / ("a.csv.gz" if compressed else "a.csv")
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content, 1) if compressed else content)
    assert read(path, size, **CSV) == (expected, [])


BROKEN = st.lists(
    st.sampled_from(
        [
            b"a,b",
            b'"a"b,c',
            b'"a"b"c",d',
            b'a"b",c',
            b"a",
            b"a,b,c",
            b"",
            b"\xff,b",
            b"\xff",
            b'"a\nb",c',
            b"a\rb,c",
            b" ",
        ]
    ),
    max_size=8,
)
TAIL = st.sampled_from([b"", b'\na,"b', b'\n"a,b'])


@settings(max_examples=200, deadline=None)
@given(BROKEN.map(b"\n".join), TAIL, st.integers(1, 16))
@example(b'"a"b,c\na', b"", 1)
@example(b"a,b", b'\na,"b', 1)
def test_broken_csv_is_judged_alike_however_it_is_cut(
    spot: Path, content: bytes, tail: bytes, size: int
):
    """Whether a record is readable depends on the record, not on what else its slice holds."""
    path = spot / "broken.csv"
    path.write_bytes(b"x,y\n" + content + tail)
    assert read(path, size, **CSV) == read(path, **CSV)


def test_a_tsv_without_quoting_takes_quotes_as_they_are(tmp_path: Path):
    """Rows of empty fields are rows; the declared columns replace the header."""
    path = tmp_path / "a.tsv"
    path.write_bytes(b'"a\tb\n\t\n\nc\t"d"\n')
    changes = CSV | {"format": "tsv", "quoting": False, "columns": ["x", "y"]}
    expected = [(1, {"x": '"a', "y": "b"}), (2, {"x": "", "y": ""}), (4, {"x": "c", "y": '"d"'})]
    assert read(path, **changes) == (expected, [])
    assert read(path, 3, **changes) == (expected, [])


def test_rows_with_the_wrong_number_of_fields_are_set_aside(tmp_path: Path):
    """Each with its line; the others are read."""
    path = tmp_path / "a.csv"
    path.write_bytes(b'x,y\n1,2\n3\n4,5,6\n"7\n8",9\n')
    records, unreadable = read(path, **CSV)
    assert [(n, row["x"]) for n, row in records] == [(2, "1"), (5, "7\n8")]
    assert unreadable == [(3, "wrong_field_count"), (4, "wrong_field_count")]


def test_batches_of_records_are_taken_apart(tmp_path: Path):
    """A document without the declared path is a record itself; an empty batch holds none."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"r":[{"a":1},{"a":2}]}\n{"a":3}\n{"r":[]}\n{"r":{"a":4}}\n[oops\n')
    project = config(path, records="$.r[*]")
    (piece,) = planned(path, project).slices
    (batch,) = read_slice(piece, project.sources["s"], Limits(99, 99))
    assert batch.table.to_pylist() == [
        {"@position": 1, "@place": 1, "record": '{"a":1}'},
        {"@position": 1, "@place": 2, "record": '{"a":2}'},
        {"@position": 2, "@place": 1, "record": '{"a":3}\n'},
        {"@position": 4, "@place": 1, "record": '{"r":{"a":4}}\n'},
        {"@position": 5, "@place": 1, "record": "[oops\n"},
    ]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_json_document_is_an_array_of_records(tmp_path: Path, compressed: bool):
    """A byte order mark is no part of it."""
    path = tmp_path / ("a.json.gz" if compressed else "a.json")
    content = b'\xef\xbb\xbf[{"a":1},\n{"a":2}]'
    path.write_bytes(gzip.compress(content) if compressed else content)
    project = config(path, format="json")
    (piece,) = planned(path, project).slices
    (batch,) = read_slice(piece, project.sources["s"], Limits(99, 99))
    assert batch.table["record"].to_pylist() == ['{"a":1}', '{"a":2}']


def test_zstd_is_read_like_plain_lines(tmp_path: Path):
    """The ending tells the compression; lines keep their numbers."""
    path = tmp_path / "a.jsonl.zst"
    with pa.output_stream(path, compression="zstd") as stream:
        stream.write(b'{"a":1}\n\n{"a":2}\n')
    (piece,) = planned(path, project := config(path)).slices
    (batch,) = read_slice(piece, project.sources["s"], Limits(99, 99))
    assert batch.table["@position"].to_pylist() == [1, 3]


def test_parquet_is_read_by_row_group_as_text(tmp_path: Path):
    """Every scalar column becomes text as SQL would write it."""
    path = tmp_path / "a.parquet"
    moment = datetime(2025, 1, 1, 12, tzinfo=UTC)
    table = pa.table(
        {
            "n": [1, 2, None],
            "t": pa.array([moment] * 3, pa.timestamp("us", "UTC")),
            "l": [[1], [], None],
        }
    )
    pq.write_table(table, path, row_group_size=2)
    records, _ = read(path, **CSV | {"format": "parquet"})
    assert [(n, row["n"]) for n, row in records] == [(1, "1"), (2, "2"), (3, None)]
    assert records[0][1]["t"].startswith("2025-01-01 12:00:00")
    assert "l" not in records[0][1]


def test_a_file_that_ends_in_the_middle_is_read_so_far_and_told(tmp_path: Path):
    """A truncated gzip file gives what it holds and one dead letter, not a crash."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n' * 50_000)[:-20])
    _, unreadable = read(path)
    assert [reason for _, reason in unreadable] == ["unreadable_file"]


def test_a_pattern_without_files_is_an_error_with_its_place(tmp_path: Path):
    """All of them in one go."""
    with pytest.raises(InputError, match=r"sources\.s\.paths"):
        list_files(config(tmp_path / "*.jsonl"))


def test_the_same_content_has_the_same_id_and_slices_tile_the_file(tmp_path: Path):
    """A file's id is its content's; slices neither overlap nor leave anything out."""
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    for path in (one, two):
        path.write_bytes(b"{}\n" * 100)
    plans = [planned(path, config(path), size) for path, size in ((one, 7), (two, WHOLE))]
    assert plans[0].file_id == plans[1].file_id
    ends = [piece.end for piece in plans[0].slices]
    assert [piece.start for piece in plans[0].slices] == [0, *ends[:-1]]
    assert (len(ends) > 10, ends[-1]) == (True, 300)


@pytest.mark.parametrize(
    "header",
    ["id,,at,", "id,at,at,AT", "@position,id,at,@place", "\ufeffid,at\0,x,y", "", '"", " ",,', "column 2,,a,b"],
)  # fmt: skip
def test_any_header_gives_columns_that_can_be_told_apart(tmp_path: Path, header: str):
    """Empty, repeated and reserved names become numbers; no header stops the file from being read."""
    file = tmp_path / "a.csv"
    file.write_text(f"{header}\n1,2,3,4\n", encoding="utf-8")
    project = config(file, format="csv")
    (piece,) = planned(file, project).slices
    assert len(piece.columns) == len({name.casefold() for name in piece.columns})
    assert all(name.strip() and not name.startswith("@") for name in piece.columns)
    batches = read_slice(piece, project.sources["s"], Limits(1 << 20, 1 << 20))
    assert sum(batch.records for batch in batches) == 1


def test_a_header_whose_quote_is_never_closed_is_told(tmp_path: Path):
    """It takes the whole file with it, which must not pass for an empty one."""
    file = tmp_path / "a.csv"
    file.write_bytes(b'"id,at\n1,2\n')
    records, unreadable = read(file, format="csv")
    assert (records, unreadable) == ([], [(1, "broken_quotes")])

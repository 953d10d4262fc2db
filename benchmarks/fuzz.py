"""Mutated records of every preset: none may crash the reader or the mapping, and each must be accounted for.

    python benchmarks/fuzz.py [--records 1000000] [--presets segment ...] [--seed 1] [--keep FOLDER]

Records are vendors' payloads (../shared/data/payloads) and those of the generated retailer. Each is mutated once to
four times: bytes flipped, cut, repeated, put in; values replaced by what breaks parsers (SQL, HTML, formulas,
numbers out of range, deep nesting, half a surrogate, NUL, a byte order mark), as text of the record or as JSON that
stays whole; letters of keys exchanged; records wrapped and joined. So many are made of every preset. Files of mutants
go through ingest's own kernel, which leaves files of events, keys, dead letters and held records; for every file it
must be true that

- no exception is raised;
- every record is an event, a dead letter, quarantined or withheld: the four add up to the records read, and the files
  that were left hold as many;
- in formats of one record a line every line that is not blank is a record, and where a line holds several
  every such line is the place of one, but for empty lists.

A file that breaks this is kept in FOLDER, its mutants by halves made as few as still break it. Figures go
to docs/reliability.md; finds of interest to tests/corpus.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from contracts.config import Config  # noqa: E402
from contracts.loading import parse_config, preset, preset_names  # noqa: E402
from footpath.generator import Scenario, generate  # noqa: E402
from models.identifiers import Pseudonymiser  # noqa: E402
from models.source_sql import POSITION, compile_mapping  # noqa: E402
from transforms.limits import Limits  # noqa: E402
from transforms.map_slices import MapSlice  # noqa: E402
from transforms.parts import Part  # noqa: E402
from transforms.plan_files import list_files, plan_file  # noqa: E402
from transforms.read_records import RawBatch, read_slice  # noqa: E402

PAYLOADS = ROOT.parent / "shared" / "data" / "payloads"
GENERATED = {"segment": "web", "sendgrid": "email", "shopify": "store", "zendesk": "support"}
FILE_RECORDS = 25_000
NOW = datetime(2027, 1, 1, tzinfo=UTC)
BLANK_BYTES = 16
"""A line of more bytes is a record even if they are all blank."""

NASTY = (
    b"'; DROP TABLE events; --", b"<script>alert(1)</script>", b"=cmd|'/c calc'!A0", b"+1+1", b"@SUM(A1)",
    b"\\u0000", b"\\ud800", b"\x00", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80", b"\xc3(", b"%s%n", b"${x}",
    b"1e400", b"-1e-400", b"NaN", b"-Infinity", b"9" * 400, b"-0", b"9223372036854775808", b"null", b"true",
    b"99999-12-31T00:00:00Z", b"0000-00-00", b"292278994-08-17", b"2026-02-30", b"24:60:60", b"{}", b"[]", b'""',
    b"[" * 1_500, b'{"a":' * 600, b"}" * 20, b'"', b"\\", b"\t", b",", b"\r", b"\n", b"\r\n", b"\x0b", b"\x85",
    b"\xe2\x80\xa8", b"a" * 70_000, b"{$.type}", b"$.a", b"../../etc/passwd",
)  # fmt: skip
"""What replaces values, or is put between two bytes."""

Mutation = Callable[[bytes, random.Random], bytes]


def _place(record: bytes, rng: random.Random) -> int:
    return rng.randrange(len(record) + 1)


def flip(record: bytes, rng: random.Random) -> bytes:
    """One byte becomes another."""
    at = rng.randrange(max(1, len(record)))
    return record[:at] + bytes([rng.randrange(256)]) + record[at + 1 :]


def cut(record: bytes, rng: random.Random) -> bytes:
    """A stretch is missing."""
    low, high = sorted((_place(record, rng), _place(record, rng)))
    return record[:low] + record[high:]


def truncate(record: bytes, rng: random.Random) -> bytes:
    """The end is missing."""
    return record[: _place(record, rng)]


def repeat(record: bytes, rng: random.Random) -> bytes:
    """A stretch comes twice."""
    low, high = sorted((_place(record, rng), _place(record, rng)))
    return record[:high] + record[low:high] + record[high:]


def put(record: bytes, rng: random.Random) -> bytes:
    """Something nasty stands between two bytes."""
    at = _place(record, rng)
    return record[:at] + rng.choice(NASTY) + record[at:]


def replace(record: bytes, rng: random.Random) -> bytes:
    """Something nasty stands for a value, with its quotes or without."""
    values = [i for i, byte in enumerate(record) if byte in b':,\t"']
    if len(values) < 2:
        return put(record, rng)
    at = rng.randrange(len(values) - 1)
    return record[: values[at] + 1] + rng.choice(NASTY) + record[values[at + 1] :]


def rename(record: bytes, rng: random.Random) -> bytes:
    """Some letter is another everywhere: keys change, too."""
    letter = bytes([rng.choice(b"aeiostn_")])
    return record.replace(letter, bytes([rng.choice(b"aeiostn_ .$")]))


def wrap(record: bytes, rng: random.Random) -> bytes:
    """It is in a list, an object, a list of lists, or there twice."""
    forms: tuple[bytes, ...] = (
        b"[%b]",
        b'{"orders": [%b]}',
        b'{"ticket": %b}',
        b"[[%b]]",
        b"[%b, %b]",
    )
    form = rng.choice(forms)
    return form.replace(b"%b", record)


VALUES = (
    None, True, False, 0, -1, 2**63, 10**400, -1e308, 1e-320, "", " ", "0", "\x00", "\ud83d\ude00", "\u202e", "\u2028",
    [], {}, [[]], [None], {"": ""}, {"a": {"b": [1, {"c": None}]}}, "x" * 5_000, "1e999", "infinity", "-infinity",
    "epoch", "now()", "' OR 1=1", "<img src=x onerror=alert(1)>", "=1+1", "2026-01-01", "2026-01-01T00:00:00+99:99",
    "290309-12-22 (BC) 00:00:00", 253402300800, 99999999999999999, -62135596801, "NaN", "ann@example.com",
)  # fmt: skip
"""What stands for a value in JSON that stays whole."""


def revalue(record: bytes, rng: random.Random) -> bytes:
    """A value of the document is another, or is gone."""
    try:
        document = json.loads(record)
    except (ValueError, RecursionError):
        return put(record, rng)
    holder = document
    while isinstance(holder, dict | list) and holder:
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        key = rng.choice(list(keys))
        if not isinstance(holder[key], dict | list) or rng.random() < 0.2:
            if rng.random() < 0.2:
                del holder[key]
            else:
                holder[key] = rng.choice(VALUES)
            break
        holder = holder[key]
    return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


MUTATIONS: tuple[Mutation, ...] = (
    flip, cut, truncate, repeat, put, replace, rename, wrap, *(revalue,) * 6,
)  # fmt: skip


def mutants(seeds: list[bytes], count: int, rng: random.Random) -> list[bytes]:
    """Records made of some of the seeds, each mutated one to four times."""
    made = []
    for _ in range(count):
        record = rng.choice(seeds)
        for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
            record = rng.choice(MUTATIONS)(record, rng)
        made.append(record)
    return made


def configured(name: str, path: Path) -> Config:
    """A project that reads one file by a preset."""
    rule = {"touchpoint": "purchase", "stage": "purchase", "when": {"event_type": "no such"}}
    source = {"preset": name, "paths": str(path)}
    return parse_config(
        {"project": "fuzz", "sources": {"feed": source}, "touchpoints": [rule]}, base=ROOT
    )


def mapper(config: Config, folder: Path) -> MapSlice:
    """Ingest's kernel, compiled once; it spills into the folder."""
    return MapSlice(
        config,
        {name: compile_mapping(name, config) for name in config.sources},
        Pseudonymiser(b"of the fuzzing"),
        None,
        NOW,
        str(folder),
        key_buckets=2,
        released={},
    )


def read(path: Path, kernel: MapSlice) -> Iterator[tuple[RawBatch, Counter[str], Counter[str]]]:
    """What ingest does with a file: raw records, where they went, and how many rows were left in files."""
    config = kernel.config
    source = config.sources["feed"]
    (file,) = list_files(config)
    for piece in plan_file(file, config).slices:
        batches = read_slice(piece, source, Limits.of(config.lake))
        for number, batch in enumerate(batches):
            counts, left = Counter[str](), Counter[str]()
            for output in kernel.spilled(piece, f"{number}", batch):
                tag, value = getattr(output, "tag", "events"), getattr(output, "value", output)
                if tag == "counts":
                    counts.update({name: value[name] for name in ("records_read", *WENT)})
                elif tag == "keys":
                    left["keys"] += value[1].keys.rows
                else:
                    left[tag] += (value if isinstance(value, Part) else value[1]).rows
            yield batch, counts, left


WENT = ("accepted", "dead_letters", "quarantined", "withheld")


def problem(path: Path, kernel: MapSlice) -> tuple[str, Counter[str]]:
    """What is wrong with how a file is read, empty if nothing is; and where its records went."""
    went, left = Counter[str](), Counter[str]()
    records = 0
    places: set[int] = set()
    try:
        for batch, counts, rows in read(path, kernel):
            records += batch.records
            went += counts
            left += rows
            places |= set(batch.table[POSITION].to_pylist())
            places |= {unreadable.position for unreadable in batch.unreadable}
    except Exception as error:  # whatever it is, it is the find
        return f"{type(error).__name__}: {str(error)[:300]}", went
    finally:
        for spilled in Path(kernel.folder).iterdir():
            spilled.unlink()
    accounted = sum(went[name] for name in WENT)
    if not records == went["records_read"] == accounted:
        return f"{records:,} records read, {accounted:,} accounted for", went
    written = {
        "events": "accepted",
        "keys": "accepted",
        "dead": "dead_letters",
        "held": "quarantined",
    }
    for tag, name in written.items():
        if left[tag] != went[name]:
            return f"{went[name]:,} records are {name}, {left[tag]:,} rows of {tag} were left", went
    return _lines_missing(path, kernel.config, records, places), went


def _lines_missing(path: Path, config: Config, records: int, places: set[int]) -> str:
    source = config.sources["feed"]
    if source.format == "csv":  # quoted line ends: lines are no records
        return ""
    split = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    lines = {
        number
        for number, line in enumerate(split, 1)
        if number in places
        or (
            (line.strip() or len(line) >= BLANK_BYTES)
            and not (source.records and _is_empty(line))
            and (source.format != "tsv" or line.strip(b" \r"))
        )
    }
    if missing := lines - places:
        return f"line {min(missing)} is in no record, of {len(missing):,} such lines"
    if not source.records and records != len(lines):
        return f"{len(lines):,} lines, {records:,} records"
    return ""


def _is_empty(line: bytes) -> bool:
    """Whether a line is a document without records."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if isinstance(document, dict):
        document = next(
            (document[k] for k in ("orders", "tickets") if isinstance(document.get(k), list)), None
        )
    return document == []


def seeds_of(folder: Path) -> dict[str, list[bytes]]:
    """Whole records of every preset, without line ends."""
    generate(folder, Scenario(events=2_000, seed=3, days=4, file_days=4))
    found: dict[str, list[bytes]] = {}
    for name in preset_names():
        records: list[bytes] = []
        for file in sorted((PAYLOADS / name).glob("*.json")):
            document = json.loads(file.read_bytes())
            listed = document if isinstance(document, list) else [document]
            records += [json.dumps(one, ensure_ascii=False).encode() for one in listed]
        if name == "snowplow":
            records = (PAYLOADS / name / "enriched_event.tsv").read_bytes().splitlines()[:5]
        if name == "receipts":
            records = [
                b'r%d,%d,2026-01-%02dT10:00:00Z,9.50,EUR,"shop, %d",c%d'
                % (n, n % 3, n % 27 + 1, n % 5, n)
                for n in range(50)
            ]
        if name in GENERATED:
            for file in sorted((folder / GENERATED[name]).iterdir()):
                records += file.read_bytes().splitlines()[:300]
        found[name] = [record for record in records if record]
    return found


def header(name: str) -> bytes:
    """The header line of a preset that reads CSV with one."""
    source = preset(name)["source"]
    if source["format"] != "csv":
        return b""
    return b"receipt_id,line_number,sold_at,amount,currency,store,customer_number\n"


def write(path: Path, name: str, records: list[bytes]) -> Path:
    """A file of records."""
    path.write_bytes(header(name) + b"\n".join(records) + b"\n")
    return path


def fewest(records: list[bytes], breaks: Callable[[list[bytes]], bool]) -> list[bytes]:
    """Halves, quarters ... are left out as long as the rest still breaks."""
    step = len(records) // 2
    while step:
        start = 0
        while start < len(records):
            rest = records[:start] + records[start + step :]
            if rest and breaks(rest):
                records = rest
            else:
                start += step
        step //= 2
    return records


def try_preset(
    name: str, seeds: list[bytes], records: int, rng: random.Random, folder: Path, keep: Path
) -> tuple[Counter[str], int]:
    """Where so many mutants went, and how many files of them were read wrongly."""
    totals, finds = Counter[str](), 0
    file, spills = folder / f"mutants-{name}", folder / "spills"
    spills.mkdir(exist_ok=True)
    kernel = mapper(configured(name, file), spills)
    for number in range(-(-records // FILE_RECORDS)):
        made = mutants(seeds, min(FILE_RECORDS, records - number * FILE_RECORDS), rng)
        found, went = problem(write(file, name, made), kernel)
        totals += went
        if found:
            finds += 1
            print(f"{name}: {found}", flush=True)
            few = fewest(made, lambda some: bool(problem(write(file, name, some), kernel)[0]))
            keep.mkdir(parents=True, exist_ok=True)
            write(keep / f"{name}-{number}", name, few)
    return totals, finds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--presets", nargs="+", default=preset_names(), choices=preset_names())
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-finds"))
    asked = parser.parse_args()
    whole = finds = 0
    started = time.monotonic()
    print(f"{'preset':<12}" + "".join(f"{n:>14}" for n in ("records", *WENT, "finds", "seconds")))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        seeds = seeds_of(folder / "retailer")
        for name in asked.presets:
            begun = time.monotonic()
            rng = random.Random(f"{asked.seed} {name}")
            went, wrong = try_preset(name, seeds[name], asked.records, rng, folder, asked.keep)
            whole += went["records_read"]
            finds += wrong
            numbers = (*(went[k] for k in ("records_read", *WENT)), wrong, time.monotonic() - begun)
            print(f"{name:<12}" + "".join(f"{n:>14,.0f}" for n in numbers), flush=True)
    print(f"{whole:,} records, {finds} finds, {time.monotonic() - started:.0f} s")
    sys.exit(1 if finds else 0)


if __name__ == "__main__":
    main()

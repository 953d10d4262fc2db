"""A source's declaration, compiled once into one DuckDB SELECT over its raw records.

JSON records come as text; all paths of a source are extracted in one pass over each document. CSV, TSV
and Parquet records come as columns.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from contracts.config import Config
from contracts.errors import ConfigError, Problem
from contracts.expressions import (
    Coalesce,
    Concat,
    Const,
    Expression,
    Lookup,
    Lower,
    Ref,
    Sql,
    references,
)
from contracts.sources import Source, TimeField
from contracts.sql_text import identifier, literal
from models.engine import query

__all__ = ["NUMBERS", "PLACE", "POSITION", "TEXT_FIELDS", "Mapping", "compile_mapping", "select"]

POSITION, PLACE = "@position", "@place"
"""Columns of raw records that tell where each was; no source's column is called so."""

TEXT_FIELDS = ("page", "transaction_id", "currency")
NUMBERS = {"value": "DECIMAL(18, 4)", "csat": "DOUBLE", "nps": "DOUBLE", "sentiment": "DOUBLE"}


@dataclass(frozen=True)
class Mapping:
    """A source, compiled. Plain data, so that workers can be sent it."""

    name: str
    source: Source
    config: Config
    refs: tuple[str, ...]
    select: str
    """SELECT list over `raw`, with p[i] for JSON paths or quoted columns."""
    event_id: str
    """SQL of the id that the source gives; null where it gives none."""

    @property
    def is_json(self) -> bool:
        """Whether records are JSON text, not columns."""
        return self.source.format in ("json", "jsonl")


class _Compiler:
    """Turns expressions into SQL over one source's references."""

    def __init__(self, source: Source, refs: tuple[str, ...]) -> None:
        self._json = source.format in ("json", "jsonl")
        self._places = {ref: place for place, ref in enumerate(refs, start=1)}

    def ref(self, ref: str) -> str:
        return f"p[{self._places[ref]}]" if self._json else identifier(ref)

    def sql(self, expression: Expression) -> str:
        match expression:
            case Ref():
                return self.ref(expression.ref)
            case Const():
                return literal(expression.const)
            case Coalesce():
                parts = [f"nullif({self.sql(part)}, '')" for part in expression.coalesce]
                return f"coalesce({', '.join(parts)})"
            case Concat():
                return "(" + " || ".join(self.sql(e) for e in expression.concat) + ")"
            case Lower():
                return f"lower({self.sql(expression.lower)})"
            case Lookup():
                whens = " ".join(
                    f"WHEN {literal(k)} THEN {literal(v)}" for k, v in expression.map.items()
                )
                default = "NULL" if expression.default is None else literal(expression.default)
                return f"(CASE {self.sql(expression.lookup)} {whens} ELSE {default} END)"
            case Sql():
                text = expression.sql
                for name in expression.references:
                    text = text.replace("{" + name + "}", self.ref(name))
                return f"CAST(try({text}) AS VARCHAR)"

    def text(self, expression: Expression) -> str:
        """The value; null if it is empty."""
        return f"nullif({self.sql(expression)}, '')"

    def time(self, field: TimeField, timezone: str) -> str:
        """Microseconds since 1970, UTC; null if the text is no such time."""
        value = self.text(field.value)
        match field.format:
            case "iso8601":
                return f"epoch_us(try_cast({value} AS TIMESTAMPTZ))"
            case "epoch_us":
                return f"try_cast({value} AS BIGINT)"
            case "epoch_s" | "epoch_ms":
                digits, factor = (6, 1_000_000) if field.format == "epoch_s" else (3, 1_000)
                return f"try_cast(try_cast({value} AS DECIMAL(20, {digits})) * {factor} AS BIGINT)"
            case pattern:
                parsed = f"try_strptime({value}, {literal(pattern)})"
                if "%z" in pattern or timezone == "UTC":
                    return f"epoch_us({parsed})"
                return f"epoch_us(timezone({literal(timezone)}, {parsed}))"


def _expressions(source: Source) -> list[Expression]:
    fields = [getattr(source.fields, name) for name in type(source.fields).model_fields]
    found: list[Expression] = [
        field.value if isinstance(field, TimeField) else field
        for field in fields
        if field is not None
    ]
    found += [source.channel, *source.identifiers.values(), *source.attributes.values()]
    found += [source.consent.field] if source.consent else []
    found += [source.consent.purpose] if source.consent and source.consent.purpose else []
    found += [source.only] if source.only is not None else []
    return found


def compile_mapping(name: str, config: Config) -> Mapping:
    """Compile the source `name` of a configuration.

    Raises
    ------
    ConfigError
        If DuckDB refuses an expression of the source.
    """
    source = config.sources[name]
    refs = tuple(dict.fromkeys(r for e in _expressions(source) for r in references(e)))
    sql = _Compiler(source, refs)
    fields = source.fields
    columns = {
        "time_text": sql.text(fields.event_time.value),
        "event_us": sql.time(fields.event_time, source.timezone),
        "event_type": sql.text(fields.event_type),
        "granted": "true",
        "is_ours": "true",
    }
    if fields.ingest_time is not None:
        columns["ingest_text"] = sql.text(fields.ingest_time.value)
        columns["ingest_us"] = sql.time(fields.ingest_time, source.timezone)
    if not isinstance(source.channel, Const):
        columns["channel"] = sql.sql(source.channel)
    if source.consent:
        consent = source.consent
        said = f"lower({sql.text(consent.field)})"
        if consent.purpose is not None:
            purpose = literal(config.privacy.purpose.lower())
            said = f"CASE WHEN lower({sql.text(consent.purpose)}) = {purpose} THEN {said} END"
        granted = f"{said} IN ({_listed(consent.granted)})"
        missing = "true" if consent.missing == "accept" else "false"
        columns["granted"] = f"coalesce({granted}, {missing})"
        if consent.withdrawn:
            columns["states"] = (
                f"CASE WHEN {granted} THEN true "
                f"WHEN {said} IN ({_listed(consent.withdrawn)}) THEN false END"
            )
    if source.only is not None:
        columns["is_ours"] = f"coalesce({sql.text(source.only)} = 'true', false)"
    for field in TEXT_FIELDS:
        expression = getattr(fields, field)
        if expression is not None:
            columns[field] = sql.text(expression)
    for field, type_ in NUMBERS.items():
        expression = getattr(fields, field)
        if expression is not None:
            columns[f"{field}_text"] = sql.text(expression)
            number = f"try_cast({sql.text(expression)} AS {type_})"
            finite = f"CASE WHEN isfinite({number}) THEN {number} END"
            columns[field] = finite if type_ == "DOUBLE" else number
    for namespace, expression in source.identifiers.items():
        columns[f"id_{namespace}"] = sql.sql(expression)
    for attribute, expression in source.attributes.items():
        columns[attribute] = sql.sql(expression)
    select = ",\n  ".join(f"{text} AS {identifier(alias)}" for alias, text in columns.items())
    event_id = sql.text(fields.event_id) if fields.event_id is not None else "NULL"
    mapping = Mapping(name, source, config, refs, select, event_id)
    _try_out(mapping)
    return mapping


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(literal(value.lower()) for value in values)


def _try_out(mapping: Mapping) -> None:
    """Run the SELECT over no records, so that mistakes in it show before any input is read."""
    if mapping.is_json:
        raw = pa.table({POSITION: pa.array([], pa.int64()), "record": pa.array([], pa.string())})
    else:
        raw = pa.table({POSITION: pa.array([], pa.int64())})
    try:
        query(
            _statement(mapping, raw.column_names), mapping.source.timezone, raw=_whole(mapping, raw)
        )
    except Exception as error:  # DuckDB raises many kinds; each is a mistake in an expression
        found = str(error).splitlines()[0]
        fix = "check the paths (no wildcards) and sql expressions of this source"
        raise ConfigError(
            "configuration", [Problem(f"sources.{mapping.name}", found, fix)]
        ) from None


def _whole(mapping: Mapping, raw: pa.Table) -> pa.Table:
    """Add columns that the mapping reads and the file lacks."""
    if mapping.is_json:
        return raw
    for name in mapping.refs:
        if name not in raw.column_names:
            raw = raw.append_column(name, pa.nulls(len(raw), pa.string()))
    return raw


_LOOKS_WHOLE = "record LIKE '{%}' OR record LIKE E'{%}\\n' OR json_valid(record)"
"""What a line of JSON looks like that was not cut off; one that is broken within still fails."""


def _statement(
    mapping: Mapping, raw_columns: list[str], is_json: str = "json_valid(record)"
) -> str:
    names = sorted(name for name in raw_columns if name not in (POSITION, PLACE))
    located = [
        f'"{POSITION}"',
        f'"{PLACE}"' if PLACE in raw_columns else f'1::BIGINT AS "{PLACE}"',
    ]
    if mapping.is_json:
        record_hash = "CASE WHEN p IS NULL THEN hash(record) ELSE hash(p) END"
        canonical, readable = "json(record)::VARCHAR", "p IS NOT NULL"
        paths = ", ".join(literal(ref) for ref in mapping.refs)
        extracted = (
            f"SELECT {', '.join(located)}, record, CASE WHEN {is_json} "
            f"THEN json_extract_string(record, [{paths}]) END AS p FROM raw"
        )
    else:
        quoted = [identifier(name) for name in names]
        joined = ", ".join(f"coalesce({name}, chr(30))" for name in quoted) or "''"
        record_hash = f"hash({', '.join(quoted) or '0'})"
        canonical, readable = f"concat_ws(chr(31), {joined})", "true"
        lacking = [identifier(ref) for ref in mapping.refs if ref not in raw_columns]
        extracted = f"SELECT {', '.join([*located, *quoted, *lacking])} FROM raw"
    bad_numbers = "".join(
        f"    WHEN {n}_text IS NOT NULL AND {n} IS NULL THEN 'bad_{n}'\n"
        for n in NUMBERS
        if getattr(mapping.source.fields, n) is not None
    )
    bad_ingest = (
        "    WHEN ingest_text IS NOT NULL AND ingest_us IS NULL THEN 'bad_ingest_time'\n"
        if mapping.source.fields.ingest_time is not None
        else ""
    )
    return f"""
WITH extracted AS ({extracted}),
mapped AS (
  SELECT "{POSITION}", "{PLACE}", {record_hash} AS record_hash, {readable} AS readable,
  {mapping.select},
  CASE WHEN {readable} THEN coalesce({mapping.event_id}, sha256({canonical})) END AS event_id
  FROM extracted
)
SELECT *, CASE
    WHEN NOT readable THEN 'unreadable_json'
    WHEN NOT is_ours THEN 'foreign_record'
    WHEN time_text IS NULL THEN 'missing_event_time'
    WHEN event_us IS NULL THEN 'bad_event_time'
    WHEN event_type IS NULL THEN 'missing_event_type'
{bad_ingest}{bad_numbers}  END AS reason
FROM mapped"""


def select(mapping: Mapping, raw: pa.Table) -> pa.Table:
    """The mapping's values for raw records, and the reason of each that cannot be mapped.

    Mapped hopefully, then carefully: to ask of every line whether it is JSON means to parse it twice.
    """
    raw_columns, whole = raw.column_names, _whole(mapping, raw)
    if mapping.is_json:
        with contextlib.suppress(duckdb.InvalidInputException):
            hopeful = _statement(mapping, raw_columns, _LOOKS_WHOLE)
            return query(hopeful, mapping.source.timezone, raw=whole)
    return query(_statement(mapping, raw_columns), mapping.source.timezone, raw=whole)

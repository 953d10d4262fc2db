"""The textbook Beam pipeline, an element a record: read, parse, key by user, group, sort, cut.

It does less than footpath: dead letters are only counted, nobody is recognised across devices,
duplicates are found within a user, and text files of sessions are all it writes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

_GAP_S = 30 * 60
Event = tuple[float, str, str, str]
"""Time, id, what happened, page."""


def parse(line: bytes) -> Iterator[tuple[str, Event]]:
    try:
        record = json.loads(line)
        time = datetime.fromisoformat(record["timestamp"]).timestamp()
        kind = record.get("event") or record.get("name") or record["type"]
        user = record["userId"] or record["anonymousId"]
        page = record.get("properties", {}).get("path", "")
        yield user, (time, record["messageId"], kind, page)
    except (ValueError, KeyError, TypeError):
        beam.metrics.Metrics.counter("plain_beam", "dead_letters").inc()


def sessions(element: tuple[str, Iterable[Event]]) -> Iterator[dict[str, Any]]:
    user, events = element
    session: dict[str, Any] | None = None
    for time, _, kind, page in sorted({event[1]: event for event in events}.values()):
        if session is None or time - session["ended_at"] > _GAP_S:
            if session is not None:
                yield session
            session = {"user": user, "started_at": time, "events": []}
        session["ended_at"] = time
        session["events"].append((time, kind, page))
    if session is not None:
        yield session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", help="glob of the JSON lines")
    parser.add_argument("output", help="prefix of the files to write")
    arguments = parser.parse_args()
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        (
            pipeline
            | "Read" >> beam.io.ReadFromText(arguments.input, coder=beam.coders.BytesCoder())
            | "Parse" >> beam.FlatMap(parse)
            | "GroupByUser" >> beam.GroupByKey()
            | "Sessions" >> beam.FlatMap(sessions)
            | "Encode" >> beam.Map(json.dumps)
            | "Write" >> beam.io.WriteToText(arguments.output)
        )


if __name__ == "__main__":
    main()

"""Resolve: the links of all files of events to `identities` and to a customer for every link.

Where devices are shared, the times of events on them are read in a second step, and who their anonymous events
belong to becomes `identity_intervals` (docs/adr/0005).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from contracts.lake import digest_of
from pipelines.decisions import read_splits
from pipelines.job import Run, Stage, collect, data_files, main, read_results, scratch_folder
from transforms.kernel import Kernel

if TYPE_CHECKING:
    from transforms.shared_devices import EventFile

__all__ = ["STAGE"]


def _fingerprint(run: Run) -> str:
    files = [
        file.path for file in run.draft.tables["events"]
    ]  # their order gives links their place
    identity = run.config.identity
    return digest_of(
        "resolve",
        4,
        files,
        [
            (name, spec.limit, spec.device, spec.account)
            for name in run.config.namespaces
            for spec in [identity.namespaces[name]]
        ],
        run.config.subject,
        (identity.max_stronger, identity.max_weaker, identity.shared_devices, identity.within),
        read_splits(run.lake),
    )


def _execute(run: Run) -> dict[str, Any]:
    # Slow to import, and often nothing is new.
    from transforms.resolve_links import PublishedIdentities, ResolveLinks
    from transforms.shared_devices import AssignSharedDevices, SharedDevices, units_of_work

    folder = scratch_folder(run, "resolve")
    root, config = str(run.lake.root), run.config
    name = digest_of(run.run_id, "resolve")
    shared = SharedDevices(str(folder / "links.parquet"), str(folder / "devices.parquet"))
    files = run.draft.tables["events"]
    links = tuple((file.meta["links"], file.meta["link_rows"]) for file in files)
    identities = tuple(file.path for file in run.base.tables.get("identities", []))
    before = PublishedIdentities(identities, run.base.version, run.run_id, datetime.now(UTC))
    kernel = ResolveLinks(
        root,
        str(folder),
        config.person_namespaces,
        config.account_namespaces if config.subject == "account" else (),
        config.identity,
        read_splits(run.lake),
        name,
        shared,
        before,
        run.kernel_threads,
    )
    with run.pipeline() as pipeline:
        resolved = pipeline | "Links" >> run.spread([links]) | "Resolve" >> Kernel(kernel)
        collect((resolved,), folder / "resolved.json")
    results = read_results(folder / "resolved.json")
    if "by_time" in results:
        within_us = config.identity.within // timedelta(microseconds=1)
        assign = AssignSharedDevices(root, shared, str(folder), name, within_us, run.kernel_threads)
        with run.pipeline() as pipeline:
            units = pipeline | "Files" >> run.spread(units_of_work(_event_files(run), shared))
            assigned = units | "Assign" >> assign
            collect((assigned,), folder / "assigned.json")
        results |= read_results(folder / "assigned.json")
    for table in _TABLES:
        run.draft.tables[table] = data_files(results.get(table, []))
    earlier = run.base.tables.get("identity_changes", [])
    run.draft.tables["identity_changes"] = [
        *earlier,
        *data_files(results.get("identity_changes", [])),
    ]
    return {"rows": sum(file.rows for file in run.draft.tables["identities"])}


def _event_files(run: Run) -> list[EventFile]:
    from transforms.shared_devices import EventFile

    files, first_link = [], 0
    for file in run.draft.tables["events"]:
        files.append(EventFile(file.path, file.rows, first_link, file.meta["link_rows"]))
        first_link += file.meta["link_rows"]
    return files


_TABLES = (
    "link_customers",
    "identities",
    "identity_refusals",
    "identity_intervals",
    "shared_links",
    "accounts",
    "link_accounts",
)

STAGE = Stage("resolve", ("events",), _fingerprint, _execute)

if __name__ == "__main__":
    main(STAGE)

"""All links resolved at once: who is who, what was refused, what changed, which devices are shared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.config import Identity
from contracts.lake import DataFile
from contracts.schemas import table_schema
from models.accounts import account_table, accounts_of
from models.dictionaries import DICTIONARY
from models.identity import Resolution, known_customers, resolve
from models.identity_changes import changes
from models.identity_refusals import refusals
from models.link_columns import LinkReader, column_of, link_hashes, of_rows
from models.shared_devices import last_of_all
from transforms.link_files import join_small_files
from transforms.shared_devices import SharedDevices, write_intervals
from transforms.write_table import write_pieces, write_table

__all__ = ["PublishedIdentities", "ResolveLinks"]

_TIME = pa.timestamp("us", tz="UTC")
_IDENTITIES = pa.schema(
    [
        field.with_type(DICTIONARY) if field.name in ("namespace", "rule") else field
        for field in table_schema("identities")
    ]
)


@dataclass(frozen=True)
class PublishedIdentities:
    """The published version that changes are held against, and the run that makes them."""

    identities: tuple[str, ...]
    version: int
    run_id: str
    now: datetime


@dataclass(frozen=True)
class ResolveLinks:
    """The kernel: files of links (path, rows), all at once, to results; their number bounds the memory."""

    root: str
    folder: str
    namespaces: tuple[str, ...]
    accounts: tuple[str, ...]
    """Namespaces that name accounts; none where customers are the subject."""
    identity: Identity
    splits: tuple[tuple[str, str], ...]
    name: str
    shared: SharedDevices
    before: PublishedIdentities
    threads: int

    def __call__(self, files: tuple[tuple[str, int], ...]) -> Iterator[tuple[str, Any]]:
        paths = ((Path(self.root, path), rows) for path, rows in files)
        links = join_small_files(paths, Path(self.folder))
        resolution = resolve(links, self.namespaces, self.identity, self.splits, self.threads)
        path = Path("tables", "link_customers", f"{self.name}.npy")
        target = Path(self.root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        np.save(target, resolution.link_customers)
        yield "link_customers", DataFile(str(path), len(resolution.link_customers))
        file = f"tables/identities/{self.name}.parquet"
        pieces = resolution.identities(links)
        yield "identities", write_pieces(self.root, file, _IDENTITIES, pieces)
        file = f"tables/identity_refusals/{self.name}.parquet"
        refused = refusals(resolution, links, self.identity)
        yield "identity_refusals", write_table(self.root, file, refused)
        changed = self._changes(resolution)
        if len(changed):
            file = f"tables/identity_changes/{self.name}.parquet"
            yield "identity_changes", write_table(self.root, file, changed)
        if len(resolution.on_shared.link):
            yield from self._shared_devices(resolution, links)
        if self.accounts:
            yield from self._accounts(resolution, links)

    def _accounts(
        self, resolution: Resolution, links: LinkReader
    ) -> Iterator[tuple[str, DataFile]]:
        """Accounts of links and persons, and the table of accounts."""
        person = resolution.link_customers
        numbers = [
            column_of(links(name), len(person)) for name in ("first_seen", "last_seen", "events")
        ]
        borne = [link_hashes(links, name) for name in self.accounts]
        accounts = accounts_of(borne, person, numbers[0], numbers[2])
        path = f"tables/link_accounts/{self.name}.npz"
        Path(self.root, path).parent.mkdir(parents=True, exist_ok=True)
        np.savez(Path(self.root, path), **vars(accounts))
        yield "link_accounts", DataFile(path, len(person))
        tables = [
            account_table(name, links, hashes, numbers, accounts)
            for name, hashes in zip(self.accounts, borne, strict=True)
        ]
        file = f"tables/accounts/{self.name}.parquet"
        yield "accounts", write_table(self.root, file, pa.concat_tables(tables))

    def _changes(self, resolution: Resolution) -> pa.Table:
        """What became of the customers of the published version."""
        old = [
            known_customers(piece)
            for path in self.before.identities
            for piece in pq.ParquetFile(Path(self.root, path)).iter_batches(
                columns=["namespace", "value", "customer_id"]
            )
        ]
        hashes, customers = (
            np.concatenate([np.zeros(0, np.uint64), *[pair[side] for pair in old]])
            for side in (0, 1)
        )
        del old
        changed = changes(hashes, customers, resolution.hashes, resolution.customer)
        about = {
            "run_id": pa.repeat(self.before.run_id, len(changed)),
            "changed_at": pa.repeat(pa.scalar(self.before.now, _TIME), len(changed)),
            "since_version": pa.repeat(pa.scalar(self.before.version, pa.int64()), len(changed)),
        }
        columns = about | {name: changed[name] for name in changed.column_names}
        schema = table_schema("identity_changes")
        return pa.table([columns[field.name] for field in schema], schema=schema)

    def _shared_devices(
        self, resolution: Resolution, links: LinkReader
    ) -> Iterator[tuple[str, Any]]:
        """What is to be known of shared devices; in mode last_auth that is all there is to do."""
        shared = resolution.on_shared
        nodes, device = np.unique(shared.device, return_inverse=True)
        customer = resolution.link_customers[shared.link]
        of_links = {"link": shared.link, "device": device, "customer": customer}
        pq.write_table(pa.table(of_links), self.shared.links)
        names = [self.namespaces[place] for place in resolution.namespace[nodes]]
        devices = {
            "hash": resolution.hashes[nodes],
            "namespace": pa.array(names, pa.string()),
            "value": resolution.values(links, nodes),
        }
        pq.write_table(pa.table(devices), self.shared.devices)
        if not (customer == 0).any():
            return
        if self.identity.shared_devices == "last_auth":
            numbers = [
                of_rows(links(name), shared.link) for name in ("first_seen", "last_seen", "events")
            ]
            intervals = last_of_all(device, customer, *numbers)
            yield from write_intervals(self.root, self.name, intervals, self.shared)
        else:
            yield "by_time", len(nodes)

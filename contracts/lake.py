"""The warehouse: versions, manifests and the names of files (docs/adr/0001, 0003).

A `Manifest` lists, for every table, the immutable files that hold it. Readers follow ``current``; a
run changes only its draft. Paths in a manifest are relative to the warehouse, so that a
warehouse can be moved. A manifest carries the number of its *layout*; a newer one than `LAYOUT` is refused.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from contracts.errors import NewerWarehouse

__all__ = ["LAYOUT", "DataFile", "Lake", "Manifest", "StageRecord", "digest_of", "write_atomically"]

LAYOUT = 1
"""What a manifest means; raised when an older footpath would misread a newer warehouse."""


def digest_of(*parts: Any) -> str:
    """A short, stable hash of JSON-like values: 16 hex digits.

    >>> digest_of("a", 1) == digest_of("a", 1)
    True
    """
    text = json.dumps(parts, sort_keys=True, default=str, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:16]


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file, or leave the old one as it was."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@dataclass(frozen=True)
class DataFile:
    """A finished file of a table: what it holds, and what readers may want to know beforehand."""

    path: str
    rows: int
    partition: dict[str, str | int] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StageRecord:
    """What a stage depended on when it wrote its tables, and what it cost."""

    fingerprint: str
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Manifest:
    """Every table of a version."""

    version: int = 0
    published_at: str = ""
    """When it was published, ISO 8601; empty in a draft."""
    tables: dict[str, list[DataFile]] = field(default_factory=dict)
    stages: dict[str, StageRecord] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The manifest as text."""
        return json.dumps({"layout": LAYOUT, **asdict(self)}, indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """The manifest that `to_json` wrote.

        Raises
        ------
        NewerWarehouse
            If it is of a layout that is not known here.
        """
        document = json.loads(text)
        layout = document.get("layout", 1)
        if layout > LAYOUT:
            raise NewerWarehouse(
                f"the warehouse has layout {layout}, and this footpath reads layouts up to {LAYOUT}: "
                "a newer footpath wrote it; install that one, or name another warehouse"
            )
        return cls(
            version=document["version"],
            published_at=document.get("published_at", ""),
            tables={
                name: [DataFile(**entry) for entry in files]
                for name, files in document["tables"].items()
            },
            stages={name: StageRecord(**entry) for name, entry in document["stages"].items()},
            facts=document["facts"],
        )

    def names(self, *tables: str) -> list[str]:
        """Sorted paths of all files of the given tables; they identify their contents."""
        return sorted(file.path for table in tables for file in self.tables.get(table, []))

    def copy(self) -> Manifest:
        """An independent copy."""
        return Manifest.from_json(self.to_json())


class Lake:
    """The files of a warehouse."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    @property
    def current(self) -> Path:
        """The published version's folder, which exists once something was published."""
        return self.root / "current"

    @property
    def draft_folder(self) -> Path:
        """Where the next version is built."""
        return self.root / "draft"

    def path(self, file: DataFile) -> Path:
        """Where a file of the manifest is."""
        return self.root / file.path

    def paths(self, manifest: Manifest, table: str) -> list[Path]:
        """All files of a table."""
        return [self.path(file) for file in manifest.tables.get(table, [])]

    def published(self) -> Manifest:
        """The manifest readers follow; empty before the first publication."""
        try:
            return Manifest.from_json((self.current / "manifest.json").read_text("utf-8"))
        except FileNotFoundError:
            return Manifest()

    def versions(self) -> list[int]:
        """Numbers of the versions that are there, ascending."""
        folders = (self.root / "versions").glob("*/manifest.json")
        return sorted(int(path.parent.name) for path in folders if path.parent.name.isdigit())

    def version(self, number: int) -> Manifest:
        """The manifest of a version that is there."""
        return Manifest.from_json((self._folder(number) / "manifest.json").read_text("utf-8"))

    def _folder(self, number: int) -> Path:
        return self.root / "versions" / f"{number:06d}"

    def draft(self) -> Manifest:
        """The draft's manifest; a copy of the published one if there is no draft of that version."""
        published = self.published()
        try:
            text = (self.draft_folder / "manifest.json").read_text("utf-8")
        except FileNotFoundError:
            return published
        draft = Manifest.from_json(text)
        return draft if draft.version == published.version else published

    def save_draft(self, manifest: Manifest) -> None:
        """Make the manifest the draft's."""
        self.draft_folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.draft_folder / "manifest.json", manifest.to_json())

    def discard_draft(self) -> None:
        """Forget all that was not published."""
        shutil.rmtree(self.draft_folder, ignore_errors=True)

    def publish(self, manifest: Manifest) -> Path:
        """Turn the draft's folder into the next version and switch ``current`` to it."""
        manifest.version = max(self.versions(), default=0) + 1
        manifest.published_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.save_draft(manifest)
        target = self._folder(manifest.version)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.draft_folder.rename(target)
        self.switch(manifest.version)
        return target

    def switch(self, number: int) -> None:
        """Make a version the one that readers follow.

        That is one rename of a symbolic link; whatever was open stays readable.
        """
        link = self.root / f".current.{uuid.uuid4().hex}"
        link.symlink_to(self._folder(number).relative_to(self.root))
        link.replace(self.current)

    def retire(self, numbers: Iterable[int]) -> None:
        """Delete versions, each as a whole; files of tables that only they named go at the next `sweep`.

        A database that somebody has open stays readable until it is closed.
        """
        for number in numbers:
            self._folder(number).rename(self.root / "versions" / f".{number:06d}")
        for leftover in (self.root / "versions").glob(".*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def scratch(self, stage: str) -> Path:
        """An empty folder for the spills of a stage; seen by all workers."""
        folder = self.root / "scratch" / f"{stage}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        return folder

    def sweep(self, kept: Iterable[Manifest]) -> int:
        """Delete data files that none of the kept manifests names; returns their number."""
        named = {file.path for m in kept for files in m.tables.values() for file in files}
        named |= {
            str(file.meta["links"])
            for m in kept
            for file in m.tables.get("events", [])
            if "links" in file.meta
        }
        swept = 0
        for path in (self.root / "tables").rglob("*"):
            if path.is_file() and str(path.relative_to(self.root)) not in named:
                path.unlink()
                swept += 1
        shutil.rmtree(self.root / "scratch", ignore_errors=True)
        return swept

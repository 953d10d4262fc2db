"""How much of a file is held in memory at once, and what is refused as too much (`lake` in the configuration)."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.config import Lake

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Limits of reading, in bytes where nothing else is said."""

    slice: int = 32 << 20
    record: int = 16 << 20
    document: int = 256 << 20
    expansion: int = 200
    """Times the size of a compressed file."""
    columns: int = 2_000

    @classmethod
    def of(cls, lake: Lake) -> Limits:
        """The limits that are configured."""
        return cls(
            lake.slice_mb << 20,
            lake.max_record_mb << 20,
            lake.max_document_mb << 20,
            lake.max_expansion,
            lake.max_columns,
        )

    def too_long(self, size: int) -> str:
        """What is said of a record that is longer than allowed."""
        return (
            f"the record has {size:,} bytes, allowed are {self.record:,}; "
            "raise lake.max_record_mb or have the producer cut it"
        )

    def too_large(self, what: str, size: int | None) -> str:
        """What is said of a document, or the like; its size is None if it was not read to the end."""
        found = f"has {size:,} bytes" if size is not None else "is larger"
        return (
            f"the {what} {found}, allowed are {self.document:,} when unpacked; "
            "raise lake.max_document_mb or have it delivered in parts"
        )

    def too_wide(self, columns: int) -> str:
        """What is said of a file with more columns than allowed."""
        return (
            f"the file has {columns:,} columns, allowed are {self.columns:,}; "
            "raise lake.max_columns, or see whether it is of this source"
        )

    def too_dense(self, stored: int, read: int) -> str:
        """What is said of a compressed file that is many times larger than it looks."""
        return (
            f"{stored:,} bytes have become more than {read:,}, allowed is {self.expansion} times the size; "
            "no more of the file was read: raise lake.max_expansion, or have it delivered again"
        )

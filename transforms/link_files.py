"""Files of links: written beside events, read a column at a time.

They are Arrow files, compressed with lz4: a column is read without a look at the others, and numbers need no
decoding. To open a small file takes longer than to read it, so of small files larger ones are made first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from transforms.parts import in_batches

__all__ = ["LinkFiles", "join_small_files", "write_links"]

_SMALL_ROWS = 1 << 17


def write_links(path: Path, links: pa.Table) -> None:
    """Write links, a batch for each piece they come in, as a file that appears when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with (
        pa.OSFile(str(temporary), "wb") as file,
        pa.ipc.new_file(file, links.schema, options=options) as writer,
    ):
        writer.write_table(links)
    temporary.replace(path)


@dataclass(frozen=True)
class LinkFiles:
    """Reads a column of the links of all files, a file at a time, each in one piece."""

    paths: tuple[Path, ...]

    def __call__(self, name: str) -> Iterator[pa.Array]:
        for path in self.paths:
            with pa.OSFile(str(path)) as file:  # mapped, it stayed open as long as the column
                place = pa.ipc.open_file(file).schema.get_field_index(name)
                if place >= 0:
                    yield _read(file, [place])[name].combine_chunks()
                else:  # of a namespace that was not declared when the file was written
                    kind = pa.uint64() if name.startswith("hash_") else pa.string()
                    yield pa.nulls(len(_read(file, [0])), kind)


def join_small_files(paths: Iterable[tuple[Path, int]], folder: Path) -> LinkFiles:
    """Files of links as they are, but for small ones, which are joined into files in `folder`.

    Parameters
    ----------
    paths : iterable of (Path, int)
        Files and their numbers of links, in the order that numbers the links.
    """
    found: list[Path] = []
    for small, group in itertools.groupby(paths, key=lambda file: file[1] < _SMALL_ROWS):
        if not small:
            found += [path for path, _ in group]
            continue
        for joined in in_batches((_whole(path) for path, _ in group), _SMALL_ROWS):
            found.append(folder / f"links-{len(found):06d}.arrow")
            write_links(found[-1], joined.combine_chunks())
    return LinkFiles(tuple(found))


def _whole(path: Path) -> pa.Table:
    with pa.OSFile(str(path)) as file:
        return _read(file, None)


def _read(file: pa.NativeFile, places: list[int] | None) -> pa.Table:
    """Columns of a file of links; all, if no places are given."""
    options = pa.ipc.IpcReadOptions(included_fields=places, use_threads=False)
    return pa.ipc.open_file(file, options=options).read_all()

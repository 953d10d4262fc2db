"""Files of links read a column at a time, small ones joined, say the same as the tables they were written from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from models.identifier_hashes import identifier_hash
from models.links import hash_links
from transforms.link_files import LinkFiles, join_small_files, write_links


def table(values: list[str | None], namespace: str = "user_id") -> pa.Table:
    columns = {f"id_{namespace}": pa.array(values, pa.string()), "events": np.arange(len(values))}
    return hash_links(pa.table(columns), [namespace])


def test_joined_or_not_links_keep_their_order_and_values(tmp_path: Path):
    """Two small files, a large one, another small one with a namespace that the others do not know."""
    many = [f"u{number}" for number in range(1 << 17)]
    tables = [
        table(["ann", None]),
        table(["bob", "ann"]),
        table(many),
        table(["d"], "anonymous_id"),
    ]
    files = []
    for number, links in enumerate(tables):
        files.append((tmp_path / "tables" / f"{number}.arrow", len(links)))
        write_links(files[-1][0], links)
    scratch = tmp_path / "scratch"
    read = join_small_files(files, scratch)
    assert len(read.paths) == 3
    users = [value for piece in read("id_user_id") for value in piece.to_pylist()]
    assert users == ["ann", None, "bob", "ann", *many, None]
    hashes = [value for piece in read("hash_user_id") for value in piece.to_pylist()]
    assert hashes[:4] == [user and identifier_hash("user_id", user) for user in users[:4]]
    browsers = [value for piece in read("id_anonymous_id") for value in piece.to_pylist()]
    assert browsers == [None] * (len(users) - 1) + ["d"]
    numbers = np.concatenate([piece.to_numpy() for piece in read("events")])
    assert numbers.tolist() == [0, 1, 0, 1, *range(1 << 17), 0]


def test_links_of_several_batches_are_read_in_one_piece(tmp_path: Path):
    """A file is a piece, whatever batches it was written in."""
    write_links(tmp_path / "links", pa.concat_tables([table(["ann", None]), table(["bob"])]))
    read = LinkFiles((tmp_path / "links",))
    assert [piece.to_pylist() for piece in read("id_user_id")] == [["ann", None, "bob"]]
    assert [piece.to_pylist() for piece in read("events")] == [[0, 1, 0]]

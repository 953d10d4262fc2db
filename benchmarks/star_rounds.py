"""Connected components by alternating large-star and small-star: rounds and messages, simulated.

    python benchmarks/star_rounds.py

What docs/adr/0006 would run in Beam where identifiers no longer fit one machine's memory. Nothing is distributed
here: the two operations of Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii ("Connected Components in
MapReduce and Beyond", SoCC 2014) are done on whole arrays, and what a shuffle would move is counted.

large-star(u): connect every neighbour of u that is greater than u to the least of u and its neighbours.
small-star(u): connect u and its neighbours that are less than u to the least of them.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Edges = tuple[np.ndarray, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=200_000)
    persons = parser.parse_args().persons
    rng = np.random.default_rng(17)
    print(
        f"{'graph':44} {'nodes':>11} {'edges':>11} {'widest':>9} {'rounds':>7} {'messages':>12} {'a edge':>7}"
    )
    for name, (size, left, right) in {
        "a path of 2^10": path(1 << 10, rng),
        "a path of 2^14": path(1 << 14, rng),
        "a path of 2^18": path(1 << 18, rng),
        "a star of 2^18": (1 << 18, np.zeros((1 << 18) - 1, np.int64), np.arange(1, 1 << 18)),
        "logins, addresses, browsers": identifiers(persons, rng, kiosks=0),
        "the same with 20 kiosks": identifiers(persons, rng, kiosks=20),
        "the same, a quarter at random": identifiers(persons, rng, kiosks=0, strangers=0.25),
    }.items():
        rounds, messages, labels, widest = components(size, left, right)
        graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(size, size))
        count, expected = connected_components(graph.tocsr(), directed=False)
        together = np.unique(labels.astype(np.int64) * count + expected)
        assert len(together) == count == len(np.unique(labels)), "not the connected components"
        print(
            f"{name:44} {size:11,} {len(left):11,} {widest:9,} {rounds:7} {messages:12,} {messages / len(left):7.1f}"
        )


def path(size: int, rng: np.random.Generator) -> tuple[int, np.ndarray, np.ndarray]:
    """The hardest shape: a line, its nodes numbered at random."""
    order = rng.permutation(size)
    return size, order[:-1], order[1:]


def identifiers(
    persons: int, rng: np.random.Generator, kiosks: int, strangers: float = 0.0
) -> tuple[int, np.ndarray, np.ndarray]:
    """A login, an address and 1 to 3 browsers each; a household's tablet for 4% of pairs; kiosks for 2%."""
    devices = rng.choice([1, 2, 3], persons, p=[0.6, 0.3, 0.1])
    owner = np.repeat(np.arange(persons), devices)
    if strangers:
        moved = rng.random(len(owner)) < strangers
        extra = np.flatnonzero(moved), rng.integers(0, persons, int(moved.sum()))
    browser = 2 * persons + np.arange(len(owner))
    home = np.flatnonzero(np.repeat(rng.random(persons // 2) < 0.04, 2))
    tablet = browser[-1] + 1 + home // 2
    size = int(browser[-1] + 1 + persons)
    left = [np.arange(persons), owner, home]
    right = [persons + np.arange(persons), browser, tablet]
    if kiosks:
        guests = np.flatnonzero(rng.random(persons) < 0.02)
        left.append(guests)
        right.append(size + rng.integers(0, kiosks, len(guests)))
    if strangers:
        left.append(extra[1])
        right.append(browser[extra[0]])
    size += kiosks
    number = rng.permutation(size)  # hashes come in no order
    return size, number[np.concatenate(left)], number[np.concatenate(right)]


def components(size: int, left: np.ndarray, right: np.ndarray) -> tuple[int, int, np.ndarray, int]:
    """Rounds (a large-star and a small-star each), messages, labels, most neighbours met by one worker."""
    edges = distinct(left, right, size)
    rounds = messages = widest = 0
    while True:
        rounds += 1
        before = edges
        messages += 2 * len(edges[0])  # each edge goes to both of its ends
        widest = max(widest, int(np.bincount(np.concatenate(edges), minlength=size).max()))
        edges = large_star(*edges, size)
        messages += len(edges[0])  # each edge goes to its greater end
        edges = small_star(*edges, size)
        if len(edges[0]) == len(before[0]) and all(map(np.array_equal, edges, before)):
            break
    labels = np.arange(size)
    labels[edges[0]] = edges[1]
    return rounds, messages, labels, widest


def large_star(greater: np.ndarray, less: np.ndarray, size: int) -> Edges:
    least = np.arange(size)
    np.minimum.at(
        least, greater, less
    )  # the least neighbour of u is less than u, or u is least itself
    return distinct(greater, least[less], size)


def small_star(greater: np.ndarray, less: np.ndarray, size: int) -> Edges:
    least = np.arange(size)
    np.minimum.at(least, greater, less)
    every = np.arange(size)
    moved = least < every
    ends = np.concatenate([less, every[moved]]), np.concatenate([least[greater], least[moved]])
    return distinct(*ends, size)


def distinct(one: np.ndarray, other: np.ndarray, size: int) -> Edges:
    """Edges without repetitions and loops, greater end first."""
    greater, less = np.maximum(one, other), np.minimum(one, other)
    keys = np.unique(greater[greater != less].astype(np.int64) * size + less[greater != less])
    return keys // size, keys % size


if __name__ == "__main__":
    main()

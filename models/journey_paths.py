"""Journeys as paths, and paths as sparse counts.

A *path* is the sequence of touchpoints of a journey with repeats of one touchpoint collapsed: ten
page views in a row say that somebody browsed, not that ten things happened. A `PathCorpus` holds
the paths of many journeys end to end, as integer codes into a shared vocabulary, with offsets,
the way a CSR matrix holds its rows.

What a mixture of Markov chains has to know about a path is how often each *move* was made, START
and END included; nothing else of the order matters to it. `count_moves` gives those counts, one
row a journey, and beside them, for each touchpoint, the channels it came by and the time until
the next. Every column belongs to one *origin*, the thing it is a choice of: the moves out of one
touchpoint are one multinomial, the channels of one touchpoint another, its gaps a third.

Journeys are kept in order of `journey_id`, columns in the order of the vocabulary, so results do
not depend on the order of the input's rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp

__all__ = [
    "GAP_EDGES_S",
    "MoveSpace",
    "PathCorpus",
    "PathVocabulary",
    "count_moves",
    "encode_sorted",
    "path_corpus",
    "path_vocabulary",
]

IntArray = npt.NDArray[np.int64]

GAP_EDGES_S = (10.0, 60.0, 600.0, 3_600.0, 86_400.0, 604_800.0)
"""Bounds of the gap bins, seconds (10 s to 1 week); a gap on a bound is above it."""

_UNKNOWN = -1


@dataclass(frozen=True)
class PathVocabulary:
    """The touchpoints and channels that have a code, each in alphabetic order.

    Corpora to be compared, added or scored by one model must share it.
    """

    touchpoints: tuple[str, ...]
    channels: tuple[str, ...]


@dataclass(frozen=True)
class PathCorpus:
    """Paths of n journeys with m touchpoints in all, repeats collapsed.

    Attributes
    ----------
    journey_ids : pa.StringArray of n, ascending
    vocabulary : PathVocabulary
    offsets : int64 array of n + 1; journey i is ``codes[offsets[i]:offsets[i + 1]]``
    codes : int64 array of m, touchpoint; -1 for one that the vocabulary lacks
    channels : int64 array of m, channel of the first of the repeats; -1 if unknown
    gaps : int64 array of m, bin of the time to the next touchpoint of the path; -1 at its last
    """

    journey_ids: pa.StringArray
    vocabulary: PathVocabulary
    offsets: IntArray
    codes: IntArray
    channels: IntArray
    gaps: IntArray

    @property
    def lengths(self) -> IntArray:
        """Touchpoints of each journey, repeats collapsed."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> IntArray:
        """The journey, 0..n-1, that each of the m touchpoints belongs to."""
        return np.repeat(np.arange(len(self.journey_ids)), self.lengths)


@dataclass(frozen=True)
class MoveSpace:
    """What the columns of `count_moves` mean, for V touchpoints, C channels and B gap bins.

    First come (V + 1)^2 moves, ``origin * (V + 1) + target``, where V is START as an origin and END
    as a target; then V x C channels of touchpoints; then V x B gaps after touchpoints.

    >>> space = MoveSpace(PathVocabulary(("ad", "shop"), ("web",)))
    >>> space.n_moves, space.size
    (9, 25)
    >>> [space.name(column) for column in (1, 5, 6, 9, 11)]
    ['ad > shop', 'shop > END', 'START > ad', 'ad @ web', 'ad # 0']
    >>> space.origins[:9].tolist(), space.origins[9:11].tolist()
    ([0, 0, 0, 1, 1, 1, 2, 2, 2], [3, 4])
    """

    vocabulary: PathVocabulary

    @property
    def n_moves(self) -> int:
        """Number of move columns, which come first."""
        return (len(self.vocabulary.touchpoints) + 1) ** 2

    @property
    def size(self) -> int:
        """Number of columns."""
        v, c = len(self.vocabulary.touchpoints), len(self.vocabulary.channels)
        return self.n_moves + v * c + v * _N_GAPS

    @property
    def origins(self) -> IntArray:
        """The multinomial that each column is a choice of, numbered from 0."""
        v, c = len(self.vocabulary.touchpoints), len(self.vocabulary.channels)
        return np.concatenate(
            [
                np.repeat(np.arange(v + 1), v + 1),
                np.repeat(np.arange(v + 1, 2 * v + 1), c),
                np.repeat(np.arange(2 * v + 1, 3 * v + 1), _N_GAPS),
            ]
        )

    def name(self, column: int) -> str:
        """Spell a column out: move ``'a > b'`` with START and END, channel ``'a @ web'``, gap ``'a # 2'``."""
        touchpoints, channels = self.vocabulary.touchpoints, self.vocabulary.channels
        block = self.block(column)
        if block == "move":
            origin, target = divmod(column, len(touchpoints) + 1)
            return f"{(*touchpoints, 'START')[origin]} > {(*touchpoints, 'END')[target]}"
        column -= self.n_moves
        if block == "channel":
            origin, channel = divmod(column, len(channels))
            return f"{touchpoints[origin]} @ {channels[channel]}"
        origin, gap = divmod(column - len(touchpoints) * len(channels), _N_GAPS)
        return f"{touchpoints[origin]} # {gap}"

    def block(self, column: int) -> Literal["move", "channel", "gap"]:
        """What kind of column it is."""
        if column < self.n_moves:
            return "move"
        v, c = len(self.vocabulary.touchpoints), len(self.vocabulary.channels)
        return "channel" if column < self.n_moves + v * c else "gap"


def path_vocabulary(steps: pa.Table) -> PathVocabulary:
    """Collect the vocabulary of a table of steps (columns `touchpoint`, `channel`)."""
    return PathVocabulary(*(_distinct(steps[name]) for name in ("touchpoint", "channel")))


def path_corpus(steps: pa.Table, vocabulary: PathVocabulary) -> PathCorpus:
    """Collapse the steps of journeys into paths.

    Parameters
    ----------
    steps : pa.Table
        `journey_id`, `step` (unique within the journey, ascending in time), `touchpoint`,
        `channel`, `dwell_s` (seconds to the journey's next step, null at its last); rows in any
        order, strings plain or dictionary-encoded.
    vocabulary : PathVocabulary
        Touchpoints and channels with a code.

    Examples
    --------
    >>> steps = pa.table({"journey_id": ["b", "a", "a", "a"], "step": [1, 3, 1, 2],
    ...     "touchpoint": ["ad", "buy", "shop", "shop"], "channel": ["web"] * 4,
    ...     "dwell_s": [None, None, 5.0, 70.0]})
    >>> corpus = path_corpus(steps, path_vocabulary(steps))
    >>> corpus.journey_ids.to_pylist(), corpus.offsets.tolist(), corpus.codes.tolist()
    (['a', 'b'], [0, 2, 3], [2, 1, 0])
    >>> corpus.gaps.tolist()
    [2, -1, -1]
    """
    journey_ids, journey = encode_sorted(steps["journey_id"])
    step = steps["step"].to_numpy().astype(np.int64)
    key = journey * (int(step.max(initial=0)) + 1) + step
    if np.all(key[1:] > key[:-1]):
        order: slice | IntArray = slice(None)
    else:
        order = np.argsort(key)
    journey = journey[order]
    touchpoint = _encode(steps["touchpoint"], vocabulary.touchpoints)[order]
    channel = _encode(steps["channel"], vocabulary.channels)[order]
    dwell_s = steps["dwell_s"].to_numpy().astype(np.float64)[order]

    opens = np.ones(len(journey), dtype=bool)
    opens[1:] = (journey[1:] != journey[:-1]) | (touchpoint[1:] != touchpoint[:-1])
    first = np.flatnonzero(opens)
    gap_s = np.add.reduceat(dwell_s, first) if len(first) else np.empty(0)
    offsets = np.searchsorted(journey[first], np.arange(len(journey_ids) + 1))
    gaps = np.digitize(gap_s, GAP_EDGES_S)
    gaps[np.isnan(gap_s)] = _UNKNOWN
    return PathCorpus(
        journey_ids=journey_ids,
        vocabulary=vocabulary,
        offsets=offsets,
        codes=touchpoint[first],
        channels=channel[first],
        gaps=gaps,
    )


def count_moves(corpus: PathCorpus) -> sp.csr_array:
    """Count moves, channels and gaps of each journey, columns as `MoveSpace` lays them out.

    What touches an unknown touchpoint, channel or gap is left out.

    Returns
    -------
    float64 csr_array of shape (n journeys, `MoveSpace.size`), indices sorted.
    """
    space = MoveSpace(corpus.vocabulary)
    v, c = len(corpus.vocabulary.touchpoints), len(corpus.vocabulary.channels)
    n, rows, codes = len(corpus.journey_ids), corpus.rows, corpus.codes
    starts, ends = corpus.offsets[:-1], corpus.offsets[1:] - 1

    target = np.append(codes[1:], v)
    target[ends] = v
    move = np.where((codes < 0) | (target < 0), _UNKNOWN, codes * (v + 1) + target)
    entry = np.where(codes[starts] < 0, _UNKNOWN, v * (v + 1) + codes[starts])
    channel = np.where(
        (codes < 0) | (corpus.channels < 0), _UNKNOWN, space.n_moves + codes * c + corpus.channels
    )
    gap = np.where(
        (codes < 0) | (corpus.gaps < 0),
        _UNKNOWN,
        space.n_moves + v * c + codes * _N_GAPS + corpus.gaps,
    )
    column = np.concatenate([move, entry, channel, gap])
    row = np.concatenate([rows, np.arange(n), rows, rows])
    known = column >= 0
    column, row = column[known], row[known]
    counts = sp.coo_array((np.ones(len(row)), (row, column)), shape=(n, space.size)).tocsr()
    counts.sum_duplicates()
    return counts


_N_GAPS = len(GAP_EDGES_S) + 1


def _dictionary(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """One dictionary array of plain strings; values may repeat or be unused."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # no chunks at all
        array = pa.array([], column.type)
    return pa.DictionaryArray.from_arrays(array.indices, array.dictionary.cast(pa.string()))


def _distinct(column: pa.ChunkedArray) -> tuple[str, ...]:
    encoded = _dictionary(column)
    used = encoded.dictionary.take(pc.unique(encoded.indices).drop_null())
    return tuple(sorted(set(used.to_pylist())))


def _encode(column: pa.ChunkedArray, values: tuple[str, ...]) -> IntArray:
    """Position of each entry in `values`, -1 where it has none."""
    encoded = _dictionary(column)
    place = pc.index_in(encoded.dictionary, value_set=pa.array(values, pa.string()))
    table = np.append(pc.fill_null(place, _UNKNOWN).to_numpy().astype(np.int64), _UNKNOWN)
    return table[pc.fill_null(encoded.indices, len(table) - 1).to_numpy()]


def encode_sorted(column: pa.ChunkedArray) -> tuple[pa.StringArray, IntArray]:
    """Return the distinct entries of a text column, ascending, and each row's place among them."""
    encoded = _dictionary(column)
    values = encoded.dictionary.take(pc.unique(encoded.indices)).unique()
    values = values.take(pc.array_sort_indices(values))
    place = pc.fill_null(pc.index_in(encoded.dictionary, value_set=values), 0)
    return values, place.to_numpy().astype(np.int64)[encoded.indices.to_numpy()]

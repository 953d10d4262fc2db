"""The plain way to cluster paths: TF-IDF of n-grams, SVD, k-means.

A path is read as a text whose words are its runs of one, two and three touchpoints. Rare words
weigh more (TF-IDF), a singular value decomposition keeps the main directions, k-means cuts the
space. It gives clusters of any data, noise too, and cannot say how many there are or how sure it
is. `search_kmeans` therefore makes a Markov chain of each cluster (k-means, then chains), which the
gates of `models.persona_selection` judge like any other and which give every journey a posterior.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import ClusterMixin
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils.validation import check_is_fitted

from models.count_estimator import CountEstimator
from models.journey_paths import PathCorpus
from models.markov_mixture import CountData, MixtureParameters
from models.persona_selection import BoolArray, Search, Units
from models.shared_habits import share_habits

__all__ = ["TfidfKMeans", "count_ngrams", "search_kmeans"]

IntArray = npt.NDArray[np.int64]


def count_ngrams(corpus: PathCorpus, longest: int = 3) -> sp.csr_array:
    """How often each journey holds each run of 1 to `longest` touchpoints.

    Returns
    -------
    csr_array of shape (n journeys, V + V^2 + ... ) for V touchpoints. Runs with an unknown
    touchpoint are left out.
    """
    v, n, rows = len(corpus.vocabulary.touchpoints), len(corpus.journey_ids), corpus.rows
    blocks = []
    code, known = np.zeros(len(rows), np.int64), np.ones(len(rows), dtype=bool)
    for length in range(1, longest + 1):
        last = corpus.codes[length - 1 :]
        code = code[: len(last)] * v + last
        known = known[: len(last)] & (last >= 0) & (rows[: len(last)] == rows[length - 1 :])
        place = rows[: len(last)][known], code[known]
        blocks.append(sp.csr_array((np.ones(known.sum()), place), shape=(n, v**length)))
    counts = sp.csr_array(sp.hstack(blocks, format="csr"))
    counts.sum_duplicates()
    return counts


class TfidfKMeans(ClusterMixin, CountEstimator):
    """K-means on the main directions of TF-IDF.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.
    n_directions : int
        Directions kept of the singular value decomposition, if there are more.
    random_state : int, RandomState or None
        Seed.

    Attributes
    ----------
    labels_ : int array of shape (n_samples,), cluster of each training row
    columns_ : int array, the columns that occur in training; others are left out
    pipeline_ : the fitted steps
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.array([[2, 0, 1], [3, 0, 1], [0, 2, 1]])
    >>> labels = TfidfKMeans(2, random_state=0).fit_predict(counts)
    >>> labels[0] == labels[1] != labels[2]
    np.True_
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_directions: int = 50,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_directions = n_directions
        self.random_state = random_state

    def fit(self, X: Any, y: object = None) -> Self:
        """Fit to counts of shape (n_samples, n_features), sparse or dense, none negative."""
        counts = self.counts(X, reset=True)
        self.columns_: IntArray = np.unique(counts.indices)
        occurring = counts[:, self.columns_]
        directions = min(self.n_directions, *(size - 1 for size in occurring.shape))
        self.pipeline_: Pipeline = make_pipeline(
            TfidfTransformer(sublinear_tf=True),
            TruncatedSVD(max(directions, 1), random_state=self.random_state),
            Normalizer(),
            KMeans(self.n_clusters, n_init=10, random_state=self.random_state),
        )
        self.labels_ = self.pipeline_.fit_predict(occurring)
        return self

    def predict(self, X: Any) -> IntArray:
        """Find the cluster of each row."""
        check_is_fitted(self)
        return self.pipeline_.predict(self.counts(X, reset=False)[:, self.columns_])


def search_kmeans(ngrams: sp.csr_array, n_personas: int, seed: int) -> Search:
    """Search by k-means with the given number of clusters, each then described by its chain.

    `ngrams` are those of the units (`count_ngrams`, summed over a customer's journeys).
    """

    def search(units: Units, mine: BoolArray | slice, least: int) -> dict[int, MixtureParameters]:
        counts, n = units.counts[mine], units.counts[mine].shape[0]
        clusters = TfidfKMeans(min(n_personas, n), random_state=seed).fit_predict(ngrams[mine])
        every = CountData(
            rows=counts,
            weights=np.ones(n),
            keys=np.zeros(n, np.uint64),
            pseudo_counts=units.data(mine).pseudo_counts,
            origins=units.origins,
        )
        members = np.eye(n_personas)[clusters]
        found = {1: every.maximise(np.ones((n, 1)))}
        found[n_personas] = share_habits(every, members).maximise(members)
        return {k: parameters for k, parameters in found.items() if k >= least}

    return search

"""What estimators of counts have in common: sparse or dense rows, none negative.

`MarkovMixture` and `TfidfKMeans` both read a table of counts, a row a journey or a customer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

__all__ = ["CountEstimator"]


class CountEstimator(BaseEstimator):
    """A scikit-learn estimator that fits counts of shape (n_samples, n_features)."""

    def counts(self, X: Any, *, reset: bool) -> sp.csr_array:
        """Check the counts and bring them to canonical sparse form.

        `reset` is true where the estimator learns the number of features, in `fit`.
        """
        checked = validate_data(
            self, X, accept_sparse="csr", dtype=np.float64, reset=reset, ensure_non_negative=True
        )
        counts = sp.csr_array(checked)
        counts.sum_duplicates()
        counts.eliminate_zeros()
        return counts

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        return tags

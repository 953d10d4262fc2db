"""retentioneering's clusters of paths: k-means on its event counts, as its documentation shows.

Runs in an environment of its own. Writes the labels for the given number of clusters, and the number
that its silhouette grid chooses.
"""

from __future__ import annotations

import json
import sys

import pandas as pd
from retentioneering import Eventstream

if __name__ == "__main__":
    steps, answer, planted = sys.argv[1], sys.argv[2], int(sys.argv[3])
    schema = {"path_cols": ["journey_id"], "event_col": "touchpoint", "timestamp_col": "time"}
    stream = Eventstream(pd.read_parquet(steps), schema)
    features = [{"metric": "event_count_bulk"}]
    labels = None
    if planted > 1:
        given = stream.cluster_analysis_data(
            features=features, method_args={"n_clusters": planted}, scaler="minmax"
        )
        labels = {str(k): str(v) for k, v in given["cluster_labels"].items()}
    free = stream.cluster_analysis_data(
        features=features, method_args={"n_clusters": "2-12"}, scaler="minmax"
    )
    chosen = int(free["best_params"]["method_args"]["n_clusters"])
    with open(answer, "w", encoding="utf-8") as file:
        json.dump({"labels": labels, "chosen": chosen}, file)

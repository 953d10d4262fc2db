"""retentioneering's share of the work: load a CSV of user, event and time, split it into sessions.

Runs in an environment of its own, in which only retentioneering is installed. It is given cleaned
columns: parsing JSON, dead letters, duplicates and identity are not part of what it does.
"""

from __future__ import annotations

import sys

from retentioneering import Eventstream

if __name__ == "__main__":
    schema = {"path_cols": ["user_id"], "event_col": "event", "timestamp_col": "timestamp"}
    stream = Eventstream(sys.argv[1], schema)
    split = stream.split_sessions(timeout="30m")
    split.to_dataframe().to_parquet(sys.argv[2])

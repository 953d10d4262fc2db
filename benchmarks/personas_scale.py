"""Fit and assign all journeys of a folder of buckets, as the job does: sample, fit, assign.

Prints one line of JSON: seconds of each part, personas found, agreement with the truth.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.metrics import adjusted_rand_score

from contracts.config import Personas
from models.journey_sample import sample_bound, sample_hashes, sampled_steps
from models.personas import PersonaModel, apply_personas, fit_personas

_STEPS = ["journey_id", "customer_id", "step", "touchpoint", "channel", "dwell_s"]


def _read(path: Path, columns: list[str] = _STEPS) -> pa.Table:
    texts = ["journey_id", "customer_id", "touchpoint", "channel"]
    table = pq.read_table(path, columns=columns, read_dictionary=texts, use_threads=False)
    return table.unify_dictionaries().combine_chunks()


def main(folder: Path) -> None:
    config, paths = Personas(), sorted(folder.glob("*.parquet"))
    size, least = config.fit_sample, config.min_touchpoints
    clock = [time.perf_counter()]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        hashes = list(pool.map(lambda path: sample_hashes(_read(path), size, least), paths))
        bound = sample_bound(hashes, size)
        drawn = pool.map(lambda path: sampled_steps(_read(path), bound, least), paths)
        sample = pa.concat_tables(drawn).unify_dictionaries().combine_chunks()
        clock.append(time.perf_counter())
        model = fit_personas(sample, config)
        clock.append(time.perf_counter())
        found = list(pool.map(lambda path: _assign(path, model), paths))
        clock.append(time.perf_counter())
    numbers, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
    persona, oracle, lengths = (
        np.load(folder / f"{n}.npy")[numbers] for n in ("persona", "oracle", "lengths")
    )
    print(
        json.dumps(
            {
                "journeys": len(labels),
                "steps": int(lengths.sum()),
                "sample_s": clock[1] - clock[0],
                "fit_s": clock[2] - clock[1],
                "assign_s": clock[3] - clock[2],
                "planted": len(set(persona.tolist())) - 1,
                "found": len(model.persona_ids),
                "ari_all": adjusted_rand_score(persona, labels),
                "oracle_all": adjusted_rand_score(persona, oracle),
            }
        )
    )


def _assign(path: Path, model: PersonaModel) -> tuple[np.ndarray, np.ndarray]:
    rows = apply_personas(model, _read(path, [*_STEPS, "stage", "csat"])).journeys
    numbers = np.array([int(j[1:]) for j in rows["journey_id"].to_pylist()])
    labels = pc.index_in(rows["likeliest_id"], pa.array(model.persona_ids))
    return numbers, labels.to_numpy()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

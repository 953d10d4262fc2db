"""Personas held against planted truth, other clusterings, real data and themselves.

    python benchmarks/personas.py worlds nulls stability real scale   # all of it, an hour or two
    python benchmarks/personas.py --record                            # write docs/personas.md from what ran

Every world (`persona_worlds`) is one file of results under `build/benchmarks/personas`; what is there is
not run again. Seeds are those of this benchmark alone.

Beside footpath run, on the same worlds: scikit-learn's k-means on TF-IDF of 1-3-grams (SVD 50), its HDBSCAN
on SVD 10, and retentioneering's clusters (k-means on event counts) in an environment of its own.
k-means is *given* the planted number for the agreement; for the number and for null worlds it
chooses by silhouette among 2 to 12, as retentioneering advises.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp
from persona_worlds import FAMILIES, NULLS, World, draw_world
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.preprocessing import Normalizer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from datetime import UTC, datetime

from measure import measure
from sessions import _environment

from contracts.config import Personas
from contracts.loading import load_config
from footpath.running import run_stages
from models.customer_pooling import Customers
from models.journey_paths import MoveSpace, PathCorpus, count_moves, path_corpus, path_vocabulary
from models.journey_sample import hash_numbers
from models.markov_mixture import CountData, MixtureParameters, posteriors
from models.persona_ledger import Published, known_after, next_model
from models.persona_selection import Units, search_path
from models.personas import UNDETERMINED, apply_personas, fit_personas
from models.shared_habits import settle, share_habits
from models.tfidf_kmeans import TfidfKMeans, count_ngrams

_ROOT = Path(__file__).resolve().parent.parent
_SEEDS = {80_000: range(9_211, 9_214), 10_000: range(9_111, 9_117)}
_POOLED_SEEDS = range(9_311, 9_312)
_NULL_SEEDS = range(9_411, 9_419)
_STABLE_SEEDS = range(9_511, 9_513)
_CONFIG = Personas()
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_TELLING = 5
_CONFIDENT = 0.6
_SILHOUETTE_SAMPLE = 2_000
_FOLDS = 5
_PAIR_PRIOR = 30.0
_HELD_OUT_SIZES = (1, 2, 3, 4, 8)
_Result = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {"worlds": worlds, "nulls": nulls, "stability": stability, "real": real, "scale": scale}
    parser.add_argument("parts", nargs="*", choices=[*parts, []], default=[])
    parser.add_argument("--work", type=Path, default=Path("build/benchmarks"))
    parser.add_argument("--most", type=int, default=10_000, help="run no more than so many now")
    parser.add_argument("--record", action="store_true", help="write docs/personas.md")
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    left = arguments.most
    for part in arguments.parts:
        for name, run in parts[part](work):
            path = work / "personas" / f"{name}.json"
            if path.exists() or not left:
                continue
            left -= 1
            path.parent.mkdir(parents=True, exist_ok=True)
            result = run()
            path.write_text(json.dumps(result), "utf-8")
            print(name, json.dumps(result), flush=True)
    if arguments.record:
        from personas_report import report

        text = report(
            {p.stem: json.loads(p.read_text()) for p in (work / "personas").glob("*.json")}
        )
        (_ROOT / "docs" / "personas.md").write_text(text, "utf-8")


def worlds(work: Path) -> Iterator[tuple[str, Callable[[], _Result]]]:
    """Worlds with planted personas: 10k and 80k customers with a journey each, and pooled ones."""
    for n, seeds in _SEEDS.items():
        for seed in seeds:
            for family in FAMILIES:
                yield (
                    f"world-{n}-{family}-{seed}",
                    lambda n=n, f=family, s=seed: _compare(work, draw_world(f, n, s), n <= 10_000),
                )
    for family in FAMILIES:
        for seed in _POOLED_SEEDS:
            yield (
                f"pooled-25000-{family}-{seed}",
                lambda f=family, s=seed: _ours(draw_world(f, 25_000, s, journeys_each=2.5)),
            )


def nulls(work: Path) -> Iterator[tuple[str, Callable[[], _Result]]]:
    """Worlds with nothing to find: a journey each, and several of one customer."""
    for seed in _NULL_SEEDS:
        for family in NULLS:
            each = 1.0 if seed % 2 else 2.5
            yield (
                f"null-{family}-{seed}",
                lambda f=family, s=seed, e=each: _compare(
                    work, draw_world(f, 10_000, s, journeys_each=e), s < _NULL_SEEDS[0] + 3
                ),
            )


def stability(work: Path) -> Iterator[tuple[str, Callable[[], _Result]]]:
    """Refits: on 5% more, after drift, and with a persona that was not there before."""
    for family in FAMILIES:
        for seed in _STABLE_SEEDS:
            yield f"stable-{family}-{seed}", lambda f=family, s=seed: _refits(f, 20_000, s)


def real(work: Path) -> Iterator[tuple[str, Callable[[], _Result]]]:
    """Real sequences: held-out log likelihood a touchpoint."""
    for example in ("completejourney", "ecom"):
        yield f"real-{example}", lambda e=example: _held_out(work, e)


def scale(work: Path) -> Iterator[tuple[str, Callable[[], _Result]]]:
    """A million journeys, the number of personas automatic."""
    for kind, side_data in (("sequence", False), ("side", True)):
        yield f"scale-{kind}", lambda k=kind, s=side_data: _scale(work, k, s)


def _ours(world: World) -> _Result:
    started = time.process_time()
    model = fit_personas(_fit_columns(world), _CONFIG)
    rows = apply_personas(model, world.steps).journeys
    cpu_s = time.process_time() - started
    found = len(model.persona_ids) if model.has_structure else 1
    oracle = (
        world.customer_oracle if world.customers[-1] + 1 < len(world.customers) else world.oracle
    )
    telling = world.lengths >= _TELLING
    result = {
        "planted": world.planted,
        "found": found,
        "grade": model.grade,
        "reason": model.reason,
        "loyalty": model.loyalty,
        "oracle": _agreement(world, oracle, telling),
        "oracle_all": _agreement(world, oracle),
        "oracle_confident": _agreement(world, oracle, world.certainty >= _CONFIDENT),
        "oracle_covered": float((world.certainty >= _CONFIDENT).mean()),
        "cpu_s": cpu_s,
    }
    if found > 1:
        labels = rows["likeliest_id"].to_numpy(zero_copy_only=False)
        firm = rows["confidence"].to_numpy() >= _CONFIDENT
        known = pc.not_equal(rows["persona_id"], UNDETERMINED).to_numpy()
        result |= {
            "ari": _agreement(world, labels, telling),
            "ari_all": _agreement(world, labels),
            "ari_confident": _agreement(world, labels, firm),
            "confident": float(firm.mean()),
            "ari_published": _agreement(world, labels, known),
            "published": float(known.mean()),
            "calibration": _calibration(world, labels, rows["confidence"].to_numpy()),
            "size_error": _size_error(world, labels, model.parameters.log_weights),
        }
    return result


def _compare(work: Path, world: World, slow: bool) -> _Result:
    result = {"footpath": _ours(world)}
    corpus = path_corpus(world.steps, path_vocabulary(world.steps))
    tfidf = TfidfTransformer(sublinear_tf=True).fit_transform(count_ngrams(corpus))
    telling = world.lengths >= _TELLING

    def judged(choose: Callable[[int | None], np.ndarray]) -> _Result:
        started = time.process_time()
        given = choose(world.planted) if world.planted > 1 else None
        cpu_s = time.process_time() - started
        free = choose(None) if slow else np.empty(0)
        return {
            "ari": None if given is None else _agreement(world, given, telling),
            "ari_all": None if given is None else _agreement(world, given),
            "found": len(set(free[free >= 0].tolist())) if slow else None,
            "cpu_s": cpu_s,
        }

    points = Normalizer().fit_transform(TruncatedSVD(50, random_state=0).fit_transform(tfidf))
    result["k-means on TF-IDF"] = judged(lambda k: _kmeans(points, k))
    if slow:
        few = TruncatedSVD(10, random_state=0).fit_transform(tfidf)
        labels = HDBSCAN(min_cluster_size=100, copy=True).fit_predict(few)
        result["HDBSCAN on SVD"] = judged(lambda _: labels)
        result["retentioneering"] = _retentioneering(work, world)
    return result


def _kmeans(points: np.ndarray, k: int | None) -> np.ndarray:
    if k is not None:
        return KMeans(k, n_init=10, random_state=0).fit_predict(points)
    few = points[np.random.default_rng(0).permutation(len(points))[:_SILHOUETTE_SAMPLE]]
    score = {
        k: silhouette_score(few, KMeans(k, n_init=3, random_state=0).fit_predict(few))
        for k in range(2, 13)
    }
    return np.arange(max(score, key=lambda k: score[k]))


def _retentioneering(work: Path, world: World) -> _Result:
    """Its clusters of paths by event counts: with the planted number, and with that of its grid."""
    folder = work / "personas"
    folder.mkdir(parents=True, exist_ok=True)
    steps, answer = folder / "retentioneering.parquet", folder / "retentioneering.out"
    seconds = np.nan_to_num(world.steps["dwell_s"].to_numpy())
    times = np.datetime64("2026-01-01", "us") + np.cumsum(np.r_[0, seconds[:-1]] + 1).astype(
        "timedelta64[s]"
    )
    table = world.steps.select(["journey_id", "touchpoint"]).append_column("time", pa.array(times))
    pq.write_table(
        table.cast(
            pa.schema(
                [
                    ("journey_id", pa.string()),
                    ("touchpoint", pa.string()),
                    ("time", pa.timestamp("us")),
                ]
            )
        ),
        steps,
    )
    script = Path(__file__).parent / "retentioneering_clusters.py"
    command = [_environment(work), script, steps, answer, str(world.planted)]
    taken = measure(
        [str(part) for part in command],
        {"RETENTIONEERING_NO_TRACK": "1", "OMP_NUM_THREADS": "1"},
        folder / "retentioneering.log",
    )
    found = json.loads(answer.read_text("utf-8"))
    result = {"ari": None, "ari_all": None, "found": found["chosen"], "cpu_s": taken.cpu_s}
    if found["labels"] is not None:
        labels = np.array([found["labels"][f"j{i:07d}"] for i in range(len(world.persona))])
        result |= {
            "ari": _agreement(world, labels, world.lengths >= _TELLING),
            "ari_all": _agreement(world, labels),
        }
    return result


def _refits(family: str, n: int, seed: int) -> _Result:
    """How many firm journeys keep their id, and whether any id changes its meaning."""
    world = draw_world(family, n, seed)
    steps = _fit_columns(world)
    numbers = np.array([int(j[1:]) for j in steps["journey_id"].to_pylist()])
    early = numbers < int(0.95 * n)
    known = _publish(steps.filter(pa.array(early)), None)
    before = apply_personas(known.model, world.steps).journeys
    again = _publish(steps, known)
    after = apply_personas(again.model, world.steps).journeys
    old = np.arange(n) < int(0.95 * n)
    firm = old & (before["confidence"].to_numpy() > 0.9)
    ids_before, ids_after = (
        t["persona_id"].to_numpy(zero_copy_only=False) for t in (before, after)
    )

    moved = draw_world(family, n, seed, drift=0.1)
    drifted = _publish(_fit_columns(moved), known)
    after_drift = apply_personas(drifted.model, moved.steps).journeys["likeliest_id"]
    who_before = _who(world.persona, before["likeliest_id"].to_pylist())
    who_drifted = _who(moved.persona, after_drift.to_pylist())

    planted = np.arange(len(world.shares)) < world.planted

    newcomer = int(np.argsort(world.shares[:-1])[len(world.shares) // 2])
    without = _publish(steps.filter(pa.array(world.persona[numbers] != newcomer)), None)
    joined = _publish(steps, without)
    labels = apply_personas(joined.model, world.steps).journeys["likeliest_id"].to_pylist()
    found = [p for p, who in _who(world.persona, labels).items() if who == newcomer]
    return {
        "firm": int(firm.sum()),
        "kept": float((ids_before == ids_after)[firm].mean()),
        "swapped": _swaps(who_before, _who(world.persona, after["likeliest_id"].to_pylist())),
        "personas": [len(f.model.persona_ids) for f in (known, again)],
        "drift_kept": _kept(who_before, who_drifted, planted),
        "drift_noise_kept": _kept(who_before, who_drifted, ~planted),
        "drift_swapped": _swaps(who_before, who_drifted),
        "newcomer_found": bool(found),
        "newcomer_new": bool(found) and not set(found) & set(without.model.persona_ids),
    }


def _publish(steps: pa.Table, last: Published | None) -> Published:
    fitted = next_model(steps, _CONFIG, "run", _NOW, last)
    return known_after(fitted, {p: p for p in fitted.model.persona_ids})


def _who(persona: np.ndarray, labels: list[str]) -> dict[str, int]:
    """The planted persona that each id stands for: that of most of its journeys."""
    ids, codes = np.unique(np.array(labels), return_inverse=True)
    table = np.zeros((len(ids), persona.max() + 1), np.int64)
    np.add.at(table, (codes, persona), 1)
    return dict(zip(ids.tolist(), table.argmax(axis=1).tolist(), strict=True))


def _kept(before: dict[str, int], after: dict[str, int], wanted: np.ndarray) -> tuple[int, int]:
    """Of the ids that stood for one of the wanted: how many still do, and how many they were."""
    same = [after.get(p) == who for p, who in before.items() if wanted[who]]
    return sum(same), len(same)


def _swaps(before: dict[str, int], after: dict[str, int]) -> int:
    """Ids that stand for another planted persona than before, one that had an id of its own."""
    return sum(
        after[p] != who and after[p] in before.values() for p, who in before.items() if p in after
    )


def _held_out(work: Path, example: str) -> _Result:
    """Bits a touchpoint, of customers held out, for mixtures, k-means-then-chains and one chain.

    That one chain is of first order (one persona), and beside it of second.
    """
    steps = _example(work, example)
    corpus = path_corpus(steps, path_vocabulary(steps))
    customers = Customers.read(steps, corpus.journey_ids)
    space = MoveSpace(corpus.vocabulary)
    moves = np.arange(space.size) < space.n_moves
    bits = len(corpus.codes) * np.log(2)
    result: _Result = {"touchpoints": len(corpus.codes), "customers": len(customers.ids)}
    numbers = hash_numbers(customers.ids)
    result["second order"] = _second_order(corpus, numbers[customers.of] % np.uint64(_FOLDS)) / bits
    for units_are, rows in (
        ("customers", customers.membership),
        ("journeys", sp.eye_array(len(corpus.journey_ids), format="csr")),
    ):
        ids = customers.ids if units_are == "customers" else corpus.journey_ids
        # A journey's fold is its customer's: nobody is judged by what was learnt from themselves.
        own = numbers if units_are == "customers" else numbers[customers.of]
        counts = sp.csr_array(rows @ count_moves(corpus))[:, moves]
        units = Units(
            counts,
            np.ones(len(ids), np.int64),
            own,
            space.origins[moves],
            np.flatnonzero(moves),
        )
        ngrams = sp.csr_array(rows @ count_ngrams(corpus))
        fold = own % np.uint64(_FOLDS)
        told = {k: np.zeros((3, len(customers.ids))) for k in _HELD_OUT_SIZES}
        of = np.arange(len(ids)) if units_are == "customers" else customers.of
        for held_out in range(_FOLDS):
            mine, theirs = fold != held_out, fold == held_out
            data = units.data(mine)
            path = search_path(max(_HELD_OUT_SIZES), 0)(units, mine, 1)
            for k in _HELD_OUT_SIZES:
                clusters = TfidfKMeans(k, random_state=0).fit_predict(ngrams[mine])
                found = settle(data, path[k]), *_chains(data, counts[mine], np.eye(k)[clusters])
                for place, parameters in enumerate(found):
                    nats = posteriors(parameters.joint(counts[theirs]))[1]
                    np.add.at(told[k][place], of[theirs], nats)
        for k, (ours, plain, borrowing) in told.items():
            result[f"{units_are}, mixture, {k}"] = -ours.sum() / bits
            for name, theirs in (("plain", plain), ("borrowing", borrowing)):
                result[f"{units_are}, {name}, {k}"] = -theirs.sum() / bits
                error = (ours - theirs).std() * np.sqrt(len(ours)) / bits
                result[f"{units_are}, {name}, error, {k}"] = error
    return result


def _second_order(corpus: PathCorpus, fold: np.ndarray) -> float:
    """Nats that one chain over pairs loses on journeys of folds held out.

    Moves after a pair begin with `_PAIR_PRIOR` of them in the proportions of first order.
    """
    v, n = len(corpus.vocabulary.touchpoints), len(corpus.journey_ids)
    starts, ends = corpus.offsets[:-1], corpus.offsets[1:] - 1
    last = np.r_[v, corpus.codes[:-1]]
    last[starts] = v
    before = np.r_[v, last[:-1]]
    before[starts] = v
    moves = (
        np.r_[before, last[ends]],
        np.r_[last, corpus.codes[ends]],
        np.r_[corpus.codes, np.full(n, v)],
    )
    of = fold[np.r_[corpus.rows, np.arange(n)]]
    nats = 0.0
    for held_out in range(_FOLDS):
        seen = np.zeros((v + 1,) * 3)
        np.add.at(seen, tuple(part[of != held_out] for part in moves), 1.0)
        first = seen.sum(axis=0) + 0.5
        first /= first.sum(axis=1, keepdims=True)
        second = seen + _PAIR_PRIOR * first
        second /= second.sum(axis=2, keepdims=True)
        nats -= np.log(second[tuple(part[of == held_out] for part in moves)]).sum()
    return float(nats)


def _chains(
    pooled: CountData, counts: sp.csr_array, members: np.ndarray
) -> tuple[MixtureParameters, MixtureParameters]:
    """A chain of each cluster: by itself, half a count added to every move; and borrowing from the others."""
    half = np.full(counts.shape[1], 0.5)
    plain = replace(
        pooled, rows=counts, weights=np.ones(len(members)), keys=np.zeros(len(members), np.uint64)
    )
    borrowing = share_habits(plain, members)
    return replace(plain, pseudo_counts=half).maximise(members), borrowing.maximise(members)


def _example(work: Path, example: str) -> pa.Table:
    """Touchpoints of an example, from the whole pipeline."""
    config = load_config(_ROOT / "examples" / example / "footpath.yml")
    warehouse = work / "personas" / f"{example}-warehouse"
    run = run_stages(
        config.model_copy(update={"warehouse": warehouse}),
        ("ingest", "resolve", "sessionize", "journeys"),
        (),
    )
    columns = ["journey_id", "customer_id", "step", "touchpoint", "channel", "dwell_s"]
    paths = run.lake.paths(run.draft, "touchpoints")
    return pa.concat_tables([pq.read_table(p, columns=columns, partitioning=None) for p in paths])


def _scale(work: Path, kind: str, side_data: bool) -> _Result:
    folder = work / "personas" / f"million-{kind}"
    if not folder.exists():
        world = draw_world("markov", 1_000_000, 9_601, side_data=side_data)
        folder.mkdir(parents=True)
        rows = np.searchsorted(
            np.cumsum(world.lengths), np.arange(world.steps.num_rows), side="right"
        )
        for bucket in range(16):
            mine = world.steps.filter(pa.array(rows % 16 == bucket))
            pq.write_table(mine, folder / f"{bucket:02d}.parquet")
        np.save(folder / "persona.npy", world.persona)
        np.save(folder / "oracle.npy", world.oracle)
        np.save(folder / "lengths.npy", world.lengths)
    script = Path(__file__).parent / "personas_scale.py"
    taken = measure(
        [sys.executable, str(script), str(folder)],
        {"PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"},
        folder / "log",
    )
    told = json.loads((folder / "log").read_text("utf-8").strip().splitlines()[-1])
    return {"wall_s": taken.wall_s, "cpu_s": taken.cpu_s, "peak_mb": taken.peak_mb, **told}


def _fit_columns(world: World) -> pa.Table:
    names = ["journey_id", "customer_id", "step", "touchpoint", "channel", "dwell_s"]
    return world.steps.select(names)


def _agreement(world: World, labels: np.ndarray, of: np.ndarray | None = None) -> float:
    chosen = np.ones(len(world.persona), bool) if of is None else of
    return float(adjusted_rand_score(world.persona[chosen], labels[chosen]))


def _calibration(world: World, labels: np.ndarray, confidence: np.ndarray) -> float:
    """Greatest gap between stated and true certainty over tenths of the confidence."""
    who = _who(world.persona, labels.tolist())
    right = np.array([who[label] for label in labels.tolist()]) == world.persona
    gaps = []
    for low in np.arange(0.3, 1.0, 0.1):
        inside = (confidence > low) & (confidence <= low + 0.1)
        if inside.sum() >= 200:
            gaps.append(abs(right[inside].mean() - confidence[inside].mean()))
    return float(max(gaps, default=0.0))


def _size_error(world: World, labels: np.ndarray, log_weights: np.ndarray) -> float:
    """Mean error of the shares of personas that stand for one planted persona alone."""
    who = _who(world.persona, labels.tolist())
    alone = {w: p for p, w in who.items() if list(who.values()).count(w) == 1}
    ids = sorted(who, key=lambda p: int(p[1:]))
    weights = dict(zip(ids, np.exp(log_weights), strict=False))
    return mean([abs(weights[p] - world.shares[w]) for w, p in alone.items()] or [0.0])


if __name__ == "__main__":
    main()

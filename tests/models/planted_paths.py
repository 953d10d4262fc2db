"""Worlds of journeys with planted personas, and the best that anyone could do in them.

Each persona is a first-order Markov chain over touchpoints, its own mix of channels and its own
pace. The oracle knows the chains and gives every journey to the persona of the greatest
posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["PlantedWorld", "planted_world"]

_CHANNELS = np.array(["app", "email", "store", "web"])


@dataclass(frozen=True)
class PlantedWorld:
    """Steps of journeys ``j0000000``, ``j0000001`` ... in random order; truth by that number.

    Customers are ``c0000000`` ..., each with one journey or with `journeys_each` of one persona.
    Lengths are those of the journeys as drawn, before any collapsing; no touchpoint follows itself.
    """

    steps: pa.Table
    persona: npt.NDArray[np.int64]
    oracle: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]


def planted_world(
    n: int,
    k: int,
    seed: int,
    *,
    n_touchpoints: int = 12,
    side_data: bool = False,
    taste: bool = False,
    journeys_each: int = 1,
) -> PlantedWorld:
    """Draw n journeys of k personas.

    One persona is one chain for all. With `taste` each journey bends that chain its own way, so
    that journeys differ by degree but are of no kind.
    """
    random = np.random.default_rng(seed)
    v = n_touchpoints
    sizes = 0.04 + (1 - 0.04 * k) * random.dirichlet(np.full(k, 3.0))
    entry = random.dirichlet(np.full(v, 0.5), size=k)
    shared = random.dirichlet(np.full(v, 0.6), size=v)
    move = 0.5 * shared + 0.5 * random.dirichlet(np.full(v, 0.25), size=(k, v))
    move[:, np.arange(v), np.arange(v)] = 0.0
    move = 0.98 * move / move.sum(axis=2, keepdims=True) + 0.02 * (1 - np.eye(v)) / (v - 1)
    channel = random.dirichlet(np.full(len(_CHANNELS), 0.5), size=(k, v))
    log_gap = random.normal(7.0, 2.0, size=k)

    customer = np.arange(n) // journeys_each
    persona = random.choice(k, size=n, p=sizes)[customer]
    lengths = np.clip(np.round(random.lognormal(1.6, 0.9, size=n)), 1, 100).astype(np.int64)
    log_joint = np.tile(np.log(sizes), (n, 1))
    liking = random.gamma(2.0, size=(n, v)) if taste else np.ones((n, v))
    here = np.zeros(n, np.int64)
    parts = []
    for step in range(1, lengths.max() + 1):
        alive = np.flatnonzero(lengths >= step)
        mine = persona[alive]
        chances = entry[mine] if step == 1 else move[mine, here[alive]]
        reached = _draw(chances * liking[alive], random)
        known = entry[:, reached] if step == 1 else move[:, here[alive], reached]
        log_joint[alive] += np.log(known.T)
        here[alive] = reached
        gap_s = np.exp(random.normal(log_gap[mine], 2.0)) if side_data else np.full(len(mine), 60.0)
        gap_s[lengths[alive] == step] = np.nan
        by = _draw(channel[mine, reached], random) if side_data else np.zeros(len(mine), np.int64)
        parts.append((alive, np.full(len(alive), step), reached, by, gap_s))
    journey, number, touchpoint, by, gap_s = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    order = random.permutation(len(journey))
    ids = pa.array([f"j{i:07d}" for i in range(n)])
    names = pa.array([f"touch_{i:02d}" for i in range(v)])
    steps = pa.table(
        {
            "journey_id": ids.take(pa.array(journey[order])),
            "customer_id": pa.array([f"c{i:07d}" for i in customer.tolist()]).take(
                pa.array(journey[order])
            ),
            "step": pa.array(number[order], pa.int32()),
            "touchpoint": names.take(pa.array(touchpoint[order])),
            "channel": pa.array(_CHANNELS[by[order]].astype(object), pa.string()),
            "dwell_s": pa.array(gap_s[order], from_pandas=True),
            "stage": pa.array(np.where(touchpoint[order] % 2, "odd", "even").tolist()),
            "csat": pa.array(
                np.where(number[order] == 1, persona[journey[order]] / 10, np.nan), from_pandas=True
            ),
        }
    )
    return PlantedWorld(steps, persona, log_joint.argmax(axis=1), lengths)


def _draw(chances: npt.NDArray[np.float64], random: np.random.Generator) -> npt.NDArray[np.int64]:
    """One column of each row, with chances in proportion."""
    cumulative = chances.cumsum(axis=1)
    aim = random.random((len(chances), 1)) * cumulative[:, -1:]
    return (aim >= cumulative).sum(axis=1)

"""Worlds of journeys with planted personas, and what somebody who knew the truth would answer.

Five families plant what may set personas apart, four kinds of *null worlds* plant nothing:

========================  ==========================================================================
markov                    each persona is a first-order Markov chain
scripts                   each persona walks a script of its own, with skips, repeats and slips
composition               each persona draws its touchpoints from its own shares, in no order
order                     all draw the same touchpoints equally often, in orders of their own
pairs                     two personas each share a chain, but not channels and pace
null_iid                  all draw from the same shares
null_chain                all walk the same chain
null_taste                all walk the same chain, each customer bent to a taste of their own
null_memory               all walk the same chain of second order: what is next depends on the last two
========================  ==========================================================================

A world has 6 to 10 personas of 2% to 35% of the customers and 2% who click at random, journeys of 1
to 200 touchpoints with a heavy tail, channels by touchpoint and persona, and pauses of the
persona's pace. The *oracle* knows every parameter and gives each journey, or each customer, the
persona of the greatest posterior; nobody can do better on average.

Nothing here is shared with the project's tests; random numbers come from a stream of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["FAMILIES", "NULLS", "World", "draw_world"]

FAMILIES = ("markov", "scripts", "composition", "order", "pairs")
NULLS = ("null_iid", "null_chain", "null_taste", "null_memory")

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_CHANNELS = ("app", "call", "email", "store", "web")
_NOISE = 0.02
_SHARES = (0.02, 0.35)
_LONGEST = 200
_SCRIPT = 8
_SLIP = 0.15
_ADVANCE = (0.12, 0.73, 0.15)
"""Chances that a script's walker stays, goes on, skips one."""
_PACE_SPREAD = 2.0
_STREAM = 0x666F6F74
"""Sets these worlds apart from any other drawn with the same seed."""


@dataclass(frozen=True)
class World:
    """Journeys and the truth about them.

    Attributes
    ----------
    steps : pa.Table
        `journey_id`, `customer_id`, `step`, `touchpoint`, `channel`, `dwell_s`, and empty `stage`
        and `csat`; rows by journey.
    customers : int array of n, customer of each journey, ascending
    persona : int array of n, the planted persona; the last number is noise
    log_joint : float array of shape (n, K + 1), log of share times likelihood of each journey
    lengths : int array of n, touchpoints
    shares : float array of K + 1, the planted shares of the customers
    planted : K, without the noise; 1 in a null world
    """

    steps: pa.Table
    customers: IntArray
    persona: IntArray
    log_joint: FloatArray
    lengths: IntArray
    shares: FloatArray
    planted: int

    @property
    def oracle(self) -> IntArray:
        """The best answer for each journey by itself."""
        return self.log_joint.argmax(axis=1)

    @property
    def certainty(self) -> FloatArray:
        """The posterior of `oracle`, of each journey by itself."""
        return 1.0 / np.exp(self.log_joint - self.log_joint.max(axis=1)[:, None]).sum(axis=1)

    @property
    def customer_oracle(self) -> IntArray:
        """The best answer for each journey from all journeys of its customer."""
        starts = np.flatnonzero(np.r_[True, self.customers[1:] != self.customers[:-1]])
        times = np.diff(np.r_[starts, len(self.customers)])
        log_shares = np.log(self.shares)
        pooled = np.add.reduceat(self.log_joint - log_shares, starts) + log_shares
        return np.repeat(pooled.argmax(axis=1), times)


@dataclass(frozen=True)
class _Truth:
    """Everything about the walkers: entry (K, V), move (K, V, V), channel (K, V, C), pace (K,).

    Of scripts, the chance of each touchpoint at each place: (K, places, V). Of memory, that of each
    touchpoint after each two: (V, V, V).
    """

    shares: FloatArray
    entry: FloatArray
    move: FloatArray
    channel: FloatArray
    pace: FloatArray
    scripts: FloatArray | None = None
    memory: FloatArray | None = None


def draw_world(
    family: str,
    n: int,
    seed: int,
    *,
    journeys_each: float = 1.0,
    side_data: bool = True,
    loyalty: float = 1.0,
    drift: float = 0.0,
) -> World:
    """Draw a world of n journeys.

    `journeys_each` is the mean number of journeys a customer (geometric, at least 1); `loyalty` the
    chance that a journey follows its customer's persona rather than one drawn anew. Without
    `side_data` channels and pace are everybody's. With `drift` the personas of the same seed are drawn
    that much towards other ones, and other customers come.
    """
    kinds = (*FAMILIES, *NULLS)
    if family not in kinds:
        raise ValueError(f"no family {family}; there are {', '.join(kinds)}")
    random = np.random.default_rng([_STREAM, kinds.index(family), seed])
    truth = _truth(family, random, side_data or family == "pairs")
    if drift:
        random = np.random.default_rng([_STREAM, kinds.index(family), seed, 1])
        truth = _drifted(truth, drift, random)
    k = len(truth.shares)

    times = random.geometric(1.0 / journeys_each, size=n)
    customers = np.repeat(np.arange(n), times)[:n]
    own = random.choice(k, size=customers[-1] + 1, p=truth.shares)
    persona = own[customers]
    strays = random.random(n) >= loyalty
    persona[strays] = random.choice(k, size=int(strays.sum()), p=truth.shares)
    lengths = np.clip(np.rint(random.lognormal(1.5, 1.0, size=n)), 1, _LONGEST).astype(np.int64)
    taste = np.ones((1, truth.entry.shape[1]))
    if family == "null_taste":
        taste = random.gamma(2.0, size=(customers[-1] + 1, truth.entry.shape[1]))[customers]

    walkers = _Walkers(truth, persona, taste, random)
    parts = []
    for step in range(1, int(lengths.max()) + 1):
        alive = np.flatnonzero(lengths >= step)
        touchpoint, channel, gap_s = walkers.step(alive)
        gap_s[lengths[alive] == step] = np.nan
        parts.append((alive, np.full(len(alive), step), touchpoint, channel, gap_s))
    journey, number, touchpoint, channel, gap_s = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    order = np.lexsort((number, journey))
    names = pa.array([f"touch_{i:02d}" for i in range(truth.entry.shape[1])])
    steps = pa.table(
        {
            "journey_id": _ids("j", np.arange(n)).take(pa.array(journey[order])),
            "customer_id": _ids("c", customers).take(pa.array(journey[order])),
            "step": pa.array(number[order], pa.int32()),
            "touchpoint": pa.DictionaryArray.from_arrays(touchpoint[order], names),
            "channel": pa.DictionaryArray.from_arrays(channel[order], pa.array(_CHANNELS)),
            "dwell_s": pa.array(gap_s[order], from_pandas=True),
            "stage": pa.nulls(len(order), pa.string()),
            "csat": pa.nulls(len(order), pa.float64()),
        }
    )
    planted = 1 if family in NULLS else k - 1
    return World(steps, customers, persona, walkers.log_joint, lengths, truth.shares, planted)


def _ids(letter: str, numbers: IntArray) -> pa.StringArray:
    return pa.array([f"{letter}{number:07d}" for number in numbers.tolist()])


def _truth(family: str, random: np.random.Generator, side_data: bool) -> _Truth:
    null = family in NULLS
    k = 1 if null else int(random.integers(6, 11))
    v, c = int(random.integers(12, 19)), len(_CHANNELS)
    shares = np.ones(1) if null else _draw_shares(k, random)
    rows = (k + 1) // 2 if family == "pairs" else k
    of = np.arange(k) // 2 if family == "pairs" else np.arange(k)
    entry = random.dirichlet(np.full(v, 0.7), size=rows)
    if family in ("composition", "null_iid"):
        common = random.dirichlet(np.full(v, 2.0))
        entry = 0.4 * common + 0.6 * random.dirichlet(np.full(v, 0.6), size=rows)
        move = np.repeat(entry[:, None, :], v, axis=1)
    elif family == "order":
        entry = np.full((rows, v), 1.0 / v)
        move = np.stack([_doubly_stochastic(v, random) for _ in range(rows)])
    else:
        shared = random.dirichlet(np.full(v, 0.6), size=v)
        move = 0.45 * shared + 0.55 * random.dirichlet(np.full(v, 0.3), size=(rows, v))
    channel = np.repeat(random.dirichlet(np.full(c, 0.8), size=(1, v)), k, axis=0)
    pace = np.full(k, 7.0)
    if side_data and not null:
        apart = 0.8 if family == "pairs" else 0.4
        own = random.dirichlet(np.full(c, 0.8), size=(k, v))
        channel = (1 - apart) * channel + apart * own
        pace = random.normal(7.0, 2.0 if family == "pairs" else 1.0, size=k)
    entry, move = entry[of], move[of]
    memory = None
    if family == "null_memory":
        memory = 0.5 * move[0] + 0.5 * random.dirichlet(np.full(v, 0.3), size=(v, v))
    scripts = None
    if family == "scripts":
        scripts = np.eye(v)[np.stack([random.permutation(v)[:_SCRIPT] for _ in range(k)])]
    if not null:  # those who click at random
        shares = np.append((1 - _NOISE) * shares, _NOISE)
        entry = np.concatenate([entry, np.full((1, v), 1.0 / v)])
        move = np.concatenate([move, np.full((1, v, v), 1.0 / v)])
        channel = np.concatenate([channel, np.full((1, v, c), 1.0 / c)])
        pace = np.append(pace, 7.0)
    return _Truth(shares, entry, move, channel, pace, scripts, memory)


def _drifted(truth: _Truth, drift: float, random: np.random.Generator) -> _Truth:
    """All but the noise, moved that share of the way towards fresh draws; a script, towards another."""

    def towards(old: FloatArray) -> FloatArray:
        fresh = random.dirichlet(np.full(old.shape[-1], 0.5), size=old.shape[:-1])
        moved = (1 - drift) * old + drift * fresh
        return np.concatenate([moved[:-1], old[-1:]])

    scripts = truth.scripts
    if scripts is not None:
        v = scripts.shape[-1]
        other = np.eye(v)[random.integers(0, v, size=scripts.shape[:-1])]
        scripts = (1 - drift) * scripts + drift * other
    return _Truth(
        truth.shares,
        towards(truth.entry),
        towards(truth.move),
        towards(truth.channel),
        truth.pace,
        scripts,
    )


def _draw_shares(k: int, random: np.random.Generator) -> FloatArray:
    """Shares between 2% and 35%, some small and some large."""
    while True:
        shares = random.dirichlet(np.full(k, 1.5))
        if shares.min() >= _SHARES[0] and shares.max() <= _SHARES[1]:
            return shares


def _doubly_stochastic(v: int, random: np.random.Generator) -> FloatArray:
    """A chain that visits all v touchpoints equally often (Sinkhorn)."""
    move = 0.02 + random.gamma(0.35, size=(v, v))
    for _ in range(500):
        move /= move.sum(axis=1, keepdims=True)
        move /= move.sum(axis=0, keepdims=True)
    return move / move.sum(axis=1, keepdims=True)


class _Walkers:
    """All journeys, a step at a time, with the likelihood of each under each persona."""

    def __init__(
        self, truth: _Truth, persona: IntArray, taste: FloatArray, random: np.random.Generator
    ) -> None:
        self._truth, self._persona, self._taste, self._random = truth, persona, taste, random
        n, k = len(persona), len(truth.shares)
        self.log_joint = np.tile(np.log(truth.shares), (n, 1))
        self._here, self._before = np.full((2, n), -1)
        self._arrival_scripts: FloatArray | None = None
        if truth.scripts is not None:
            self._pointer = np.where(random.random(n) < 0.7, 0, random.integers(0, _SCRIPT, size=n))
            first = np.full(_SCRIPT, 0.3 / _SCRIPT)
            first[0] += 0.7
            self._arrival_scripts = np.tile(first, (n, k - 1, 1))

    def step(self, alive: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """One touchpoint of each journey in `alive`: touchpoint, channel, seconds to the next."""
        truth, mine = self._truth, self._persona[alive]
        if truth.scripts is None:
            touchpoint = self._walk(alive, mine)
        else:
            touchpoint = self._follow_script(alive, mine, truth.scripts)
        self._before[alive], self._here[alive] = self._here[alive], touchpoint
        channel = _choose(truth.channel[mine, touchpoint], self._random)
        self.log_joint[alive] += np.log(truth.channel[:, touchpoint, channel]).T
        log_gap = self._random.normal(truth.pace[mine], _PACE_SPREAD)
        self.log_joint[alive] -= 0.5 * ((log_gap[:, None] - truth.pace) / _PACE_SPREAD) ** 2
        return touchpoint, channel, np.exp(log_gap)

    def _walk(self, alive: IntArray, mine: IntArray) -> IntArray:
        truth, here = self._truth, self._here[alive]
        first = here[0] < 0
        chances = truth.entry[mine] if first else truth.move[mine, here]
        if truth.memory is not None and (before := self._before[alive])[0] >= 0:
            chances = truth.memory[before, here]
        taste = self._taste if len(self._taste) == 1 else self._taste[alive]
        touchpoint = _choose(chances * taste, self._random)
        known = truth.entry[:, touchpoint] if first else truth.move[:, here, touchpoint]
        self.log_joint[alive] += np.log(known.T)
        return touchpoint

    def _follow_script(self, alive: IntArray, mine: IntArray, scripts: FloatArray) -> IntArray:
        """Walk the script or slip; the likelihood by the forward algorithm over the pointer."""
        random, v = self._random, self._truth.entry.shape[1]
        k = len(scripts)
        slips = (random.random(len(alive)) < _SLIP) | (mine == k)
        on_script = _choose(scripts[np.minimum(mine, k - 1), self._pointer[alive]], random)
        touchpoint = np.where(slips, random.integers(0, v, size=len(alive)), on_script)
        moved = random.choice(3, size=len(alive), p=_ADVANCE)
        self._pointer[alive] = (self._pointer[alive] + moved) % _SCRIPT
        assert self._arrival_scripts is not None
        arrival = self._arrival_scripts[alive]
        shown = scripts.transpose(2, 0, 1)[touchpoint] * (1 - _SLIP) + _SLIP / v
        seen = arrival * shown
        likelihood = seen.sum(axis=2)
        self.log_joint[alive, :k] += np.log(likelihood)
        self.log_joint[alive, k] -= np.log(v)
        seen /= likelihood[:, :, None]
        self._arrival_scripts[alive] = sum(
            chance * np.roll(seen, by, axis=2) for by, chance in enumerate(_ADVANCE)
        )
        return touchpoint


def _choose(chances: FloatArray, random: np.random.Generator) -> IntArray:
    """One column of each row, with chances in proportion."""
    cumulative = chances.cumsum(axis=1)
    aim = random.random((len(chances), 1)) * cumulative[:, -1:]
    return (aim >= cumulative).sum(axis=1)

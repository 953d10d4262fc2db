"""Opportunities: touchpoints after which people get further than after others of their kind.

The naive question, whether journeys that hold a touchpoint convert more, finds that long journeys
hold more of everything. The honest one is asked *of those at risk, by position*: of the journeys
that come to the touchpoint as their third, say, and have not been at the target, how many go there
next, and how many of those whose third is another touchpoint of the same stage? The
others' rates are weighted by the positions of those who were here (direct standardisation).

Targets are steps of later stages that count: nine of ten conversions come by them, and being there
doubles the odds to convert. Touchpoints that nine of ten conversions come by are part of the way and
not an offer on it; they are neither tested nor what others are held against. One that two of three come
from to the target is its door, and not tested. Nor is a touchpoint held against one that has no way to
the target: who stands where no link leads there was not persuaded less. *Ways* to a target are the
touchpoints of the stage from which it is reached at least a quarter as often as from all of them
together. Of fewer than three others nobody can say how much they differ by themselves: there is no test.
Contacts and errors are left out.

Null hypothesis: the ratio is at most 4/3, or what the other touchpoints of the stage have by themselves
(their median and two and a half median absolute deviations of its logarithm), and a difference under
five points is not told; one-sided, Benjamini-Hochberg over all pairs. A touchpoint has one finding: its
target with the largest firm difference. It is an association: people who choose to look at something
are not like those who don't.

References
----------
.. [1] K. J. Rothman, S. Greenland, T. L. Lash, *Modern Epidemiology*, 3rd edition 2008, chapters 3-4
   (standardisation, risk ratios).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from contracts.sql_text import literal
from models.absorbing_chain import START
from models.intervals import benjamini_hochberg
from models.pain_points.daily import StepCounts
from models.pain_points.finding import Contrast, Finding
from models.pain_points.settings import Settings
from models.step_counts import POSITIONS

__all__ = ["find_opportunities"]

FALSE_DISCOVERY = 0.05
RATIO = 4 / 3
"""A rate this many times that of others is nothing special."""
EXCESS = 0.05
"""A difference that is worth a finding."""
_SPREADS = 2.5
_PART_OF_THE_WAY = 0.9
_DOOR = 2 / 3
_WAY = 0.25
_COUNTS = 0.9
_ODDS = 2.0
_PEERS = 3
_FEWEST = 10

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Pair:
    """A touchpoint and what comes after it, by position: at risk and reached, here and elsewhere."""

    node: str
    target: str
    peers: tuple[str, ...]
    here: tuple[Floats, Floats]
    there: tuple[Floats, Floats]

    @property
    def rates(self) -> tuple[float, float, float]:
        """Rate here, standardised rate elsewhere, and the variance of the latter."""
        (n1, x1), (n0, x0) = self.here, self.there
        weight = n1 / n1.sum()
        rate = x0 / n0
        variance = float((weight**2 * rate * (1 - rate) / n0).sum())
        return float(x1.sum() / n1.sum()), float((weight * rate).sum()), variance

    @property
    def log_ratio(self) -> tuple[float, float]:
        """Logarithm of the ratio of rates, and its standard error."""
        rate, base, variance = self.rates
        n = self.here[0].sum()
        error = np.sqrt((1 - rate) / (n * rate) + variance / base**2)
        return float(np.log(rate / base)), float(error)


def find_opportunities(counts: StepCounts, settings: Settings) -> list[Finding]:
    """Find touchpoints after which more people go on to a later stage than after others like them."""
    pairs = list(_pairs(counts, settings))
    if not pairs:
        return []
    tests = []
    for pair in pairs:
        peers = np.array(
            [
                other.log_ratio[0]
                for other in pairs
                if other.target == pair.target
                and other.node != pair.node
                and settings.stage_of[other.node] == settings.stage_of[pair.node]
            ]
        )
        margin = np.log(RATIO)
        if len(peers):
            middle = float(np.median(peers))
            margin = max(margin, middle + _SPREADS * float(np.median(np.abs(peers - middle))))
        ratio, error = pair.log_ratio
        tests.append(float(norm.sf((ratio - margin) / error)))
    q_values = benjamini_hochberg(tests)
    best: dict[str, Finding] = {}
    for pair, p, q in zip(pairs, tests, q_values.tolist(), strict=True):
        rate, base, _ = pair.rates
        if q > FALSE_DISCOVERY or rate - base < EXCESS:
            continue
        found = _finding(pair, p, q, settings)
        if pair.node not in best or found.score > best[pair.node].score:
            best[pair.node] = found
    return list(best.values())


def _pairs(counts: StepCounts, settings: Settings) -> Iterator[_Pair]:
    bins = POSITIONS + 1
    reached, before, onward = (
        counts.binned("position", name, bins) for name in ("reached", "before", "onward")
    )
    decided, unconverted = (counts.binned("whole", name, 1) for name in ("decided", "unconverted"))

    def of(node: str, target: str = "") -> tuple[str, str, str, str]:
        return ("all", "all", node, target)

    def converting(node: str) -> float:
        return float((decided.of([of(node)]) - unconverted.of([of(node)])).sum())

    bought = converting(START)
    came = counts.binned("whole", "from", 1)
    odds = {n: c / (1 - c) if c < 1 else np.inf for n, c in settings.chance.items()}

    def counts_for(target: str) -> bool:
        """Whether reaching the target is getting somewhere."""
        if target in settings.conversions:
            return True
        doubles = odds.get(target, 0.0) >= _ODDS * odds.get(START, np.inf)
        return doubles and converting(target) >= _COUNTS * bought

    def is_door(node: str, target: str) -> bool:
        arrivals = sum(came.of([of(target, other)]).sum() for other in plain)
        return bool(came.of([of(target, node)]).sum() > _DOOR * arrivals)

    rank = {stage: i for i, stage in enumerate(settings.stages)}
    plain = [
        n
        for n, stage in sorted(settings.stage_of.items())
        if stage in rank and n not in settings.contacts | settings.errors
    ]
    offers = [
        n
        for n in plain
        if reached.of([of(n)]).sum() >= settings.min_volume
        and converting(n) <= _PART_OF_THE_WAY * bought
    ]
    by_stage: dict[str, list[str]] = {}
    for n in offers:
        by_stage.setdefault(settings.stage_of[n], []).append(n)

    def at_risk(nodes: Sequence[str], target: str) -> tuple[Floats, Floats]:
        """By position: journeys at the nodes that had not been at the target, and who go there next."""
        keys = [of(n, target) for n in nodes]
        here = reached.of([of(n) for n in nodes]) - before.of(keys)
        return here.sum(axis=0), onward.of(keys).sum(axis=0)

    def ways(nodes: Sequence[str], target: str) -> list[str]:
        """Those of the nodes that lead to the target."""
        n, x = (a.sum() for a in at_risk(nodes, target))
        each = [(node, *(a.sum() for a in at_risk([node], target))) for node in nodes]
        return [node for node, own, went in each if went * n >= _WAY * own * x and went]

    for target in filter(counts_for, plain):
        for stage, nodes in by_stage.items():
            if rank[settings.stage_of[target]] <= rank[stage]:
                continue
            leading = ways(nodes, target)
            for node in leading:
                peers = tuple(n for n in leading if n != node)
                if len(peers) < _PEERS or is_door(node, target):
                    continue
                (n1, x1), (n0, x0) = at_risk([node], target), at_risk(peers, target)
                known = (n1 > 0) & (n0 > 0)
                n1, x1, n0, x0 = (a[known] for a in (n1, x1, n0, x0))
                enough = n1.sum() >= settings.min_volume and n0.sum() >= settings.min_volume
                if enough and x1.sum() >= _FEWEST and x0.sum() >= _FEWEST:
                    yield _Pair(node, target, peers, (n1, x1), (n0, x0))


def _finding(pair: _Pair, p_value: float, q_value: float, settings: Settings) -> Finding:
    rate, base, variance = pair.rates
    n = float(pair.here[0].sum())
    x = float(pair.here[1].sum())
    # As many trials as would give the baseline its variance.
    base_trials = base * (1 - base) / variance
    contrast = Contrast("share", n, x, x, base_trials, base * base_trials, base * base_trials)
    low, high = contrast.interval
    stage = settings.stage_of[pair.node]
    return Finding(
        kind="opportunity",
        node=pair.node,
        target=pair.target,
        segment="all",
        segment_value="all",
        contrast=contrast,
        p_value=p_value,
        q_value=q_value,
        sentence=(
            f"{rate:.1%} of {n:,.0f} journeys at '{pair.node}' go on to '{pair.target}' next "
            f"(95% interval {low:.1%} to {high:.1%}); of those at other touchpoints of stage '{stage}' "
            f"({', '.join(pair.peers)}), at the same position of their journey, {base:.1%}. "
            "That they go together does not mean that one causes the other."
        ),
        query=_query(pair),
        journeys_query=_list(pair),
    )


def _visits(pair: _Pair) -> str:
    compared = ", ".join(map(literal, sorted((pair.node, *pair.peers))))
    return (
        "WITH visits AS (\n"
        f"    SELECT visit.journey_id, visit.touchpoint = {literal(pair.node)} AS here,\n"
        f"        least(visit.position, {POSITIONS}) AS position,\n"
        f"        visit.goes_to IS NOT DISTINCT FROM {literal(pair.target)} AND NOT visit.goes_back "
        "AS reached\n"
        "    FROM first_visits AS visit\n"
        "    LEFT JOIN first_visits AS other\n"
        f"        ON other.journey_id = visit.journey_id AND other.touchpoint = {literal(pair.target)}\n"
        f"    WHERE visit.touchpoint IN ({compared})\n"
        "        AND coalesce(other.position > visit.position, true)\n"
        ")"
    )


def _query(pair: _Pair) -> str:
    return (
        f"{_visits(pair)},\n"
        "positions AS (\n"
        "    SELECT position, count(*) FILTER (here) AS n1, count(*) FILTER (here AND reached) AS x1,\n"
        "        count(*) FILTER (NOT here) AS n0, count(*) FILTER (NOT here AND reached) AS x0\n"
        "    FROM visits GROUP BY position HAVING n1 > 0 AND n0 > 0\n"
        ")\n"
        "SELECT true AS here, sum(n1)::BIGINT AS journeys, sum(x1) / sum(n1) AS measured FROM positions\n"
        "UNION ALL\n"
        "SELECT false, sum(n0)::BIGINT, sum(n1 * x0 / n0) / sum(n1) FROM positions\n"
        "ORDER BY here DESC"
    )


def _list(pair: _Pair) -> str:
    return (
        f"{_visits(pair)}\nSELECT journey_id FROM visits WHERE here AND reached ORDER BY journey_id"
    )

"""Excess drop-off: steps that lose more journeys than the steps they can fairly be compared with.

People leave everywhere, and mostly nothing is wrong: a page looked at or an e-mail read may be
all they wanted. Holding every node against the average flags all of these. So a step is tested
only where leaving calls for an explanation, and only against steps of its own kind.

**Funnel steps** are what is compared. Within a slice, a touchpoint is one if

- at least `min_volume` departures from it are known (to OPEN ones left out), some to DROP_OFF;
- a tenth of all conversions come by way of it (its removal effect): it is part of the way;
- half of those who go on do so within `pause_s`, in one sitting. Where even they take days (a
  letter, a delivery), being the last touchpoint of a lost journey says nothing;
- going on from it at least doubles the odds to convert that a journey has at its START, both taken as
  if nobody left at the step itself. Else an entrance that all come by would be tested because it loses
  many, and be found to lose many.

The way and its odds are those of the *settled* moves (`models.transition_tables`): what journeys do
after their conversion has no part in them.

**Tested** are funnel steps where those who go on convert in two of five cases and more: people
who have made up their mind. Browsing, landing pages and e-mails, last steps of many journeys by
nature, are not.

**The baseline** is the median drop-off of the other funnel steps of the step's declared stage,
three at least; where there are fewer, nobody can say what is usual, and there is no test. A median stands
still if a peer hurts too, and peers farther from the conversion lose rather more, so the error is
on the quiet side. Null hypothesis: the step loses at most the baseline and a margin of five
points, or of three median absolute deviations where peers differ so much that five points are
nothing special. One-sided exact binomial test; Benjamini-Hochberg over the steps of all slices.

**In a segment** a step is also held against itself elsewhere, with the same five points (two
proportions). The greater p-value and the greater baseline count: what hurts everybody is one
finding, not one for each device.

The cost is the excess in journeys, and the value they would have had, had they gone on like the
others. All this is association; no cause is shown.

References
----------
.. [1] Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995), 289-300.
.. [2] F. R. Hampel, "The influence curve and its role in robust estimation", JASA 69 (1974),
   383-393 (median absolute deviation).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import binom, norm

from contracts.sql_text import literal
from models.absorbing_chain import DROP_OFF, AbsorbingChain
from models.intervals import benjamini_hochberg, wilson_interval
from models.pain_points.evidence import of_slice
from models.pain_points.finding import Contrast, Finding

__all__ = ["FunnelStep", "find_drop_off", "funnel_steps"]

MARGIN = 0.05
"""Excess that is worth a finding: five points."""
SPREADS = 3
"""Median absolute deviations among comparable steps that are nothing special."""
PASSED = 0.1
"""Least share of conversions that come by way of a funnel step."""
ODDS = 2.0
"""Least factor by which going on from a funnel step raises the odds to convert."""
DECIDED = 0.4
"""Least share that converts of those who go on from a tested step."""
PEERS = 3
"""Least number of comparable steps."""
FALSE_DISCOVERY = 0.05
"""Greatest false discovery rate."""


@dataclass(frozen=True)
class FunnelStep:
    """A funnel step in a slice."""

    segment: str
    segment_value: str
    node: str
    stage: str
    departures: int
    drop_offs: int
    going_on_converts: float
    """P(conversion) of those who went on."""

    @property
    def rate(self) -> float:
        return self.drop_offs / self.departures


@dataclass(frozen=True)
class _Test:
    """A step held against others."""

    step: FunnelStep
    peers: tuple[str, ...]
    peer_rate: float
    rest_rate: float | None
    """Drop-off of everybody outside the segment at the same step; None for the slice of all."""
    p_value: float

    @property
    def baseline(self) -> float:
        return max(self.peer_rate, self.rest_rate or 0.0)


def find_drop_off(
    stages: pa.Table,
    transitions: pa.Table,
    stage_of: Mapping[str, str],
    *,
    min_volume: int = 200,
    pause_s: float = 1800.0,
    mean_value: float | None = None,
) -> list[Finding]:
    """Find steps with excess drop-off.

    Parameters
    ----------
    stages, transitions : pa.Table
        As published (`contracts.schemas`); the touchpoint level is read.
    stage_of : mapping of str to str
        Declared stage of each touchpoint; touchpoints without one are not tested.
    min_volume : int
        Least number of known departures behind a rate.
    pause_s : float
        Seconds after which going on is another sitting: the session gap.
    mean_value : float, optional
        Mean value of a converted journey, for `cost_value`.

    Returns
    -------
    list of Finding
        In no order. What is measured is the drop-off per departure, held against the baseline
        without the margin.
    """
    steps = funnel_steps(stages, transitions, stage_of, min_volume=min_volume, pause_s=pause_s)
    everybody = {
        row["node"]: (row["visits"] - row["opens"], row["drop_offs"])
        for row in _level(stages).to_pylist()
        if row["segment"] == "all"
    }
    tests = list(_tests(steps, everybody, min_volume))
    q_values = benjamini_hochberg([test.p_value for test in tests])
    found = zip(tests, q_values.tolist(), strict=True)
    return [_finding(test, q, mean_value) for test, q in found if q <= FALSE_DISCOVERY]


def funnel_steps(
    stages: pa.Table,
    transitions: pa.Table,
    stage_of: Mapping[str, str],
    *,
    min_volume: int,
    pause_s: float,
) -> list[FunnelStep]:
    """Funnel steps of every slice: the steps that are part of the way."""
    return [
        step
        for part in _slices(stages, transitions)
        for step in _funnel_steps(*part, stage_of, min_volume, pause_s)
    ]


def _level(table: pa.Table) -> pa.Table:
    return table.filter(pc.equal(table["level"], "touchpoint"))


def _slices(stages: pa.Table, transitions: pa.Table) -> Iterator[tuple[list[dict], list[dict]]]:
    """Rows of stages and of transitions, slice by slice."""

    def grouped(table: pa.Table) -> dict[tuple[str, str], list[dict]]:
        key = ["segment", "segment_value"]
        rows = _level(table).sort_by([(name, "ascending") for name in key]).to_pylist()
        return {k: list(g) for k, g in groupby(rows, lambda r: tuple(r[name] for name in key))}

    nodes, edges = grouped(stages), grouped(transitions)
    return ((nodes[key], edges[key]) for key in nodes)


def _funnel_steps(
    nodes: list[dict],
    edges: list[dict],
    stage_of: Mapping[str, str],
    min_volume: int,
    pause_s: float,
) -> Iterator[FunnelStep]:
    edges = [e for e in edges if e["settled"]]
    chain = AbsorbingChain(
        [e["source_node"] for e in edges],
        [e["target_node"] for e in edges],
        [e["settled"] for e in edges],
    )
    lost = {e["source_node"]: e["settled"] for e in edges if e["target_node"] == DROP_OFF}
    place = {name: i for i, name in enumerate(chain.nodes)}
    passed = dict(zip(chain.nodes, chain.removal_effect.tolist(), strict=True))
    for row in nodes:
        departures, drop_offs = row["visits"] - row["opens"], row["drop_offs"]
        if (
            row["node"] not in stage_of
            or departures < min_volume
            or not 0 < drop_offs < departures
            or passed.get(row["node"], 0.0) < PASSED
            or row["dwell_p50_s"] is None
            or row["dwell_p50_s"] > pause_s
        ):
            continue
        at = place[row["node"]]
        leaves = lost.get(row["node"], 0) / float(chain.departures[at])
        going_on, begun = _if_nobody_left(chain, at, leaves)
        if _odds(going_on) >= ODDS * _odds(begun):
            yield FunnelStep(
                segment=row["segment"],
                segment_value=row["segment_value"],
                node=row["node"],
                stage=stage_of[row["node"]],
                departures=departures,
                drop_offs=drop_offs,
                # Who drops off converts never: P(conversion) = P(going on) P(conversion of who went on).
                going_on_converts=float(chain.conversion_p[at]) / (1 - leaves),
            )


def _if_nobody_left(chain: AbsorbingChain, at: int, leaves: float) -> tuple[float, float]:
    """P(conversion) from a node and from START if its share that leaves went on like the others there.

    Of walks from the node, N[at, at] times that share end by leaving it: so many more go on to the end that the
    others come to. START has its part in this by the chance ever to be there. Rounded, so that who is sure to
    convert is.
    """
    visits, p = chain.expected_visits, chain.conversion_p
    kept = p[at] / (1 - leaves * visits[at, at])
    begun = p[0] + visits[0, at] / visits[at, at] * (kept - p[at])
    return round(float(kept), 12), round(float(begun), 12)


def _tests(
    steps: list[FunnelStep], everybody: Mapping[str, tuple[int, int]], min_volume: int
) -> Iterator[_Test]:
    for step in steps:
        peers = sorted(
            (other.node, other.rate)
            for other in steps
            if other.node != step.node
            and (other.segment, other.segment_value, other.stage)
            == (step.segment, step.segment_value, step.stage)
        )
        if len(peers) < PEERS or step.going_on_converts < DECIDED:
            continue
        rates = np.array([rate for _, rate in peers])
        middle = float(np.median(rates))
        margin = max(MARGIN, SPREADS * float(np.median(np.abs(rates - middle))))
        allowed = min(middle + margin, 1.0)
        p_value = float(binom.sf(step.drop_offs - 1, step.departures, allowed))
        rest_rate = None
        if step.segment != "all":
            departures, drop_offs = everybody[step.node]
            departures, drop_offs = departures - step.departures, drop_offs - step.drop_offs
            if departures < min_volume:
                continue
            rest_rate = drop_offs / departures
            p_value = max(p_value, _exceeds(step, rest_rate, departures))
        yield _Test(step, tuple(name for name, _ in peers), middle, rest_rate, p_value)


def _odds(p: float) -> float:
    return p / (1 - p) if p < 1 else np.inf


def _exceeds(step: FunnelStep, rate: float, departures: int) -> float:
    """p-value of "the step loses at most `MARGIN` more than the same step elsewhere"."""
    variance = step.rate * (1 - step.rate) / step.departures + rate * (1 - rate) / departures
    return float(norm.sf((step.rate - rate - MARGIN) / np.sqrt(variance)))


def _finding(test: _Test, q_value: float, mean_value: float | None) -> Finding:
    step = test.step
    low, high = wilson_interval(step.drop_offs, step.departures)
    cost = (step.rate - test.baseline) * step.departures
    n, x = float(step.departures), float(step.drop_offs)
    return Finding(
        kind="excess_drop_off",
        node=step.node,
        target="",
        segment=step.segment,
        segment_value=step.segment_value,
        contrast=Contrast("share", n, x, x, 0, test.baseline),
        p_value=test.p_value,
        q_value=q_value,
        sentence=_sentence(test, float(low), float(high), cost),
        query=_query(test),
        journeys_query=_journeys_query(step),
        cost_value=None if mean_value is None else cost * step.going_on_converts * mean_value,
    )


def _journeys_query(step: FunnelStep) -> str:
    group = [f"exit_touchpoint = {literal(step.node)}", "outcome = 'lapsed'"]
    group += [c.replace("journeys.", "") for c in of_slice(step.segment, step.segment_value)]
    return f"SELECT journey_id\nFROM journeys\nWHERE {' AND '.join(group)}\nORDER BY journey_id"


def _sentence(test: _Test, low: float, high: float, cost: float) -> str:
    step = test.step
    where = "" if step.segment == "all" else f"For {step.segment} '{step.segment_value}': "
    rest = "" if test.rest_rate is None else f", and {test.rest_rate:.1%} here for everybody else"
    return (
        f"{where}{step.rate:.1%} of {step.departures:,} departures from '{step.node}' ended the "
        f"journey without conversion (95% interval {low:.1%} to {high:.1%}); comparable steps of "
        f"stage '{step.stage}' ({', '.join(test.peers)}) lose {test.peer_rate:.1%} at the median"
        f"{rest}. The difference is {cost:,.0f} journeys."
    )


def _query(test: _Test) -> str:
    step = test.step
    names = ", ".join(literal(name) for name in (step.node, *test.peers))
    return (
        "SELECT node, visits - opens AS journeys, drop_off_p AS measured,\n"
        "    drop_offs, drop_off_low, drop_off_high\n"
        "FROM stages\n"
        f"WHERE level = 'touchpoint' AND segment = {literal(step.segment)} "
        f"AND segment_value = {literal(step.segment_value)}\n"
        f"    AND node IN ({names})\n"
        f"ORDER BY node = {literal(step.node)} DESC, drop_off_p DESC"
    )

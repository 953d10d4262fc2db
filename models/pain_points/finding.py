"""What a finding is, and how findings of different kinds are put in one order.

Drop-off is a share, waiting a time, satisfaction an answer. What they have in common is the
*share of people for whom it is worse than it should be*: the total variation distance between what
was measured and what the baseline lets expect. Between two shares it is their difference; between
two means, of values that scatter by s around them, it is 2 Phi(difference / 2 s) - 1. Findings are
ranked by the low end of its 95% interval (`excess_low`): firm and large first, whatever the kind.
Volume does not enter, or busy steps would always come first; it is told as cost.

References
----------
.. [1] R. G. Newcombe, "Interval estimation for the difference between independent proportions",
   Statistics in Medicine 17 (1998), 873-890 (method 10: from the two Wilson intervals).
.. [2] A. B. Tsybakov, *Introduction to Nonparametric Estimation*, Springer 2009, section 2.4 (total
   variation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal

import numpy as np
import pyarrow as pa
from scipy.stats import norm

from contracts.schemas import table_schema
from models.intervals import Z95, wilson_interval

__all__ = ["Contrast", "Finding", "findings_table", "related"]

Unit = Literal["share", "seconds", "score"]


@dataclass(frozen=True)
class Contrast:
    """A group held against others: trials, sum of values and of their squares, of each.

    Values are 0 or 1 (share), logarithms of seconds, or satisfaction from 0 to 1 (score). A baseline
    that was not counted, such as a median of other steps, has no trials and its rate as `total`.
    """

    unit: Unit
    trials: float
    total: float
    squares: float
    base_trials: float
    base_total: float
    base_squares: float = 0.0
    sign: int = 1
    """1 if more is worse, -1 if less is."""

    @property
    def mean(self) -> float:
        return self.total / self.trials

    @property
    def base(self) -> float:
        return self.base_total / self.base_trials if self.base_trials else self.base_total

    @property
    def excess(self) -> float:
        """How much worse, in the unit of the values."""
        return self.sign * (self.mean - self.base)

    @property
    def _scatter(self) -> float:
        n, x, q = self.trials, self.total, self.squares
        within = q - x * x / n
        if self.base_trials:
            n += self.base_trials
            within += self.base_squares - self.base_total**2 / self.base_trials
        return float(np.sqrt(max(within, 1e-12) / max(n - 1, 1)))

    @property
    def error(self) -> float:
        """Standard error of the excess."""
        if self.unit == "share":
            p, b = self.mean, self.base
            extra = b * (1 - b) / self.base_trials if self.base_trials else 0.0
            return float(np.sqrt(max(p * (1 - p) / self.trials + extra, 1e-12)))
        inverse = 1 / self.trials + (1 / self.base_trials if self.base_trials else 0.0)
        return self._scatter * float(np.sqrt(inverse))

    def p_value(self, margin: float) -> float:
        """Of "it is worse by at most the margin", one-sided."""
        return float(norm.sf((self.excess - margin) / self.error))

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the measured mean, as published."""
        if self.unit == "share":
            low, high = wilson_interval(self.total, self.trials)
            return float(low), float(high)
        half = Z95 * self._scatter / np.sqrt(self.trials)
        return self.shown(self.mean - half), self.shown(self.mean + half)

    def shown(self, value: float) -> float:
        """A mean as published: seconds where it is of logarithms."""
        return float(np.exp(value)) if self.unit == "seconds" else float(value)

    @property
    def excess_low(self) -> float:
        """Low end of the share of people for whom it is worse."""
        if self.unit != "share":
            low = self.excess - Z95 * self.error
            return float(2 * norm.cdf(low / (2 * self._scatter)) - 1)
        low, high = self.interval
        if self.base_trials:
            base_low, base_high = (
                float(end) for end in wilson_interval(self.base_total, self.base_trials)
            )
        else:
            base_low = base_high = self.base
        if self.sign > 0:
            return self.excess - float(np.hypot(self.mean - low, base_high - self.base))
        return self.excess - float(np.hypot(high - self.mean, self.base - base_low))


@dataclass(frozen=True)
class Finding:
    """A row of `pain_points`, without its rank."""

    kind: str
    node: str
    target: str
    segment: str
    segment_value: str
    contrast: Contrast
    p_value: float
    q_value: float
    sentence: str
    query: str
    journeys_query: str
    begins: date | None = None
    ends: date | None = None
    begins_within: tuple[date, date] | None = None
    ends_within: tuple[date, date] | None = None
    cost_value: float | None = None
    also: tuple[str, ...] = field(default=())
    level: str = "touchpoint"

    @property
    def score(self) -> float:
        """What it is ranked by."""
        return self.contrast.excess_low

    def with_also(self, others: Sequence[Finding]) -> Finding:
        """The finding with what goes along with it."""
        return replace(self, also=(*self.also, *(o.sentence for o in others)))


def related(one: Finding, other: Finding) -> bool:
    """Whether two findings without dates tell of one thing: a node in common, one group in the other."""
    nodes = {one.node, one.target} & {other.node, other.target} - {""}
    same = (one.segment, one.segment_value) == (other.segment, other.segment_value)
    return bool(nodes) and (same or "all" in (one.segment, other.segment))


def findings_table(findings: Sequence[Finding]) -> pa.Table:
    """`pain_points` of `contracts.schemas`, ranked."""
    ordered = sorted(findings, key=lambda f: (-f.score, f.kind, f.node, f.target, f.segment_value))
    return pa.Table.from_pylist(
        [_row(rank, found) for rank, found in enumerate(ordered, 1)],
        schema=table_schema("pain_points"),
    )


def _row(rank: int, found: Finding) -> dict:
    contrast = found.contrast
    low, high = contrast.interval
    begins, ends = found.begins_within or (None, None), found.ends_within or (None, None)
    return {
        "rank": rank,
        "kind": found.kind,
        "level": found.level,
        "node": found.node,
        "target": found.target or None,
        "segment": found.segment,
        "segment_value": found.segment_value,
        "begins": found.begins,
        "begins_earliest": begins[0],
        "begins_latest": begins[1],
        "ends": found.ends,
        "ends_earliest": ends[0],
        "ends_latest": ends[1],
        "unit": contrast.unit,
        "measured": contrast.shown(contrast.mean),
        "measured_low": low,
        "measured_high": high,
        "baseline": contrast.shown(contrast.base),
        "denominator": round(contrast.trials),
        "excess_low": found.score,
        "p_value": found.p_value,
        "q_value": found.q_value,
        "cost_journeys": _hit(contrast) * contrast.trials,
        "cost_value": found.cost_value,
        "sentence": found.sentence,
        "also": "\n".join(found.also) or None,
        "query": found.query,
        "journeys_query": found.journeys_query,
    }


def _hit(contrast: Contrast) -> float:
    """Share of people for whom it is worse."""
    if contrast.unit == "share":
        return abs(contrast.excess)
    return float(2 * norm.cdf(abs(contrast.excess) / (2 * contrast._scatter)) - 1)

"""Satisfaction: what customers said at a node, and what they did after it.

Three kinds of answer, each brought to 0..1 so that one rule gives them all an interval
(`models.intervals.mean_interval`):

- ``csat``: as it is;
- ``nps``: 1 for a promoter (9 and 10), 0 for a detractor (0 to 6), 1/2 between; the net promoter score
  is 200 (mean - 1/2), from -100 to 100;
- ``sentiment``: (s + 1) / 2 of s in -1..1.

Answers are counted, added and squared in billionths, as integers. **Silence is not neutrality**:
who did not answer is in no mean, and where nobody answered there is none.

Deeds speak, too: a *return* or a *contact* (declared touchpoints at which customers ask for help or
complain) later in the journey counts for every node the journey visited before it. That it followed
does not say that the node caused it.

References
----------
.. [1] F. F. Reichheld, "The one number you need to grow", Harvard Business Review, December 2003.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.intervals import mean_interval
from models.journey_walks import Walks

__all__ = ["ANSWERS", "Answers", "answers_of", "before_last", "score_columns"]

ANSWERS = ("csat", "nps", "sentiment")
"""Kinds of answer; each is a column of `touchpoints`."""

_UNIT = 1_000_000_000
"""Answers are added in billionths: exact, and good for nine billion of them."""
_PROMOTER, _DETRACTOR = 9, 6
_SCALES = {"csat": (0.0, 1.0), "nps": (-100.0, 100.0), "sentiment": (-1.0, 1.0)}

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """Answers of one kind: at which steps, the score 0..1 and its square in billionths."""

    name: str
    step: Ints
    score: Ints
    square: Ints


def answers_of(steps: pa.Table) -> list[Answers]:
    """Answers of every kind that the steps have a column of; null and NaN are none."""
    found = []
    for name in (n for n in ANSWERS if n in steps.column_names):
        column = steps[name].cast(pa.float64())
        step = np.flatnonzero(pc.fill_null(pc.is_finite(column), False).to_numpy())
        answer = column.to_numpy()[step]
        if name == "nps":
            answer = ((answer >= _PROMOTER) - 1.0 * (answer <= _DETRACTOR) + 1) / 2
        elif name == "sentiment":
            answer = (np.clip(answer, -1, 1) + 1) / 2
        score, square = (np.rint(a * _UNIT).astype(np.int64) for a in (answer, answer**2))
        found.append(Answers(name, step, score, square))
    return found


def before_last(walks: Walks, touchpoints: Collection[str]) -> Ints:
    """Steps that one of the touchpoints follows, later in the journey."""
    if not touchpoints or "touchpoint" not in walks.steps.column_names:
        return np.zeros(0, np.int64)
    names = walks.steps["touchpoint"].cast(pa.string())
    at = np.flatnonzero(pc.is_in(names, pa.array(sorted(touchpoints))).to_numpy())
    last = np.full(len(walks.end), -1)
    np.maximum.at(last, walks.journey[at], at)
    return np.flatnonzero(np.arange(len(walks.journey)) < last[walks.journey])


def score_columns(name: str, sums: Mapping[str, Ints]) -> dict[str, Floats | Ints]:
    """Columns of `stages` for one kind of answer: mean, number, and the ends of its interval.

    Parameters
    ----------
    name : str
        One of `ANSWERS`.
    sums : mapping
        answers, sum and squares of each node, as counted.

    Examples
    --------
    Two promoters and a detractor.

    >>> sums = {"answers": np.array([3]), "sum": np.array([2 * 10**9]), "squares": np.array([2 * 10**9])}
    >>> {k: v.round(1).tolist() for k, v in score_columns("nps", sums).items()}
    {'nps': [33.3], 'nps_answers': [3], 'nps_low': [-58.5], 'nps_high': [87.7]}
    """
    answers = sums["answers"]
    ends = mean_interval(answers, sums["sum"] / _UNIT, sums["squares"] / _UNIT)
    least, most = _SCALES[name]
    mean, low, high = (least + (most - least) * end for end in ends)
    return {name: mean, f"{name}_answers": answers, f"{name}_low": low, f"{name}_high": high}

"""How long a run will still take, told from how long its stages took before.

Before the first stage of a first run has ended nothing can be told; afterwards the others are taken to cost, beside
it, what they cost in a run of ten million events of a retailer (docs/reliability.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Remaining", "durations"]

_TYPICAL_S = {
    "ingest": 111.0, "resolve": 8.8, "sessionize": 20.2, "journeys": 4.5, "personas": 39.0, "graph": 54.9,
    "publish": 126.4,
}  # fmt: skip


def durations(log: Iterable[Mapping[str, Any]], *, whole: bool) -> dict[str, float]:
    """Seconds that each stage took the last time that it did something; the longest time, for a `whole` run.

    Parameters
    ----------
    log : iterable of mapping
        Rows of the table `runs`, in order.

    Examples
    --------
    >>> log = [{"stage": "graph", "duration_s": s, "skipped": s < 1} for s in (9.0, 4.0, 0.1)]
    >>> durations(log, whole=False), durations(log, whole=True)
    ({'graph': 4.0}, {'graph': 9.0})
    """
    took: dict[str, float] = {}
    for entry in log:
        if not entry["skipped"]:
            name, seconds = entry["stage"], entry["duration_s"]
            took[name] = max(seconds, took.get(name, 0.0)) if whole else seconds
    return took


@dataclass
class Remaining:
    """Watches a run's stages begin, and tells what is left.

    Attributes
    ----------
    stages : sequence of str
        In their order.
    before : mapping of str to float
        Seconds that they took before; of some or none.

    Examples
    --------
    >>> seconds = iter([0.0, 20.0, 50.0])
    >>> run = Remaining(["resolve", "graph"], {"resolve": 30.0, "graph": 60.0}, lambda: next(seconds))
    >>> run.begin("resolve")
    >>> run.seconds()
    70.0
    """

    stages: Sequence[str]
    before: Mapping[str, float]
    clock: Callable[[], float] = time.monotonic
    _began: dict[str, float] = field(default_factory=dict)

    def begin(self, stage: str) -> None:
        """The stages before it have ended."""
        self._began[stage] = self.clock()

    def seconds(self) -> float | None:
        """Until the last stage will have ended; None where nothing tells."""
        now = self.clock()
        begun = list(self._began)
        if not begun:
            return None
        expected = self._expected(begun[:-1])
        if expected is None:
            return None
        ahead = sum(expected[name] for name in self.stages[len(begun) :])
        return max(expected[begun[-1]] - (now - self._began[begun[-1]]), 0.0) + ahead

    def _expected(self, done: Sequence[str]) -> Mapping[str, float] | None:
        """Seconds of each stage: as before, or as is typical beside those that are done."""
        if self.before.keys() >= {*self.stages}:
            return self.before
        known = [name for name in done if name in _TYPICAL_S]
        if not known:
            return None
        moments = [*self._began.values()]
        took = moments[len(done)] - moments[0]
        scale = took / sum(_TYPICAL_S[name] for name in known)
        return {
            name: self.before.get(name, scale * _TYPICAL_S.get(name, 0.0)) for name in self.stages
        }

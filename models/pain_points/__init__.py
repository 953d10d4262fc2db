"""Pain points: where it hurts, since when, whom, and how sure that is.

Everything anywhere differs from something, and most of it means nothing. Each kind of finding has a
baseline that is honest for it, a margin below which nothing is said, a floor of volume, and a
control of the many tests:

- `models.pain_points.incidents`: a step held against itself at other times; has dates.
- `models.pain_points.drop_off`: funnel steps held against comparable ones.
- `models.pain_points.standing`: satisfaction, contacts and errors, loops, waits at peak hours, and
  segments held against everybody else.
- `models.pain_points.opportunities`: touchpoints that take people further; a good finding.

**One cause is one finding.** An incident leaves traces at every step around it and in every segment;
they are told under it (`also`), and its days are left out before anything without dates is sought.
Standing findings at the same touchpoint, or at the one people are sent to, are told under the
firmest of them. What consequence is and what is not can't be known from rates alone: two pains that
meet at one step are told as one.

**Personas are no segments here** (`models.segments.findable`). They are found in these very paths: that those who ask
for help often do so at one step, too, would be found twice, with a certainty that means nothing.

Findings of all kinds are ranked on one scale (`models.pain_points.finding`). All are associations;
no cause is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from models.pain_points.daily import StepCounts
from models.pain_points.drop_off import find_drop_off, funnel_steps
from models.pain_points.finding import Finding, findings_table, related
from models.pain_points.incidents import find_incidents
from models.pain_points.opportunities import find_opportunities
from models.pain_points.settings import Settings
from models.pain_points.standing import find_standing

__all__ = ["Settings", "find_pain_points"]


def find_pain_points(
    stages: pa.Table, transitions: pa.Table, steps: StepCounts, settings: Settings
) -> pa.Table:
    """Find what hurts and what helps, and rank it.

    Parameters
    ----------
    stages, transitions : pa.Table
        As published (`contracts.schemas`); the touchpoint level is read.
    steps : StepCounts
        Merged counts of `models.step_counts`.
    settings : Settings
        `chance` is filled in here.

    Returns
    -------
    pa.Table
        `pain_points` of `contracts.schemas`, by rank.
    """
    settings = replace(settings, chance=_chances(steps))
    sought = pa.array(sorted({"all", *steps.segments}))
    stages, transitions = (
        table.filter(pc.is_in(table["segment"], sought)) for table in (stages, transitions)
    )
    incidents, quiet = find_incidents(steps, settings)
    floor, pause_s = settings.min_volume, settings.pause.total_seconds()
    funnel = {
        step.node
        for step in funnel_steps(
            stages, transitions, settings.stage_of, min_volume=floor, pause_s=pause_s
        )
        if step.segment == "all"
    }
    standing = [
        *find_drop_off(
            stages,
            transitions,
            settings.stage_of,
            min_volume=floor,
            pause_s=pause_s,
            mean_value=settings.mean_value,
        ),
        *find_standing(steps, quiet, settings, funnel),
    ]
    return findings_table([*_folded(incidents, standing), *find_opportunities(steps, settings)])


def _chances(steps: StepCounts) -> dict[str, float]:
    """Share that converts after each touchpoint, of everybody who had not; 1 at a conversion."""
    decided, unconverted = steps.daily("decided"), steps.daily("unconverted")
    everybody = [key for key in decided.keys if key[0] == "all"]
    ended, missed = (table.of(everybody).sum(axis=1) for table in (decided, unconverted))
    return {
        key[2]: float(1 - lost / n) for key, n, lost in zip(everybody, ended, missed, strict=True)
    }


def _folded(incidents: Sequence[Finding], standing: Sequence[Finding]) -> list[Finding]:
    """One finding for each cause: the firmest, with the others told under it."""
    leaders: list[tuple[Finding, list[Finding]]] = [(found, []) for found in incidents]
    for found in sorted(standing, key=lambda f: (-f.score, f.sentence)):
        under = next((told for leader, told in leaders if related(leader, found)), None)
        if under is None:
            leaders.append((found, []))
        else:
            under.append(found)
    return [leader.with_also(told) for leader, told in leaders]

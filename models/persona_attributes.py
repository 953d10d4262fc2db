"""Whether personas differ in what is known of their customers beside their journeys.

Demographics and CRM attributes take no part in finding personas; afterwards each value of each
attribute is asked: do the customers of this persona have it more often than the others of whom the
attribute is known? The test is Fisher's exact one on the two-by-two table, two-sided. With many
personas, attributes and values, some will look different by chance; the Benjamini-Hochberg procedure
[1]_ over all tests keeps the expected share of false ones among those told under 5%.

References
----------
.. [1] Y. Benjamini, Y. Hochberg (1995), "Controlling the False Discovery Rate", Journal of the
   Royal Statistical Society B 57(1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.stats import false_discovery_control, fisher_exact

from models.engine import query
from models.persona_features import Feature

__all__ = ["Difference", "attribute_differences"]

FALSE_DISCOVERIES = 0.05
"""Greatest expected share of false differences among those told."""

_FEWEST_KNOWN = 5

_TABLES = """
WITH known AS (
    SELECT persona_id, attribute, value
    FROM (UNPIVOT profiles ON COLUMNS(* EXCLUDE customer_id) INTO NAME attribute VALUE value)
    JOIN members USING (customer_id)
    WHERE persona_id NOT IN ('undetermined', 'no_structure')
),
cells AS (SELECT attribute, value, persona_id, count(*) AS n FROM known GROUP BY ALL),
of_values AS (SELECT attribute, value, sum(n) AS n FROM cells GROUP BY ALL),
of_personas AS (SELECT attribute, persona_id, sum(n) AS n FROM cells GROUP BY ALL),
of_attributes AS (SELECT attribute, sum(n) AS n FROM cells GROUP BY ALL)
SELECT
    persona_id, attribute, of_values.value,
    coalesce(cells.n, 0)::BIGINT AS has,
    of_personas.n::BIGINT AS members,
    (of_values.n - coalesce(cells.n, 0))::BIGINT AS others_have,
    (of_attributes.n - of_personas.n)::BIGINT AS others
FROM of_values
JOIN of_personas USING (attribute)
JOIN of_attributes USING (attribute)
LEFT JOIN cells USING (attribute, value, persona_id)
WHERE of_personas.n >= $fewest AND of_attributes.n - of_personas.n >= $fewest
ORDER BY persona_id, attribute, value
"""


@dataclass(frozen=True)
class Difference:
    """A value that a persona's customers have more or less often than the others.

    Attributes
    ----------
    attribute, value : what they have
    has, members : customers of the persona that have it, and those of whom the attribute is known
    others_have, others : the same of all other personas
    q_value : after control for all tests
    """

    attribute: str
    value: str
    has: int
    members: int
    others_have: int
    others: int
    q_value: float

    @property
    def feature(self) -> Feature:
        """The difference as a row of `persona_features`."""
        own, rest = self.has / self.members, self.others_have / self.others
        pooled = (self.has + self.others_have) / (self.members + self.others)
        error = np.sqrt(pooled * (1 - pooled) * (1 / self.members + 1 / self.others))
        return Feature(
            "attribute",
            f"{self.attribute} {self.value}",
            "share of customers of whom it is known",
            own,
            rest,
            float((own - rest) / error) if error > 0 else 0.0,
            self.q_value,
        )


def attribute_differences(
    members: pa.Table, profiles: pa.Table
) -> tuple[dict[str, list[Difference]], dict[str, int]]:
    """Find in which attributes the personas differ.

    Parameters
    ----------
    members : pa.Table
        `customer_id`, `persona_id`; who is undetermined takes no part.
    profiles : pa.Table
        `customer_id` and a text column for each attribute; null where it is not known.

    Returns
    -------
    By persona its differences, the most significant first, and the number of tests it took part in.

    Examples
    --------
    >>> ids = [f"c{i}" for i in range(80)]
    >>> members = pa.table({"customer_id": ids, "persona_id": ["p1"] * 40 + ["p2"] * 40})
    >>> profiles = pa.table({"customer_id": ids, "age": ["old"] * 35 + ["young"] * 45})
    >>> found, tests = attribute_differences(members, profiles)
    >>> tests["p1"], [(d.value, d.has, d.others_have) for d in found["p1"]]
    (2, [('old', 35, 0), ('young', 5, 40)])
    """
    texts = pa.table({name: profiles[name].cast(pa.string()) for name in profiles.column_names})
    sql = _TABLES.replace("$fewest", str(_FEWEST_KNOWN))
    rows = query(sql, members=members, profiles=texts).to_pylist()
    if not rows:
        return {}, {}
    p_values: npt.NDArray[np.float64] = np.array([_p_value(row) for row in rows])
    q_values = false_discovery_control(p_values)
    found: dict[str, list[tuple[float, Difference]]] = {}
    tests: dict[str, int] = {}
    for row, p_value, q_value in zip(rows, p_values, q_values, strict=True):
        persona = row.pop("persona_id")
        tests[persona] = tests.get(persona, 0) + 1
        if q_value < FALSE_DISCOVERIES:
            difference = Difference(**row, q_value=float(q_value))
            # Mirrored tables have one p-value, but for the last bits.
            found.setdefault(persona, []).append((float(f"{p_value:.9e}"), difference))
    return {
        persona: [told for _, told in sorted(own, key=lambda pair: (pair[0], pair[1].value))]
        for persona, own in found.items()
    }, tests


def _p_value(row: dict[str, int]) -> float:
    table = [
        [row["has"], row["members"] - row["has"]],
        [row["others_have"], row["others"] - row["others_have"]],
    ]
    return float(fisher_exact(table).pvalue)

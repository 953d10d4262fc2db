"""Field expressions: how a configuration says where a value comes from.

An expression is a string or a small mapping:

========================================  ===================================================
``$.user.email``                          JSON path of the record
``email``                                 column of a CSV, TSV or Parquet file
``{const: web}``                          a constant
``{coalesce: [$.a, $.b]}``                the first that is not null or empty
``{concat: [$.a, {const: '-'}, $.b]}``    joined; null if a part is null
``{lower: $.a}``                          lower case
``{lookup: $.a, map: {x: y}, default: z}``  translated; without default, unknown values become null
``{path: $.a}`` / ``{column: a b}``       the plain forms, spelled out
``{sql: "split_part({$.a}, '/', 2)"}``    DuckDB SQL; each ``{...}`` is a path or column, as text
========================================  ===================================================
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "Coalesce",
    "Concat",
    "Const",
    "Expression",
    "Lookup",
    "Lower",
    "Ref",
    "Sql",
    "references",
]


class _Node(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Ref(_Node):
    """A JSON path (starts with ``$``) or a column name."""

    ref: str = Field(min_length=1)


class Const(_Node):
    """The same text for every record."""

    const: str


class Coalesce(_Node):
    """The first operand that is neither null nor empty."""

    coalesce: tuple[Expression, ...] = Field(min_length=1)


class Concat(_Node):
    """Operands joined; null if one of them is null."""

    concat: tuple[Expression, ...] = Field(min_length=1)


class Lower(_Node):
    """The operand in lower case."""

    lower: Expression


class Lookup(_Node):
    """The operand translated by a table."""

    lookup: Expression
    map: dict[str, str] = Field(min_length=1)
    default: str | None = None


class Sql(_Node):
    """A DuckDB SQL expression; ``{...}`` holds a path or column, given as text."""

    sql: str = Field(min_length=1)

    @property
    def references(self) -> tuple[str, ...]:
        """The paths and columns named in braces."""
        return tuple(re.findall(r"\{([^{}]+)\}", self.sql))


_FORMS: dict[str, type[_Node]] = {
    "const": Const,
    "coalesce": Coalesce,
    "concat": Concat,
    "lower": Lower,
    "lookup": Lookup,
    "sql": Sql,
}


def _parse(value: Any) -> Any:
    if isinstance(value, _Node):
        return value
    if value is None or isinstance(value, bool):
        fix = "leave the field out" if value is None else f"write {{const: {_text(value)}}}"
        raise ValueError(f"{'null' if value is None else _text(value)} is no expression; {fix}")
    if isinstance(value, int | float):
        return Const(const=str(value))
    if isinstance(value, str):
        return Ref(ref=value)
    if isinstance(value, dict):
        for plain in ("path", "column", "ref"):
            if set(value) == {plain}:
                return Ref(ref=value[plain])
        for key, form in _FORMS.items():
            if key in value:
                fields = {k: _text(v) if k in ("const", "default") else v for k, v in value.items()}
                if key == "lookup" and isinstance(value.get("map"), dict):
                    fields["map"] = {_text(k): _text(v) for k, v in value["map"].items()}
                return form.model_validate(fields)
    allowed = ", ".join(["a path or column", *(f"{{{key}: ...}}" for key in _FORMS)])
    raise ValueError(f"{value!r} is no expression; allowed: {allowed}")


def _text(value: Any) -> str:
    """YAML reads ``true`` and ``1`` as values; JSON and CSV hold them as this text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


Expression = Annotated[
    Ref | Const | Coalesce | Concat | Lower | Lookup | Sql, BeforeValidator(_parse)
]

for _form in (Coalesce, Concat, Lower, Lookup):
    _form.model_rebuild()


def references(expression: Expression) -> tuple[str, ...]:
    """Every path and column that an expression reads, in order of appearance.

    >>> references(Coalesce(coalesce=("$.a", {"lower": "$.b"})))
    ('$.a', '$.b')
    """
    match expression:
        case Ref():
            return (expression.ref,)
        case Const():
            return ()
        case Sql():
            return expression.references
        case Coalesce():
            parts: tuple[Expression, ...] = expression.coalesce
        case Concat():
            parts = expression.concat
        case Lower():
            parts = (expression.lower,)
        case Lookup():
            parts = (expression.lookup,)
    return tuple(ref for part in parts for ref in references(part))

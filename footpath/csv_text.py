"""CSV that spreadsheets don't take for formulas.

A text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line break is run as a formula by
spreadsheet programs, and the text may come from anybody who ever visited a page. Such a text is
written with an apostrophe before it, as OWASP advises; numbers are written as they are.

References
----------
.. [1] OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["csv_text"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""Write a header and rows; null is empty.

    >>> csv_text(["page", "value"], [["=HYPERLINK(1)", -1.5], ["/home", None]])
    "page,value\n'=HYPERLINK(1),-1.5\n/home,\n"
    """
    return "".join(_line(row) for row in (header, *rows))


def _line(row: Sequence[Any]) -> str:
    """A row; the writer quotes line breaks of either kind only if both end its lines."""
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\r\n").writerow([_safe(value) for value in row])
    return written.getvalue().removesuffix("\r\n") + "\n"


def _safe(value: Any) -> Any:
    return "'" + value if isinstance(value, str) and value.startswith(_FORMULA) else value

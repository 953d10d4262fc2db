"""CSV that spreadsheets don't take for formulas.

A text that begins with ``=``, ``+``, ``-``, ``@`` (or one of their full-width forms), a tab or a line break is run as a
formula by spreadsheet programs, and the text may come from anybody who ever visited a page. Such a text is written with
an apostrophe before it, as OWASP advises; numbers are written as they are. In many countries a spreadsheet program cuts
CSV at semicolons, too, whatever is quoted: so the same holds for what follows a semicolon, a tab or a line break within
a text.

References
----------
.. [1] OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["csv_text"]

_FORMULA = re.compile(r"(^|[;\t\r\n])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
"""Where a cell may begin that is run."""


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
    return _FORMULA.sub(r"\1'", value) if isinstance(value, str) else value

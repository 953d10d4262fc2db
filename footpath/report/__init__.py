"""The report: one self-contained HTML page made from a published database.

`footpath.report.content` asks the database (``sql/report/*.sql``), `footpath.report.wording` turns
numbers into words, `footpath.report.page` fills the template. The page computes nothing: every
number on it is one of the database's.
"""

from footpath.report.content import top_findings
from footpath.report.page import build_report

__all__ = ["build_report", "top_findings"]

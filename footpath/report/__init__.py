"""The report: one self-contained HTML page made from a published database.

`footpath.report.content` asks the database (``sql/report/*.sql``) and `footpath.report.page` puts the
page together: its data as JSON, the modules of ``page/`` that draw it, and the chart library in
``vendor/``. The page computes no rate and no interval: every number on it is one of the database's.
"""

from footpath.report.content import top_findings
from footpath.report.page import build_report

__all__ = ["build_report", "top_findings"]

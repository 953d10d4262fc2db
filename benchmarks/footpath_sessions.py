"""footpath from raw files to sessions: ingest, resolve and sessionize in one process."""

from __future__ import annotations

import sys

from contracts.loading import load_config
from footpath.console import configure_logging
from footpath.running import run_stages

if __name__ == "__main__":
    configure_logging("text")
    run_stages(load_config(sys.argv[1]), ("ingest", "resolve", "sessionize"), ())

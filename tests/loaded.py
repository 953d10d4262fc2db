"""What `tests.commands` loads once for all commands: imported by the process that they are forked from."""

import gc

import apache_beam
import duckdb

import footpath.cli
import footpath.publication
import tests.spine
from footpath.expecting import import_library

import_library()
gc.freeze()  # or every command would copy what its collector looks at

__all__ = ["apache_beam", "duckdb", "footpath", "tests"]

"""The house plan holds: packages import downwards only, and files stay of a size that one can
read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("footpath", "pipelines", "transforms", "models", "sql", "contracts")
MAY_IMPORT: dict[str, set[str]] = {
    "dags": set(),
    "footpath": {"pipelines", "transforms", "models", "sql", "contracts"},
    "pipelines": {"transforms", "models", "sql", "contracts"},
    "transforms": {"models", "contracts"},
    "models": {"contracts"},
    "sql": {"contracts"},
    "contracts": set(),
}
"""DESIGN: from the top floor down; each may also import its own modules."""


def sources(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_downwards_only(package: str):
    """A lower floor knows nothing of a higher one; tests are known to nobody."""
    allowed = MAY_IMPORT[package] | ({package} if package != "dags" else set())
    forbidden = {*PACKAGES, "dags", "tests", "benchmarks"} - allowed
    broken = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sources(package)
        for module in sorted(imported(path))
        if module.split(".")[0] in forbidden
    ]
    assert broken == []


@pytest.mark.parametrize("package", ["models", "sql", "contracts"])
def test_the_lower_floors_know_no_beam(package: str):
    """Models are pure functions: arrays and tables in, results out."""
    broken = [
        str(path.relative_to(ROOT))
        for path in sources(package)
        if any(module.split(".")[0] == "apache_beam" for module in imported(path))
    ]
    assert broken == []


def test_models_touch_no_files():
    """Neither paths nor Parquet nor open files; whoever calls brings the tables."""
    files = {"pathlib", "os", "shutil", "tempfile", "pyarrow.parquet", "pyarrow.csv"}
    broken = [
        f"{path.relative_to(ROOT)} imports {', '.join(sorted(imported(path) & files))}"
        for path in sources("models")
        if imported(path) & files
    ]
    assert broken == []


def test_wiring_knows_no_duckdb():
    """SQL is spoken in kernels (models) and where databases are published (sql, footpath)."""
    wiring = [
        path for package in ("pipelines", "transforms", "contracts") for path in sources(package)
    ]
    assert [str(path.relative_to(ROOT)) for path in wiring if "duckdb" in imported(path)] == []


def test_no_module_is_over_500_lines():
    """One concept a file."""
    long = {
        str(path.relative_to(ROOT)): count
        for package in PACKAGES
        for path in sources(package)
        if (count := len(path.read_text("utf-8").splitlines())) > 500
    }
    assert long == {}


def test_every_module_says_what_it_is_and_what_it_offers():
    """A docstring that teaches, and `__all__`; entry points of packages and of the program
    aside.
    """
    lacking = []
    for package in PACKAGES:
        for path in sources(package):
            tree = ast.parse(path.read_text("utf-8"))
            names = {
                t.id
                for n in tree.body
                if isinstance(n, ast.Assign)
                for t in n.targets
                if isinstance(t, ast.Name)
            }
            if not ast.get_docstring(tree) or (
                "__all__" not in names and path.stem not in ("__init__", "__main__")
            ):
                lacking.append(str(path.relative_to(ROOT)))
    assert lacking == []

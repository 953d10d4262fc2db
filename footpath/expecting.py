"""Expectations run by Great Expectations over the tables of a version that is about to be published.

Great Expectations' SQL engine does not speak DuckDB 2, so its pandas engine is used, on whole tables: DuckDB
hands out just the columns that some expectations read, as arrays of numpy and Arrow, one set of columns after the
other (docs/adr/0011). Great Expectations takes seconds to import: this module imports it when there is something to
validate and never before.

Its results are rows of ``data_quality`` and pages of *Data Docs* beside the database (`footpath.data_docs`). It is
told to send no usage data.
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from contracts.expectations import Expectation, Suite
from contracts.sql_text import identifier
from footpath.data_docs import write_data_docs
from sql.check import CheckResult

__all__ = ["import_library", "validate"]

_SHOWN = 5
_NO_COLUMN: tuple[str, ...] = ()
_PRESENT = "expect_column_values_to_not_be_null"


def import_library() -> Any:
    """Great Expectations, kept from sending usage data and from drawing progress bars."""
    os.environ["GX_ANALYTICS_ENABLED"] = "False"
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own affair
        import great_expectations
    return great_expectations


@dataclass(frozen=True)
class _Asked:
    """An expectation of one column, of several, or of the whole table."""

    expectation: Expectation
    column: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,) if self.column is not None else self.expectation.names

    @property
    def about(self) -> str:
        return " and ".join(self.columns)

    @property
    def kind(self) -> str:
        return self.expectation.expect.removeprefix("expect_")

    @property
    def promise(self) -> str:
        """What is expected, in words."""
        kind = self.kind.removeprefix("column_").removeprefix("table_").replace("_", " ")
        given = {k: v for k, v in self.expectation.parameters.items() if not k.startswith("column")}
        words = ", ".join(f"{name} {_shown(value)}" for name, value in given.items())
        reason = f": {self.expectation.because}" if self.expectation.because else ""
        return " ".join(filter(None, (self.about, kind, f"({words})" if words else ""))) + reason


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _asked(suite: Suite) -> Iterator[_Asked]:
    for expectation in suite.expectations:
        if expectation.columns:
            yield from (_Asked(expectation, column) for column in expectation.columns)
        else:
            yield _Asked(expectation, expectation.column)


def validate(
    connection: duckdb.DuckDBPyConnection,
    suites: Mapping[str, Suite],
    docs: Path,
    run_id: str,
) -> list[CheckResult]:
    """Ask every expectation of the connection's current database; write Data Docs.

    Parameters
    ----------
    connection
        To the database; suites may name its tables.
    suites : mapping of str to Suite
        By name; one without query is asked of the table of that name.
    docs : Path
        Folder for the pages; made if need be.
    run_id : str
        Named in the pages.

    Returns
    -------
    list of CheckResult
        One for each expectation and column, in the order of the suites.
    """
    context = _context()
    found: list[CheckResult] = []
    answers: dict[str, list[Any]] = {}
    for name, suite in suites.items():
        asked = list(_asked(suite))
        answers[name] = _answers(connection, context, name, suite, asked)
        found += [
            _result(name, one, answer) for one, answer in zip(asked, answers[name], strict=True)
        ]
    write_data_docs(docs, answers, run_id)
    return found


def _context() -> Any:
    """Great Expectations' state, in memory."""
    library = import_library()
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return library.get_context(mode="ephemeral", project_config=config)


def _answers(
    connection: duckdb.DuckDBPyConnection,
    context: Any,
    name: str,
    suite: Suite,
    asked: list[_Asked],
) -> list[Any]:
    """Great Expectations' results, in the order in which they were asked; columns are read once."""
    by_columns: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, one in enumerate(asked):
        by_columns[_NO_COLUMN if suite.query else one.columns].append(number)
    answers: list[Any] = [None] * len(asked)
    for columns, numbers in by_columns.items():
        configurations = [_configuration(asked[number], number) for number in numbers]
        presence = all(asked[number].expectation.expect == _PRESENT for number in numbers)
        try:
            frame = _frame(connection, name, suite, columns, presence and not suite.query)
        except duckdb.Error as error:
            results = [_unreadable(one, str(error)) for one in configurations]
        else:
            results = _ask(context, name, frame, configurations)
        for number, result in zip(numbers, results, strict=True):
            answers[number] = result
    return answers


def _frame(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    suite: Suite,
    columns: tuple[str, ...],
    presence: bool,
) -> Any:
    """Columns of a table, all of a query's, as a frame; none: a column of ones.

    Where nothing but `presence` is asked, false stands for every text: of millions of ids none is handed out.
    """
    import pandas as pd

    rows = f"({suite.query.rstrip().removesuffix(';')}\n)" if suite.query else identifier(name)
    listed = "*" if suite.query else ", ".join(map(identifier, columns)) or "1 AS one"
    found = connection.sql(f"SELECT {listed} FROM {rows}")
    if presence and found.types == ["VARCHAR"]:
        found = connection.sql(f"SELECT nullif({listed} IS NULL, true) AS {listed} FROM {rows}")
    table = found.to_arrow_table()
    return pd.DataFrame({name: _series(table[name]) for name in table.column_names}, copy=False)


def _series(values: pa.ChunkedArray) -> Any:
    """A column in the form that Great Expectations works on as a whole and not value by value.

    For numbers and times that is numpy's (null is NaN), for all else Arrow's memory as it is.
    """
    import pandas as pd

    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        whole = pa.types.is_integer(kind) and not values.null_count
        return pd.Series(values.cast(pa.int64() if whole else pa.float64(), safe=False).to_numpy())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        with contextlib.suppress(pa.ArrowInvalid):  # of a year that nanoseconds do not reach
            return pd.Series(values.cast(pa.timestamp("ns")).to_numpy())
    return pd.Series(pd.arrays.ArrowExtensionArray(values))


def _configuration(asked: _Asked, place: int) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.metadata_types import FailureSeverity

    parameters = {name: _plain(value) for name, value in asked.expectation.parameters.items()}
    if asked.column is not None:
        parameters["column"] = asked.column
    return ExpectationConfiguration(
        type=asked.expectation.expect,
        kwargs=parameters,
        severity=FailureSeverity(asked.expectation.severity),
        notes=asked.expectation.because or None,
        meta={"place": place},
    )


def _plain(value: Any) -> Any:
    """A parameter as Great Expectations takes it; times are UTC without zone, as they are published."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    return value


def _ask(context: Any, name: str, frame: Any, configurations: list[Any]) -> list[Any]:
    """The results of one frame, in the order given."""
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.validator.validator import Validator

    # A data source would hash the frame for every question, which takes longer than the answer.
    engine = PandasExecutionEngine(batch_data_dict={name: frame})
    validator = Validator(execution_engine=engine, data_context=context)
    form = {"result_format": "BASIC", "partial_unexpected_count": _SHOWN}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = validator.graph_validate(configurations, {"result_format": form})
    # Those that could not be asked come first, whatever was asked first.
    by_place = {result.expectation_config.meta["place"]: result for result in results}
    return [by_place[configuration.meta["place"]] for configuration in configurations]


def _unreadable(configuration: Any, message: str) -> Any:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult

    failure = {"raised_exception": True, "exception_message": message, "exception_traceback": ""}
    return ExpectationValidationResult(
        success=False, expectation_config=configuration, result={}, exception_info=failure
    )


def _result(suite: str, asked: _Asked, answer: Any) -> CheckResult:
    found = answer.result or {}
    examples: list[str] = []
    violations = 0
    if not answer.success:
        violations = int(found.get("unexpected_count") or 1)
        unexpected = found.get("partial_unexpected_list") or []
        examples = [f"found {_shown(value)}" for value in unexpected]
        if not examples and "observed_value" in found:
            examples = [f"found {found['observed_value']}"]
        if not found:
            examples = [_failure(answer.exception_info)]
    about = ".".join(filter(None, (suite, asked.about)))
    return CheckResult(
        f"{about} {asked.kind}",
        f"{suite}: {asked.promise}",
        violations,
        tuple(examples),
        kind="expectation",
        table=suite,
        severity=asked.expectation.severity,
    )


def _failure(told: Mapping[str, Any]) -> str:
    """Why an expectation could not be asked; Great Expectations may tell it once for each metric."""
    told = told if "exception_message" in told else next(iter(told.values()))
    return f"could not be asked: {str(told['exception_message']).splitlines()[0]}"

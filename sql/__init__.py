"""The one door to DuckDB databases: what is published, proven, hashed and asked.

=====================  ==========================================================================
`sql.publish`          builds ``footpath.duckdb`` from the lake's Parquet files
`sql.check`            proves that the published numbers reconcile
`sql.digest`           prints a content hash of every table
`sql.statements`       finds the SQL files and opens databases
``sql/macros/``        functions an analyst may call; made first
``sql/tables/``        tables that are more than a copy of the lake's
``sql/views/``         views over the tables
``sql/checks/``        each returns the rows that break one promise
``sql/examples/``      questions that analysts ask
=====================  ==========================================================================

Every file opens with its grain and invariants and reads top-down as named steps.
"""

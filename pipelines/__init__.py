"""Runnable Beam jobs, one a file: each reads tables of the lake and writes tables of the lake."""

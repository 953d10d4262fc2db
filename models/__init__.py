"""Estimators and algorithms: arrays, Arrow tables and graphs in, results out. No Beam, no files."""

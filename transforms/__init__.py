"""Beam transforms: thin wiring over pure kernels on Arrow tables."""

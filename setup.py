"""Packages of footpath; metadata and tool settings are in pyproject.toml.

Beam stages this file on remote workers: ``--setup_file ./setup.py``.
"""

from setuptools import find_packages, setup

setup(
    packages=find_packages(
        include=[
            f"{package}{suffix}"
            for package in ("contracts", "models", "transforms", "pipelines", "sql", "footpath")
            for suffix in ("", ".*")
        ]
    ),
    include_package_data=False,
    package_data={
        "contracts": ["presets/*.yml", "expectations/*.yml"],
        "sql": ["**/*.sql"],
        "footpath": ["**/*.html", "**/*.css", "**/*.js", "**/*.j2", "**/*.yml", "py.typed"],
    },
)

"""Keys for hashing: where they are, and what must be said when one is missing.

The key is never in a file of the project or of the warehouse: an environment variable holds it, or a file
elsewhere. Former keys are asked for as long as tombstones of erased persons were made with them (`models.tombstones`).
"""

from __future__ import annotations

import os

from contracts.config import Config
from contracts.errors import ConfigError, Problem
from contracts.lake import Lake
from models.identifiers import Pseudonymiser
from models.tombstones import Tombstones
from pipelines.decisions import read_erasures

__all__ = ["pseudonymiser", "required_key", "tombstones"]


def pseudonymiser(config: Config) -> Pseudonymiser | None:
    """The present key; None where no source declares personal identifiers and there is none.

    Raises
    ------
    ConfigError
        If a source declares personal identifiers and there is no key, or its file is no place for one.
    """
    key = _present_key(config)
    if key is None and config.has_personal_identifiers:
        raise _missing(config, "sources hold personal identifiers")
    return key


def required_key(config: Config, why: str) -> Pseudonymiser:
    """The present key, where nothing can be done without it.

    Raises
    ------
    ConfigError
        If there is none.
    """
    key = _present_key(config)
    if key is None:
        raise _missing(config, why)
    return key


def tombstones(config: Config, lake: Lake) -> Tombstones | None:
    """Who was erased, with all keys that tell; None if nobody was.

    Raises
    ------
    ConfigError
        If a key is missing: without it the erased would come back.
    """
    erasures = read_erasures(lake)
    if not erasures:
        return None
    present = required_key(config, "persons were erased, who are known by keyed hashes")
    former = [
        Pseudonymiser(os.environ[name].encode())
        for name in config.privacy.former_key_envs
        if os.environ.get(name)
    ]
    of_key = {key.digest("", ""): key for key in (*former, present)}
    unknown = {tombstone.key for tombstone in erasures} - set(of_key)
    if unknown:
        found = f"{len(unknown)} of the keys under which persons were erased is not given"
        fix = (
            "name the environment variables of former keys here, or the erased would come back; "
            "see docs/privacy.md, Rotating the key"
        )
        raise ConfigError("privacy", [Problem("privacy.former_key_envs", found, fix)])
    used = {tombstone.key for tombstone in erasures}
    keys = [present, *(key for name, key in of_key.items() if name in used and key != present)]
    return Tombstones(tuple(keys), erasures)


def _present_key(config: Config) -> Pseudonymiser | None:
    privacy = config.privacy
    if key := os.environ.get(privacy.key_env, ""):
        return Pseudonymiser(key.encode())
    if privacy.key_file is None:
        return None
    path = privacy.key_file.resolve()
    if path.is_relative_to(config.warehouse.resolve()):
        found = f"{path} lies in the warehouse, beside what it protects"
        fix = "keep the key elsewhere, readable by footpath alone"
        raise ConfigError("privacy", [Problem("privacy.key_file", found, fix)])
    try:
        key = path.read_text("utf-8").strip()
    except OSError as error:
        found = f"{path}: {error.strerror}"
        fix = "write a long random text to it: openssl rand -hex 32 > FILE; chmod 600 FILE"
        raise ConfigError("privacy", [Problem("privacy.key_file", found, fix)]) from None
    return Pseudonymiser(key.encode()) if key else None


def _missing(config: Config, why: str) -> ConfigError:
    variable = config.privacy.key_env
    found = f"environment variable {variable} is empty, and {why}"
    fix = (
        f"set it to a long random text, kept outside the project: export {variable}=..., "
        "or name a file in privacy.key_file"
    )
    return ConfigError("privacy", [Problem("privacy.key_env", found, fix)])

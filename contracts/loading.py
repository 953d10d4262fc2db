"""Reading ``footpath.yml``: presets merged in, every mistake gathered into one report."""

from __future__ import annotations

import copy
import difflib
import os
import re
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from contracts import config, sources
from contracts.config import END_NODES, OTHER, PERIODS, PERSONA, Config
from contracts.errors import ConfigError, Problem
from contracts.expectations import suite_mistakes
from contracts.expressions import references
from contracts.schemas import TABLES
from contracts.sources import Source

__all__ = ["dated", "load_config", "parse_config", "preset", "preset_names"]

_RULE_COLUMNS = ("source", "channel", "event_type", "page", "transaction_id")


def preset_names() -> tuple[str, ...]:
    """Names of the source presets shipped with footpath."""
    folder = resources.files("contracts") / "presets"
    return tuple(sorted(f.name[:-4] for f in folder.iterdir() if f.name.endswith(".yml")))


@cache
def _read_preset(name: str) -> dict[str, Any]:
    text = (resources.files("contracts") / "presets" / f"{name}.yml").read_text("utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def preset(name: str) -> dict[str, Any]:
    """A preset of one's own: ``source`` (a source without paths) and ``touchpoints`` (its rules)."""
    return copy.deepcopy(_read_preset(name))


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice; the standard keeps the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if (key.tag, key.value) in seen and isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    problem=f"{key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add((key.tag, str(key.value)))
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def load_config(path: str | Path, day: date | None = None) -> Config:
    """Read, complete and validate a configuration file.

    The warehouse and relative source paths are taken from the file's folder. In a source's paths ``{date}``, or
    ``{date:%Y/%m/%d}``, is the given day; without one it stands for every day.

    Raises
    ------
    ConfigError
        With every mistake found.
    """
    path = Path(path)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        fix = "write one with 'footpath init', or name it with --config"
        raise ConfigError(str(path), [Problem("file", error.strerror or str(error), fix)]) from None
    try:
        document = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "file"
        found = getattr(error, "problem", None) or str(error)
        raise ConfigError(str(path), [Problem(place, f"not YAML: {found}")]) from None
    return parse_config(document, base=path.resolve().parent, source=str(path), day=day)


def parse_config(
    document: Any, base: Path, source: str = "configuration", day: date | None = None
) -> Config:
    """Validate a configuration that has been read already."""
    problems: list[Problem] = []
    if not isinstance(document, dict):
        raise ConfigError(
            source, [Problem("file", "is empty or no mapping", "see 'footpath init'")]
        )
    document = _with_presets(document, problems)
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        problems += _schema_problems(error, {problem.place for problem in problems})
        problems += _checks_of_sound_parts(document, error)
        raise ConfigError(source, problems) from None
    problems += _cross_checks(config)
    if problems:
        raise ConfigError(source, problems)
    return _anchored(config, base, day)


def dated(path: str, day: date | None) -> str:
    """A path with its date filled in, or with wildcards for one.

    >>> from datetime import date
    >>> dated("web/{date}.jsonl", date(2026, 3, 1)), dated("web/{date:%Y/%m}/*", None)
    ('web/2026-03-01.jsonl', 'web/*/*/*')
    """

    def fill(match: re.Match[str]) -> str:
        form = match[1] or "%Y-%m-%d"
        return day.strftime(form) if day else re.sub("%.(-?%.)*", "*", form)

    return re.sub(r"\{date(?::([^}]*))?\}", fill, path)


def _anchored(config: Config, base: Path, day: date | None) -> Config:
    def anchor(path: str) -> str:
        return path if "://" in path or os.path.isabs(path) else str(base / path)

    sources = {
        name: source.model_copy(
            update={"paths": tuple(anchor(dated(p, day)) for p in source.paths)}
        )
        for name, source in config.sources.items()
    }
    personas = config.personas
    if profile := personas.profile:
        anchored = profile.model_copy(update={"paths": tuple(anchor(p) for p in profile.paths)})
        personas = personas.model_copy(update={"profile": anchored})
    privacy = config.privacy
    if privacy.key_file is not None:
        privacy = privacy.model_copy(update={"key_file": Path(anchor(str(privacy.key_file)))})
    warehouse = Path(anchor(str(config.warehouse)))
    return config.model_copy(
        update={
            "sources": sources,
            "warehouse": warehouse,
            "personas": personas,
            "privacy": privacy,
        }
    )


def _with_presets(document: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    sources = document.get("sources")
    if not isinstance(sources, dict):
        return document
    merged: dict[str, Any] = {}
    own_rules = document.get("touchpoints") or []
    if not isinstance(own_rules, list):
        own_rules = [own_rules]
    rules: list[Any] = list(own_rules)
    for name, given in sources.items():
        chosen = given.get("preset") if isinstance(given, dict) else None
        if chosen is None:
            merged[name] = given
        elif chosen not in preset_names():
            problems.append(
                Problem(
                    f"sources.{name}.preset",
                    f"{chosen!r} is no preset",
                    _near(str(chosen), preset_names()),
                )
            )
            merged[name] = given
        else:
            base = preset(chosen)
            merged[name] = _merge(base["source"], given)
            rules += [
                {**rule, "when": {"source": [name], **rule["when"]}}
                for rule in base.get("touchpoints", [])
            ]
    return {**document, "sources": merged, "touchpoints": rules}


def _merge(base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Override a preset field by field; null removes a field."""
    merged = dict(base)
    for key, value in given.items():
        if value is None:
            merged.pop(key, None)
        elif key in ("fields", "identifiers", "attributes") and isinstance(value, dict):
            merged[key] = _merge(base.get(key, {}), value)
        else:
            merged[key] = value
    return merged


def _near(word: str, allowed: tuple[str, ...] | list[str]) -> str:
    close = difflib.get_close_matches(word, allowed, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(allowed)}"


def _model_at(location: tuple[Any, ...]) -> type[BaseModel] | None:
    """Find the model that an error's location leads to; None inside an expression."""
    model: type[BaseModel] = Config
    for part in location:
        if part in model.model_fields:
            annotation = str(model.model_fields[part].annotation)
            if "contracts.expressions" in annotation:
                return None
            inner = (vars(sources) | vars(config)).get
            found = [
                m
                for m in map(inner, re.findall(r"[A-Z]\w+", annotation))
                if isinstance(m, type) and issubclass(m, BaseModel)
            ]
            model = found[0] if found else model
    return model


def _place(location: tuple[Any, ...]) -> str:
    """``sources.web.fields``, ``touchpoints[1].stage``: lists are counted from 1."""
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "file"


def _schema_problems(error: ValidationError, known: set[str]) -> list[Problem]:
    """Say what pydantic found, without what follows from a mistake known already."""
    problems = []
    without_preset = {place.removesuffix(".preset") for place in known}
    rules_too_few = known or any(
        d["loc"][0] == "touchpoints" and d["loc"][1:] for d in error.errors()
    )
    for details in error.errors():
        location = tuple(p for p in details["loc"] if "[" not in str(p) and "(" not in str(p))
        follows = (
            _place(location) in known
            or (details["type"] == "missing" and _place(location[:2]) in without_preset)
            or (location == ("touchpoints",) and details["type"] == "too_short" and rules_too_few)
        )
        if not follows:
            problems.append(_problem(details, location))
    return problems


def _problem(details: Any, location: tuple[Any, ...]) -> Problem:
    place, given = _place(location), details["input"]
    message = str(details["msg"]).removeprefix("Value error, ")
    match details["type"]:
        case "extra_forbidden":
            model = _model_at(location[:-1])
            if model is None:
                fix = "an expression is one of const, coalesce, concat, lower, lookup with map, sql"
                return Problem(place, "is not known", fix)
            return Problem(
                place, "is not known", _near(str(location[-1]), list(model.model_fields))
            )
        case "missing" if location[0] == "sources" and len(location) == 3:
            return Problem(
                place, "is missing", "every source needs it; presets bring all but paths"
            )
        case "missing" if len(location) == 1:
            return Problem(place, "is missing", "every project needs it; see 'footpath init'")
        case "missing":
            return Problem(place, "is missing", f"{_place(location[:-1])} needs it")
        case "too_short":
            return Problem(place, "is empty", "list at least one")
        case "model_type" | "dict_type":
            return Problem(place, f"{given!r} is no mapping", "write 'name: value' lines below it")
        case "timezone_aware":
            return Problem(
                place, f"{given!s} has no time zone", "write for example 2026-01-31T00:00:00Z"
            )
        case "string_pattern_mismatch":
            return Problem(place, f"{given!r} must be lower case letters, digits and _, at most 48")
        case "literal_error":
            allowed = re.findall(r"'([^']+)'", message)
            return Problem(place, f"{given!r} is not known", _near(str(given), allowed))
    return Problem(place, message)


def _checks_of_sound_parts(document: dict[str, Any], error: ValidationError) -> list[Problem]:
    """Cross-checks of the parts that are valid by themselves, so that they need no second try."""
    broken = {details["loc"][0] for details in error.errors()} & set(Config.model_fields)
    broken_sources = {
        d["loc"][1] for d in error.errors() if d["loc"][0] == "sources" and d["loc"][1:]
    }
    sources = document.get("sources")
    if not isinstance(sources, dict):
        return []
    sound: dict[str, Any] = {
        "project": "-",
        "touchpoints": [{"ignore": True, "when": {"source": "-"}}],
    }
    sound |= {k: v for k, v in document.items() if k in Config.model_fields and k not in broken}
    sound["sources"] = {name: s for name, s in sources.items() if name not in broken_sources}
    try:
        config = Config.model_validate(sound)
    except ValidationError:
        return []
    if broken & {"sources", "touchpoints", "stages", "journey", "identity", "graph", "session"}:
        return [p for name, s in config.sources.items() for p in _check_references(name, s)]
    return _cross_checks(config)


def _cross_checks(config: Config) -> list[Problem]:
    """Mistakes that only show between parts of the configuration."""
    problems = []
    namespaces = list(config.identity.namespaces)
    for name, source in config.sources.items():
        for namespace in source.identifiers:
            if namespace not in config.identity.namespaces:
                problems.append(
                    Problem(
                        f"sources.{name}.identifiers.{namespace}",
                        "is no declared namespace",
                        _near(namespace, namespaces)
                        + "; declare it under identity.namespaces with personal: true or false",
                    )
                )
        problems += _check_references(name, source)
    if config.subject == "account" and not config.account_namespaces:
        fix = (
            "declare a namespace with account: true under identity.namespaces and fill it in a source, "
            "by a field of its own or, with normalise: domain, by the e-mail address"
        )
        problems.append(Problem("subject", "'account' needs a namespace that names accounts", fix))
    if profile := config.personas.profile:
        for namespace in profile.identifiers:
            if namespace not in config.namespaces:
                problems.append(
                    Problem(
                        f"personas.profile.identifiers.{namespace}",
                        "is filled by no source, so it names no customer",
                        _near(namespace, list(config.namespaces)),
                    )
                )
    problems += _check_attributes(config)
    problems += _check_rules(config)
    problems += suite_mistakes(config.expectations, config.namespaces, config.attributes)
    return problems


def _check_references(name: str, source: Source) -> list[Problem]:
    problems = []
    tabular = source.format in ("csv", "tsv", "parquet")
    places: list[tuple[str, Any]] = [("channel", source.channel)]
    for key in type(source.fields).model_fields:
        given = getattr(source.fields, key)
        if given is not None:
            places.append((f"fields.{key}", getattr(given, "value", given)))
    places += [(f"identifiers.{key}", value) for key, value in source.identifiers.items()]
    places += [(f"attributes.{key}", value) for key, value in source.attributes.items()]
    if source.consent:
        places.append(("consent.field", source.consent.field))
    if source.only is not None:
        places.append(("only", source.only))
    for place, expression in places:
        for ref in dict.fromkeys(references(expression)):
            if not tabular and not ref.startswith("$"):
                fix = f"write $.{ref} for a path, or {{const: {ref}}} for a constant"
                found = f"{ref!r} is no JSON path"
                problems.append(Problem(f"sources.{name}.{place}", found, fix))
            if tabular and ref.startswith("$."):
                found = f"{ref!r} is a JSON path; {source.format} has columns"
                problems.append(Problem(f"sources.{name}.{place}", found, "name a column"))
            elif tabular and source.columns is not None and ref not in source.columns:
                found = f"{ref!r} is no column"
                fix = _near(ref, list(source.columns))
                problems.append(Problem(f"sources.{name}.{place}", found, fix))
    return problems


def _check_attributes(config: Config) -> list[Problem]:
    reserved = {
        column.name
        for table in ("events", "touchpoints", "sessions", "journeys")
        for column in TABLES[table].columns
    }
    problems = [
        Problem(f"sources.*.attributes.{name}", "is the name of a column of footpath", "rename it")
        for name in config.attributes
        if name in reserved or name.startswith("id_")
    ]
    allowed = ["entry_channel", PERSONA, *PERIODS, *config.attributes]
    problems += [
        Problem("graph.segments", f"{name!r} is no attribute", _near(name, allowed))
        for name in config.graph.segments
        if name not in allowed
    ]
    allowed = ["touchpoint", "channel", *config.attributes]
    problems += [
        Problem("attribution.levels", f"{name!r} is no attribute", _near(name, allowed))
        for name in config.attribution_levels
        if name not in allowed
    ]
    if config.session.split_on_campaign and "campaign" not in config.attributes:
        fix = "declare attributes.campaign in a source"
        problems.append(Problem("session.split_on_campaign", "needs the attribute campaign", fix))
    return problems


def _check_rules(config: Config) -> list[Problem]:
    problems = []
    columns = [*_RULE_COLUMNS, *config.attributes]
    touchpoints = [rule.touchpoint for rule in config.touchpoints if rule.touchpoint]
    for number, rule in enumerate(config.touchpoints, start=1):
        place = f"touchpoints[{number}]"
        for column in rule.when:
            if column not in columns:
                found = f"{column!r} is no column to match on"
                problems.append(Problem(f"{place}.when", found, _near(column, columns)))
        if rule.stage and rule.stage not in (*config.stages, OTHER):
            found = f"{rule.stage!r} is no stage"
            problems.append(Problem(f"{place}.stage", found, _near(rule.stage, config.stages)))
        if rule.touchpoint and rule.touchpoint.upper() in END_NODES:
            found = f"{rule.touchpoint!r} is reserved for the ends of a journey"
            problems.append(Problem(f"{place}.touchpoint", found, "choose another name"))
    for name in config.journey.conversion:
        if name not in touchpoints:
            found = f"{name!r} is no touchpoint of a rule"
            problems.append(
                Problem("journey.conversion", found, _near(name, sorted(set(touchpoints))))
            )
    for name in config.journey.pre_purchase_stages or ():
        if name not in config.stages:
            found = f"{name!r} is no stage"
            problems.append(
                Problem("journey.pre_purchase_stages", found, _near(name, config.stages))
            )
    return problems

"""``footpath forget``: a person taken out of the warehouse for good (docs/adr/0010).

The tombstone is written first. From then on the erasure is owed: this command or any run completes it, however often it
was killed on the way. It is done when the published version was made with all tombstones and no other version is left.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from contracts.config import Config
from contracts.errors import ConfigError, InputError, Problem
from contracts.lake import Lake, Manifest, StageRecord
from contracts.lock import locked
from footpath.identities import as_known
from footpath.running import STAGES, carry_out
from models.tombstones import Tombstone, bury
from pipelines.decisions import append_erasure, read_erasures
from pipelines.erase import STAGE, Person, find_person
from pipelines.ingest import contracts_of
from pipelines.job import Run
from pipelines.keys import required_key

__all__ = ["complete_erasures", "forget", "mark_applied"]

_KEPT = (
    "events", "event_keys", "dead_letters", "quarantine", "consents", "ingest_ledger", "identities", "identity_changes",
    "customer_personas", "personas", "persona_models", "persona_changes", "runs",
)  # fmt: skip
"""Tables of the base that stages may look back at when all is rebuilt; no other file of it is used again."""


def forget(
    config: Config, namespace: str, value: str, *, sure: bool, beam_args: Sequence[str] = ()
) -> Iterator[str]:
    """Erase the person an identifier belongs to; lines to print. Without `sure`, only tell what would be done.

    Raises
    ------
    ConfigError
        If there is no such namespace, or no key, or another than that of the published version.
    InputError
        If the value can be no identifier of it, or belongs to several persons.
    """
    if namespace not in config.person_namespaces:
        allowed = ", ".join(config.person_namespaces)
        found = f"{namespace!r} is no namespace of persons that a source fills"
        raise ConfigError("forget", [Problem("NAMESPACE", found, f"allowed: {allowed}")])
    key = required_key(config, "tombstones are keyed hashes")
    with locked(config.warehouse):
        run = Run.begin(config, beam_args)
        _refuse_another_key(run)
        person = _person(run, namespace, value)
        yield from _told(run, person)
        if not sure:
            yield "nothing was changed: say --yes to do it; it can't be undone"
            return
        tombstone = bury(person.identifiers, person.anonymous, key)
        if not _is_buried(tombstone, read_erasures(run.lake)):
            append_erasure(run.lake, tombstone, datetime.now(UTC))
        yield from complete_erasures(run)
        yield (
            "the sources' own files are not footpath's to change: erase the person there; "
            "what they still hold is withheld from now on and counted as erased"
        )


def _refuse_another_key(run: Run) -> None:
    """Under another key nobody would be found, and the tombstone would be a stranger's.

    Raises
    ------
    ConfigError
        If the published version was made with another key, or another declaration of a source.
    """
    if not run.base.version:
        return
    known = run.base.stages["ingest"].facts["contracts"]
    changed = [name for name, now in contracts_of(run).items() if known.get(name, now) != now]
    if changed:
        found = f"the key, or what is declared, is not that of the published version ({', '.join(changed)})"
        fix = "give the key it was made with; after a change on purpose, 'footpath run' comes first"
        raise ConfigError("forget", [Problem("privacy.key_env", found, fix)])


def _person(run: Run, namespace: str, value: str) -> Person:
    known = as_known(run.config, namespace, value)
    for candidate in known:
        person = find_person(run, (namespace, candidate))
        if person is None:
            continue
        if not person.identifiers:
            raise InputError(
                f"{namespace} {value!r} is used by several persons, or says nothing about any; "
                "name an identifier that is the person's own ('footpath identity show' lists them)"
            )
        return person
    if len(known) == 1 and run.config.identity.namespaces[namespace].personal:
        raise InputError(f"{value!r} can be no {namespace}: it does not look like one")
    return Person(((namespace, known[-1]),))


def _told(run: Run, person: Person) -> Iterator[str]:
    """What would be done."""
    counts = Counter(name for name, _ in person.identifiers)
    named = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    yield f"the person has {len(person.identifiers)} identifiers of their own: {named}"
    if person.anonymous:
        yield f"and {len(person.anonymous)} anonymous events on devices shared with others"
    old = [folder.name for folder in _versions(run.lake)]
    if old:
        yield f"versions to be dropped, for they hold the person: {', '.join(old)}"


def _is_buried(tombstone: Tombstone, earlier: Sequence[Tombstone]) -> bool:
    """Whether tombstones of the same key say all of it already."""
    same = [known for known in earlier if known.key == tombstone.key]
    identifiers = {hashed for known in same for hashed in known.identifiers}
    events = {event for known in same for event in known.events}
    return set(tombstone.identifiers) <= identifiers and set(tombstone.events) <= events


def complete_erasures(run: Run) -> Iterator[str]:
    """Do what tombstones ask for and was not done yet; lines to print. The lock is held.

    The version that is published then is the only one; whatever else the warehouse held is gone.
    """
    lake = run.lake
    if not read_erasures(lake):
        return
    wanted = STAGE.fingerprint(run)
    if run.base.version and not _is_applied(run.base, wanted):
        yield from _erase(run)
    elif not run.base.version and not _is_applied(lake.draft(), wanted):
        lake.discard_draft()
        yield f"nothing is published; {lake.sweep([])} files of unpublished runs were deleted"
    stale = [folder for folder in _versions(lake) if not _is_applied(_manifest(folder), wanted)]
    if stale:
        # Data files go first: while a version is left that named them, this is still to be done.
        swept = lake.sweep([_manifest(folder) for folder in _versions(lake) if folder not in stale])
        for folder in stale:
            shutil.rmtree(folder)
        dropped = ", ".join(folder.name for folder in stale)
        yield f"dropped version {dropped}, and {swept:,} files that nothing else needs"


def mark_applied(run: Run) -> None:
    """Note in the draft that it is made with all tombstones there are: its ingest withholds whom they name."""
    if read_erasures(run.lake):
        run.draft.stages[STAGE.name] = StageRecord(STAGE.fingerprint(run))


def _erase(run: Run) -> Iterator[str]:
    """Rewrite what ingest wrote, rebuild all that follows from it, and publish."""
    run.lake.discard_draft()
    run.draft = run.base.copy()
    carry_out(run, (STAGE.name,))
    facts = run.draft.stages[STAGE.name].facts
    run.base.tables = {name: files for name, files in run.base.tables.items() if name in _KEPT}
    run.base.stages = {"ingest": run.base.stages["ingest"]}
    carry_out(run, STAGES[1:])
    yield (
        f"erased {facts.get('events', 0):,} events, {facts.get('duplicates', 0):,} duplicates and "
        f"{facts.get('quarantined', 0):,} quarantined records with {facts['identifiers']:,} identifiers; "
        f"{facts['files']:,} files of events written anew, {facts['decisions']:,} decisions taken out"
    )
    yield f"published version {run.lake.published().version}, rebuilt from what is left"


def _is_applied(manifest: Manifest, wanted: str) -> bool:
    record = manifest.stages.get(STAGE.name)
    return record is not None and record.fingerprint == wanted


def _versions(lake: Lake) -> list[Path]:
    folder = lake.root / "versions"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _manifest(version: Path) -> Manifest:
    """A version's manifest; an empty one if it is not whole."""
    try:
        return Manifest.from_json((version / "manifest.json").read_text("utf-8"))
    except FileNotFoundError:
        return Manifest()

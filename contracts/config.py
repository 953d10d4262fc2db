"""``footpath.yml``: one validated model of everything a project declares.

`load_config` reads a file, fills each source from its preset, and reports all mistakes at once
(`contracts.errors.ConfigError`). Secrets are never in the file; the configuration names the
environment variable that holds them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import (
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)

from contracts.durations import format_duration, parse_duration
from contracts.expectations import Expectation, Suite
from contracts.sources import Model, Name, OneOrMany, Source

__all__ = [
    "END_NODES",
    "OTHER",
    "PERIODS",
    "PERSONA",
    "SMALL",
    "Attribution",
    "Config",
    "Expectation",
    "Identity",
    "Journey",
    "Namespace",
    "Rule",
    "Session",
    "Suite",
    "default_stages",
]

OTHER = "other"
"""Touchpoint and stage of an event that no rule matches."""

END_NODES = ("START", "CONVERSION", "DROP_OFF", "OPEN")
"""Names reserved for the ends of a journey."""

PERIODS = ("week", "month", "quarter", "year")
"""Segments by the time a journey began, unless an attribute has the name."""

PERSONA = "persona"
"""Segment by the persona a journey was given to."""

SMALL = "(small groups)"
"""Value of a segment that stands for all values of too few customers."""

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    Field(json_schema_extra={"type": "string", "examples": ["30m", "7d"]}),
]


class Rule(Model):
    """Events that meet every condition of `when` become this touchpoint; first match wins.

    A condition names a column of `events` (event_type, source, channel, page, an attribute) and the
    values allowed. A value with ``*`` or ``?`` is a glob; matching ignores case.
    """

    touchpoint: Name | None = None
    stage: Name | None = None
    ignore: bool = False
    """Leave matching events out of the journeys; they stay in `events` and are counted."""
    when: dict[str, OneOrMany] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        if self.ignore == (self.touchpoint is not None):
            raise ValueError("a rule has either touchpoint and stage, or ignore: true")
        if (self.touchpoint is None) != (self.stage is None):
            raise ValueError("touchpoint and stage go together")
        return self


class Namespace(Model):
    """A kind of identifier. Order in the configuration is strength, strongest first."""

    personal: bool
    """Replace values by keyed hashes at ingest."""
    normalise: Literal["exact", "trim", "lower", "email", "phone", "domain"] = "trim"
    """domain: that of an address, unless it is one of `public_domains`."""
    limit: int | None = Field(default=200, ge=1)
    """A customer has at most so many; 1 makes the namespace unique; null for any number."""
    device: bool = False
    """A browser, a phone, a till: it makes no two known customers one and may be shared by several."""
    account: bool = False
    """It names the account of a person (B2B) and ties nobody."""


def default_namespaces() -> dict[str, Namespace]:
    """Well-known namespaces, strongest first."""
    return {
        "user_id": Namespace(personal=False, limit=1),
        "customer_number": Namespace(personal=False, limit=3),
        "email": Namespace(personal=True, normalise="email", limit=5),
        "phone": Namespace(personal=True, normalise="phone", limit=5),
        "anonymous_id": Namespace(personal=False, limit=200, device=True),
    }


PUBLIC_DOMAINS = (
    "aol.com", "fastmail.com", "gmail.com", "gmx.com", "gmx.de", "gmx.net", "googlemail.com",
    "hey.com", "hotmail.co.uk", "hotmail.com", "hotmail.fr", "icloud.com", "laposte.net",
    "libero.it", "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "orange.fr",
    "outlook.com", "proton.me", "protonmail.com", "qq.com", "t-online.de", "web.de", "yahoo.co.uk",
    "yahoo.com", "yahoo.fr", "yandex.ru", "163.com",
)  # fmt: skip


class Identity(Model):
    """Who is who."""

    namespaces: dict[Name, Namespace] = Field(default_factory=default_namespaces)
    null_like: tuple[str, ...] = (
        "", "null", "none", "undefined", "nan", "n/a", "na", "nil", "unknown", "anonymous", "guest",
        "test", "(not set)", "[object object]", "0", "-1",
        "00000000-0000-0000-0000-000000000000",
    )  # fmt: skip
    """Values that are no identifier, compared in lower case; all-zero values never are."""
    public_domains: tuple[str, ...] = PUBLIC_DOMAINS
    """Domains of mail providers, which are nobody's account."""
    blocked: dict[Name, tuple[str, ...]] = Field(default={})
    """Values refused by namespace: kiosks, test accounts."""
    max_stronger: int = Field(default=50, ge=1)
    """An identifier seen with more identifiers of one stronger namespace says nothing."""
    max_weaker: int = Field(default=1_000, ge=1)
    """An identifier seen with more identifiers of one weaker namespace says nothing."""
    shared_devices: Literal["device_split", "last_auth", "none"] = "device_split"
    """Anonymous events of a device that several customers use go to the customer nearest in time, or to the one
    authenticated last of all; none: a device is an identifier like others."""
    within: Duration = timedelta(minutes=30)
    """On a shared device nobody who was authenticated longer before or after is thought of."""


class Session(Model):
    """When a new session begins."""

    gap: Duration = timedelta(minutes=30)
    """A strictly longer silence closes the session."""
    split_at_midnight: bool = False
    split_on_campaign: bool = False
    """A touchpoint with another, non-null `campaign` attribute opens a session."""


class Journey(Model):
    """When a new journey begins, and what a conversion is."""

    gap: Duration = timedelta(days=30)
    """A strictly longer silence closes the journey."""
    conversion: OneOrMany = ("purchase",)
    """Touchpoints that are conversions."""
    restart_after_conversion: bool = True
    """After a conversion, the next touchpoint of a pre-purchase stage opens a journey."""
    pre_purchase_stages: tuple[str, ...] | None = None
    """Default: the stages before the conversion's own stage."""


class Profile(Model):
    """What is known of customers beside their events: demographics, CRM."""

    paths: OneOrMany
    """CSV or Parquet files, a row a customer."""
    identifiers: dict[Name, str] = Field(min_length=1, max_length=1)
    """The namespace and the column whose values it holds."""
    columns: tuple[str, ...] = Field(min_length=1)
    """Columns that personas are compared by; they are never clustered by."""


class Personas(Model):
    """Clustering of customers and journeys."""

    method: Literal["markov_mixture", "tfidf_kmeans"] = "markov_mixture"
    """How personas are sought; k-means needs to be told how many (`n_personas`)."""
    n_personas: int | None = Field(default=None, ge=2, le=60)
    """For k-means only; the mixture finds out."""
    max_personas: int = Field(default=16, ge=2, le=60)
    min_touchpoints: int = Field(default=3, ge=1)
    """Who has fewer, repeats collapsed, has no persona."""
    fit_sample: int = Field(default=50_000, ge=1_000)
    """Customers that personas are learnt from; all are assigned."""
    refit_after: Duration | None = None
    """How long a published model is used before it is fitted anew, if journeys do not drift from it;
    default: every run fits anew."""
    profile: Profile | None = None
    """Attributes of customers that personas are compared by."""

    @model_validator(mode="after")
    def _number_known(self) -> Personas:
        if (self.method == "tfidf_kmeans") != (self.n_personas is not None):
            raise ValueError(
                "n_personas goes with method: tfidf_kmeans, which cannot find the number; "
                "set both, or neither"
            )
        return self


class Graph(Model):
    """What the stage-transition graph is sliced by."""

    segments: tuple[str, ...] = ("entry_channel",)
    """entry_channel, persona, a period (week, month, quarter, year of the journey's begin), or an
    attribute (its first value in the journey)."""
    returns: OneOrMany = ("return", "order_cancelled")
    """Touchpoints that are returns; `stages` tells after which nodes they follow."""
    min_volume: int = Field(default=200, ge=1)
    """A finding needs at least so many departures behind it."""
    contacts: OneOrMany = ("*support*", "*complain*", "*ticket*", "*helpdesk*", "*hotline*")
    """Touchpoints at which customers ask for help or complain; globs. `stages` tells after which nodes
    they follow, and pain points where they are more than usual."""
    errors: OneOrMany = ("*error*", "*failure*", "*failed*", "*declined*")
    """Touchpoints that should not happen; globs."""
    window: Duration = timedelta(days=7)
    """How soon after a step a contact or an error is held against it."""
    history: Duration = timedelta(days=400)
    """How far back incidents are sought."""


class Attribution(Model):
    """How conversions are shared out among what came before them."""

    levels: tuple[str, ...] | None = None
    """touchpoint, channel, or attributes of touchpoints; default: touchpoint, channel and, if it is
    an attribute, campaign."""
    transform: Literal["unique", "exposure", "first", "frequency"] = "unique"
    """Repeats in a path: kept; those in a row made one; only the first kept; the first, told apart by
    how often."""
    lookback: Duration | None = None
    """What lies longer before the conversion earns nothing; default: the whole journey counts."""
    half_life: Duration = timedelta(days=7)
    """Of the model time_decay."""


class Privacy(Model):
    """How personal data is kept out."""

    key_env: str = "FOOTPATH_KEY"
    """Environment variable with the key for hashing personal identifiers."""
    key_file: Path | None = None
    """File with the key, outside the warehouse, where the environment does not hold it."""
    purpose: str = "analytics"
    """What the warehouse is for; consent for another purpose is none (`consent.purpose` of a source)."""
    withdrawal: Literal["from_then", "entirely"] = "from_then"
    """What ends when consent is withdrawn: what happens from then on, or what was before, too."""
    redact: tuple[Literal["email", "ip", "card", "phone"], ...] = ("email", "ip", "card", "phone")
    """What is replaced in free text that is redacted."""
    patterns: dict[Name, str] = Field(default={})
    """Further patterns for it (RE2), by what they find: name, plate ..."""
    min_group: int = Field(default=0, ge=0)
    """Segments with fewer customers are folded into one, and KPIs of fewer are not published; 0 for all."""
    former_key_envs: tuple[str, ...] = ()
    """Environment variables with earlier keys: erasures that were ordered under them go on to hold."""

    @field_validator("patterns")
    @classmethod
    def _compiles(cls, value: dict[str, str]) -> dict[str, str]:
        for name, pattern in value.items():
            try:
                pc.match_substring_regex(pa.array([""]), pattern)
            except pa.ArrowInvalid as error:
                raise ValueError(f"{name}: {error}; patterns are those of RE2") from None
        return value


class Lake(Model):
    """How the work is cut. The defaults follow the input and the machine."""

    slice_mb: int = Field(default=32, ge=1, le=1024)
    buckets: int | None = Field(default=None, ge=1, le=4096)
    max_record_mb: int = Field(default=16, ge=1, le=512)
    """A longer record is a dead letter; it is never held in memory."""
    max_document_mb: int = Field(default=256, ge=1, le=1024)
    """A JSON document (`format: json`), or a row group of Parquet, that is larger when unpacked is a dead letter."""
    max_expansion: int = Field(default=200, ge=2)
    """A compressed file is read no further when it has become so many times its size, and more than 64 MB."""
    max_columns: int = Field(default=2_000, ge=1)
    """A CSV, TSV or Parquet file with more is a dead letter."""


class Publish(Model):
    """What the published database is."""

    embed: bool = True
    """Whether it holds the large tables itself, and can be handed around; or reads them from the warehouse, so that
    publication does not copy all history."""


class Retention(Model):
    """Which published versions stay, to roll back to: the newest, and the younger ones."""

    versions: int = Field(default=2, ge=1)
    """So many of the newest stay, however old they are."""
    age: Duration | None = None
    """And all that were published less than this ago."""


def default_stages() -> tuple[str, ...]:
    """The phases of a customer's life, in order."""
    return ("awareness", "consideration", "purchase", "service", "loyalty", "advocacy")


class Config(Model):
    """A project."""

    project: str = Field(min_length=1)
    warehouse: Path = Path("warehouse")
    subject: Literal["customer", "account"] = "customer"
    """Whose journeys they are: every person's, or those of accounts, each step with its person."""
    as_of: AwareDatetime | None = None
    """Declared present; default: the greatest event time accepted."""
    min_event_time: AwareDatetime = datetime(2000, 1, 1, tzinfo=UTC)
    sources: dict[Name, Source] = Field(min_length=1)
    touchpoints: tuple[Rule, ...] = Field(min_length=1)
    stages: tuple[Name, ...] = Field(default_factory=default_stages)
    session: Session = Session()
    journey: Journey = Journey()
    identity: Identity = Identity()
    graph: Graph = Graph()
    attribution: Attribution = Attribution()
    personas: Personas = Personas()
    privacy: Privacy = Privacy()
    publish: Publish = Publish()
    retention: Retention = Retention()
    expectations: dict[Name, Suite] = Field(default={})
    """What else must be true of published tables, or of the rows of a query over them (docs/quality.md)."""
    lake: Lake = Lake()

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Declared namespaces that a source uses, strongest first."""
        used = {name for source in self.sources.values() for name in source.identifiers}
        return tuple(name for name in self.identity.namespaces if name in used)

    @property
    def person_namespaces(self) -> tuple[str, ...]:
        """Namespaces of persons' identifiers, strongest first."""
        spec = self.identity.namespaces
        return tuple(name for name in self.namespaces if not spec[name].account)

    @property
    def account_namespaces(self) -> tuple[str, ...]:
        """Namespaces that name accounts, strongest first."""
        return tuple(name for name in self.namespaces if name not in self.person_namespaces)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes of all sources, in alphabetic order."""
        return tuple(sorted({a for source in self.sources.values() for a in source.attributes}))

    def _declared(self, globs: tuple[str, ...]) -> tuple[str, ...]:
        names = {rule.touchpoint for rule in self.touchpoints if rule.touchpoint is not None}
        return tuple(sorted(n for n in names if any(fnmatch(n, g.lower()) for g in globs)))

    @property
    def contacts(self) -> tuple[str, ...]:
        """Declared touchpoints at which customers ask for help or complain."""
        return self._declared(self.graph.contacts)

    @property
    def errors(self) -> tuple[str, ...]:
        """Declared touchpoints that should not happen."""
        return self._declared(self.graph.errors)

    @property
    def has_personal_identifiers(self) -> bool:
        """Whether a source fills a namespace whose values must be hashed."""
        return any(self.identity.namespaces[name].personal for name in self.namespaces)

    @property
    def attribution_levels(self) -> tuple[str, ...]:
        """What conversions are credited to."""
        campaign = ("campaign",) if "campaign" in self.attributes else ()
        return self.attribution.levels or ("touchpoint", "channel", *campaign)

    @property
    def pre_purchase_stages(self) -> tuple[str, ...]:
        """Stages whose touchpoints open a new journey after a conversion."""
        if self.journey.pre_purchase_stages is not None:
            return self.journey.pre_purchase_stages
        of_conversion = [
            self.stages.index(rule.stage)
            for rule in self.touchpoints
            if rule.touchpoint in self.journey.conversion and rule.stage is not None
        ]
        return self.stages[: min(of_conversion, default=0)]

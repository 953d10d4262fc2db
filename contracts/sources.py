"""A source in ``footpath.yml``: where its files are, how they are written, and what their fields mean."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from contracts.expressions import Expression

__all__ = ["Consent", "Model", "Name", "OneOrMany", "Source", "TimeField"]

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
OneOrMany = Annotated[
    tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str | int | float) else v)
]
Format = Literal["jsonl", "json", "csv", "tsv", "parquet"]
TimeFormat = str


class Model(BaseModel):
    """What is declared: unknown keys are mistakes, and nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TimeField(Model):
    """Where a time is and how it is written."""

    value: Expression
    format: TimeFormat = "iso8601"
    """iso8601, epoch_s, epoch_ms, epoch_us, or a strptime pattern such as '%d/%m/%Y %H:%M'."""

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        if value in ("iso8601", "epoch_s", "epoch_ms", "epoch_us") or "%" in value:
            return value
        raise ValueError(
            f"{value!r} is no time format; allowed: iso8601, epoch_s, epoch_ms, epoch_us, "
            "or a pattern such as '%d/%m/%Y %H:%M'"
        )


def _time_field(value: Any) -> Any:
    if isinstance(value, dict) and "value" in value:
        return value
    return value if isinstance(value, TimeField) else {"value": value}


Time = Annotated[TimeField, BeforeValidator(_time_field)]


class Fields(Model):
    """What of a record becomes which column of `events`."""

    event_time: Time
    event_type: Expression
    event_id: Expression | None = None
    ingest_time: Time | None = None
    page: Expression | None = None
    transaction_id: Expression | None = None
    value: Expression | None = None
    currency: Expression | None = None
    csat: Expression | None = None
    nps: Expression | None = None
    sentiment: Expression | None = None


class Consent(Model):
    """Records whose `field` is none of `granted` are withheld and counted.

    With `withdrawn`, records also speak for their customer: from the time of one that withdraws consent until one
    that grants it again, events of that customer in any source make no touchpoints.
    """

    field: Expression
    granted: OneOrMany = ("true",)
    withdrawn: OneOrMany = ()
    """Values that withdraw the customer's consent."""
    purpose: Expression | None = None
    """What the field is about; if it is not `privacy.purpose`, the record says nothing about consent."""
    missing: Literal["withhold", "accept"] = "withhold"

    @field_validator("granted", "withdrawn", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        many = value if isinstance(value, list | tuple) else [value]
        return tuple(str(v).lower() if isinstance(v, bool) else str(v) for v in many)

    @model_validator(mode="after")
    def _apart(self) -> Consent:
        both = {v.lower() for v in self.granted} & {v.lower() for v in self.withdrawn}
        if both:
            raise ValueError(f"{', '.join(sorted(both))} cannot both grant and withdraw consent")
        return self


def _dropped(value: Any) -> Any:
    """Names alone are dropped."""
    if isinstance(value, str):
        value = [value]
    return dict.fromkeys(value, "drop") if isinstance(value, list | tuple) else value


FreeText = Annotated[dict[Name, Literal["drop", "redact"]], BeforeValidator(_dropped)]


class Source(Model):
    """A feed: where its files are, how they are written, and what their fields mean."""

    paths: OneOrMany = Field(min_length=1)
    format: Format
    compression: Literal["auto", "none", "gzip", "zstd"] = "auto"
    preset: str | None = None
    description: str = ""
    timezone: str = "UTC"
    records: OneOrMany = ()
    """JSON paths of the records inside a document, such as '$.orders[*]'; the first that is there
    counts, and a document with none of them is itself the record."""
    columns: tuple[str, ...] | None = None
    """Column names of a CSV or TSV without a header line."""
    quoting: bool = True
    """Whether CSV or TSV fields may be quoted."""
    only: Expression | None = None
    """A record whose expression is not the text 'true' is no event of this source: dead letter."""
    channel: Expression
    fields: Fields
    identifiers: dict[Name, Expression] = Field(min_length=1)
    attributes: dict[Name, Expression] = {}
    consent: Consent | None = None
    free_text: FreeText = {}
    """Attributes, page or transaction_id that hold what people wrote, and what becomes of it: drop, or
    redact what the project's patterns find."""
    lines_of_receipt: bool = False
    """Events with one transaction_id are lines of one receipt: one touchpoint, values added."""

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone; write for example Europe/Berlin")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Source:
        texts = {"page", "transaction_id", *self.attributes}
        if unknown := sorted(set(self.free_text) - texts):
            raise ValueError(
                f"free_text names {', '.join(unknown)}; allowed: {', '.join(sorted(texts))}"
            )
        if self.lines_of_receipt and self.fields.transaction_id is None:
            raise ValueError(
                "lines_of_receipt needs fields.transaction_id, which names the receipt"
            )
        if self.columns is not None and self.format not in ("csv", "tsv"):
            raise ValueError(f"columns are for csv and tsv, not for {self.format}")
        if self.records and self.format not in ("json", "jsonl"):
            raise ValueError(f"records is for json and jsonl, not for {self.format}")
        return self

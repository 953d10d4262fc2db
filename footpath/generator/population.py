"""The persons of a chunk: personas, devices, households, and the identifiers they own.

Persons are rows of arrays. Every person has five *slots*, places where a web session can happen:
up to three devices of their own, the tablet of their household, and a store kiosk. A slot is known
to the retailer by an anonymous id; the last two are shared by several persons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from footpath.generator.personas import PERSONAS, lookup_table
from footpath.generator.scenario import DEVICE_TYPES, Scenario

__all__ = [
    "HOUSEHOLD_SLOT",
    "KIOSK_SLOT",
    "SLOTS_PER_PERSON",
    "Population",
    "populate",
    "uuids",
]

SLOTS_PER_PERSON = 5
HOUSEHOLD_SLOT = 3
KIOSK_SLOT = 4

_FIRST_NAMES = (
    "ada alan amira anna arjun astrid ben bruno carla chen clara dana david diego elena emil "
    "erik eva farah felix finn grace hana hugo ida ines ivan jan joao jonas julia kai kemal lara "
    "lea leo lina luca maja marco maria mia milan nadia nils noah nora olga oscar paula pedro "
    "petra rosa ruth sara sofia tariq theo tom uma vera yusuf zoe"
)
_LAST_NAMES = (
    "adams aydin bakker becker berg bianchi bos brown castro chen cohen costa dekker diaz dubois "
    "evans fischer garcia green haas hansen hill horvat ito jansen jones kaya keller kim klein "
    "kumar lang larsen lee lopez maier martin meyer mora moreau nagy novak okafor olsen patel "
    "peeters petrov reyes ricci rossi santos sato schmidt silva singh smit taylor vega visser "
    "wagner walker weber wong young"
)
FIRST_NAMES, LAST_NAMES = _FIRST_NAMES.split(), _LAST_NAMES.split()
DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com", "post.example.org")


@dataclass(frozen=True)
class Population:
    """The persons of one chunk; every array has one row a person unless it says otherwise.

    Attributes
    ----------
    first_id
        ``person_id`` of row 0; the others follow.
    persona
        Index into `PERSONAS`.
    journeys
        Journeys that the person would make in a period without end; heavy-tailed.
    n_devices
        Own devices, 1 to 3.
    household
        Identifier of the household, -1 for persons who share nothing.
    device_type : ndarray of shape (persons, SLOTS_PER_PERSON)
        Index into `DEVICE_TYPES`.
    anonymous_id : pyarrow.Array of length persons * SLOTS_PER_PERSON
        Anonymous id of each slot; equal where a device is shared.
    registered, consent
        Whether the person has an account; whether analytics is allowed.
    user_id
        Null for guests.
    first_name, last_name, email, phone
        As the person would spell them. The phone is ten digits.
    """

    first_id: int
    persona: NDArray[np.int8]
    journeys: NDArray[np.int16]
    n_devices: NDArray[np.int8]
    household: NDArray[np.int64]
    device_type: NDArray[np.int8]
    anonymous_id: pa.Array
    registered: NDArray[np.bool_]
    consent: NDArray[np.bool_]
    user_id: pa.Array
    first_name: pa.Array
    last_name: pa.Array
    email: pa.Array
    phone: pa.Array

    def __len__(self) -> int:
        """Return the number of persons."""
        return len(self.persona)

    @property
    def person_id(self) -> NDArray[np.int64]:
        """Identifiers of the persons, counted through all chunks."""
        return self.first_id + np.arange(len(self), dtype=np.int64)


def populate(
    scenario: Scenario,
    rng: np.random.Generator,
    first_id: int,
    size: int,
    kiosk_ids: pa.Array,
) -> Population:
    """Draw the persons of a chunk.

    Parameters
    ----------
    scenario
        Decides the shares.
    rng
        Source of chance of this chunk.
    first_id, size
        The persons are numbered ``first_id`` to ``first_id + size - 1``.
    kiosk_ids
        Anonymous ids of the store kiosks, shared by all chunks. Each person goes to one of them.
    """
    person_id = first_id + np.arange(size, dtype=np.int64)
    mix = lookup_table([scenario.persona_mix.get(persona.name, 0.0) for persona in PERSONAS])
    persona = mix[rng.integers(0, len(mix), size)].astype(np.int8)
    counts = lookup_table(scenario.devices_per_person)
    n_devices = (1 + counts[rng.integers(0, len(counts), size)]).astype(np.int8)

    together = scenario.household_size
    shares = rng.random(-(-size // together)) < scenario.household_share
    sharing = np.repeat(shares, together)[:size]
    sharing[size - size % together :] = False
    first_of_household = np.arange(size) // together * together
    household = np.where(sharing, (first_id + first_of_household) // together, -1)

    types = np.stack([lookup_table(kind.devices) for kind in PERSONAS])
    draws = rng.integers(0, types.shape[1], (size, SLOTS_PER_PERSON))
    device_type = types[persona[:, None], draws].astype(np.int8)
    device_type[:, HOUSEHOLD_SLOT:] = DEVICE_TYPES.index("tablet")

    slot = np.arange(size * SLOTS_PER_PERSON).reshape(size, SLOTS_PER_PERSON)
    slot[:, HOUSEHOLD_SLOT] = slot[first_of_household, HOUSEHOLD_SLOT]
    if len(kiosk_ids):
        slot[:, KIOSK_SLOT] = size * SLOTS_PER_PERSON + person_id % len(kiosk_ids)
    own_ids = uuids(rng, size * SLOTS_PER_PERSON)
    anonymous_id = pa.concat_arrays([own_ids, kiosk_ids]).take(pa.array(slot.ravel()))

    registered = rng.random(size) < scenario.registered_share
    consent = rng.random(size) >= scenario.consent_denied_share
    first_name = rng.integers(0, len(FIRST_NAMES), size)
    last_name = rng.integers(0, len(LAST_NAMES), size)
    domain = rng.integers(0, len(DOMAINS), size)
    return Population(
        first_id=first_id,
        persona=persona,
        journeys=_JOURNEYS[rng.integers(0, len(_JOURNEYS), size)],
        n_devices=n_devices,
        household=household,
        device_type=device_type,
        anonymous_id=anonymous_id,
        registered=registered,
        consent=consent,
        user_id=pa.array(
            [
                f"u{1_000_001 + i}" if has_account else None
                for i, has_account in zip(person_id.tolist(), registered.tolist(), strict=True)
            ],
            pa.string(),
        ),
        first_name=pa.array(FIRST_NAMES).take(pa.array(first_name)),
        last_name=pa.array(LAST_NAMES).take(pa.array(last_name)),
        email=pa.array(
            [
                f"{FIRST_NAMES[a]}.{LAST_NAMES[b]}{i}@{DOMAINS[c]}"
                for a, b, c, i in zip(
                    first_name.tolist(),
                    last_name.tolist(),
                    domain.tolist(),
                    person_id.tolist(),
                    strict=True,
                )
            ]
        ),
        phone=pa.array([f"555{i * 7_368_787 % 10_000_000:07d}" for i in person_id.tolist()]),
    )


def uuids(rng: np.random.Generator, size: int) -> pa.Array:
    """Random version-4 UUIDs in their usual spelling, as an Arrow string array.

    Examples
    --------
    >>> uuids(np.random.default_rng(1), 1)[0].as_py()[14]
    '4'
    """
    raw = np.frombuffer(rng.bytes(size * 16), np.uint8).reshape(size, 16).copy()
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = _HEX[raw].view(np.uint8).reshape(size, 32)
    text = np.full((size, 36), ord("-"), np.uint8)
    text[:, _UUID_DIGITS] = digits
    offsets = np.arange(0, 36 * (size + 1), 36, dtype=np.int32)
    return pa.StringArray.from_buffers(size, pa.py_buffer(offsets), pa.py_buffer(text))


_HEX = np.array([f"{byte:02x}".encode() for byte in range(256)], dtype="S2")
_UUID_DIGITS = [i for i in range(36) if i not in (8, 13, 18, 23)]

_JOURNEYS = np.array(
    [min(40, int((4096 / (4096 - u)) ** (1 / 1.0) + 1e-9)) for u in range(4096)], dtype=np.int16
)
"""Quantiles of the number of journeys: a Pareto tail with exponent 1.0, cut at 40."""

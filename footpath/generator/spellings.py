"""How identifiers are written in the files: clean, noisy, or not at all.

The same e-mail address turns up in capitals or with a space behind it, a phone number in four
formats, and now and then a client writes "undefined" where an identifier should be. All written
forms of a namespace are entries of one Arrow dictionary, so that a column of millions of
identifiers is an array of codes, and the forms that were really written can be listed as truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from footpath.generator.population import KIOSK_SLOT, SLOTS_PER_PERSON, Population

__all__ = ["NULL_LIKES", "Namespace", "namespaces"]

NULL_LIKES: tuple[str, ...] = ("", "null", "undefined", "0000")
"""Texts that stand where an identifier should be and identify nobody."""


@dataclass(frozen=True)
class Namespace:
    """All written forms of one kind of identifier in a chunk.

    Attributes
    ----------
    name
        Namespace in the truth table.
    forms
        Written forms; the null-likes are the last entries.
    clean
        The normalised value of each form, null-likes aside.
    owner
        Row of the population that owns each form, -1 where it belongs to nobody in particular.
    seen
        Whether each form has been written yet.
    spellings
        Forms that each value has; the clean one is the first.
    """

    name: str
    forms: pa.Array
    clean: pa.Array
    owner: NDArray[np.int64]
    seen: NDArray[np.bool_]
    spellings: int

    def column(
        self, codes: NDArray[np.int64], missing: NDArray[np.bool_] | None = None
    ) -> pa.DictionaryArray:
        """Write the forms with the given codes; null where `missing`."""
        self.seen[codes if missing is None else codes[~missing]] = True
        return pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int32), mask=missing), self.forms
        )

    def null_like(self, draw: NDArray[np.int64]) -> NDArray[np.int64]:
        """Codes of null-likes, chosen by a draw of 0 or more."""
        return len(self.forms) - len(NULL_LIKES) + draw % len(NULL_LIKES)

    def truth(self, person_id: NDArray[np.int64]) -> pa.Table:
        """List every form that was written, with its clean value and its owner."""
        rows = np.flatnonzero(self.seen[: len(self.clean)])
        owner = self.owner[rows]
        return pa.table(
            {
                "namespace": pa.repeat(self.name, len(rows)),
                "raw": self.forms.take(pa.array(rows)),
                "value": self.clean.take(pa.array(rows)),
                "person_id": pa.array(person_id[owner], mask=owner < 0),
            }
        )


def namespaces(population: Population) -> dict[str, Namespace]:
    """Spell out every identifier of a chunk's persons, keyed by namespace.

    The code of a form is ``spelling * persons + person``; of an anonymous id,
    ``person * SLOTS_PER_PERSON + slot``.
    """
    size = len(population)
    person = np.arange(size)
    email, phone = population.email, population.phone
    area, exchange, line = (
        pc.utf8_slice_codeunits(phone, *cut) for cut in ((0, 3), (3, 6), (6, 10))
    )
    slot_owner = np.repeat(person, SLOTS_PER_PERSON)
    slot_owner[KIOSK_SLOT::SLOTS_PER_PERSON] = -1
    shopify = pa.array(7_000_000_000_000 + population.person_id).cast(pa.string())
    zendesk = pa.array(360_000_000_000 + population.person_id).cast(pa.string())
    return {
        "anonymous_id": _namespace(
            "anonymous_id", [population.anonymous_id], population.anonymous_id, slot_owner
        ),
        "user_id": _namespace("user_id", [population.user_id], population.user_id, person),
        "email": _namespace(
            "email",
            [
                email,
                pc.utf8_upper(email),
                pc.utf8_capitalize(email),
                _joined(" ", email),
                _joined(email, "  "),
            ],
            email,
            person,
        ),
        "phone": _namespace(
            "phone",
            [
                _joined("+1", phone),
                _joined("+1 ", area, " ", exchange, " ", line),
                _joined("+1 (", area, ") ", exchange, "-", line),
                _joined("1-", area, "-", exchange, "-", line),
            ],
            _joined("1", phone),
            person,
        ),
        "shopify_customer_id": _namespace("shopify_customer_id", [shopify], shopify, person),
        "zendesk_requester_id": _namespace("zendesk_requester_id", [zendesk], zendesk, person),
    }


def _namespace(
    name: str, spellings: Sequence[pa.Array], clean: pa.Array, owner: NDArray[np.int64]
) -> Namespace:
    forms = pa.concat_arrays([*spellings, pa.array(NULL_LIKES)])
    return Namespace(
        name=name,
        forms=forms,
        clean=pa.concat_arrays([clean] * len(spellings)),
        owner=np.tile(owner, len(spellings)),
        seen=np.zeros(len(forms), bool),
        spellings=len(spellings),
    )


def _joined(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")

"""The refused image records, and which of them are still unresolved."""

from __future__ import annotations

from collections import Counter
from collections.abc import KeysView, Mapping, Sequence

from quartet.audit.evidence import DeadLetter, Place, StoredImage, place

_CONFLICT = "id-conflict"


class Refusals:
    """The dead letters of the images topic. A refused record is resolved if its id was sent again and is stored now.

    A record that was refused because its id was taken (id-conflict) stays unresolved; it does not concern the image with that id.
    """

    def __init__(self, letters: Sequence[DeadLetter], stored: Mapping[str, StoredImage]) -> None:
        self._by_place = {place(letter): letter for letter in letters}
        self._by_id = {d.id: d for d in letters if d.id is not None and d.cause != _CONFLICT}
        self.unresolved = frozenset(
            at
            for at, d in self._by_place.items()
            if d.cause == _CONFLICT or d.id is None or d.id not in stored or place(stored[d.id]) == at
        )

    def places(self) -> KeysView[Place]:
        """Return the positions of refused records."""
        return self._by_place.keys()

    def ids(self) -> KeysView[str]:
        """Return the ids of refused images, resolved or not."""
        return self._by_id.keys()

    def unresolved_ids(self) -> list[str]:
        """Return the ids of images that are refused and not stored."""
        return [image_id for image_id, letter in self._by_id.items() if place(letter) in self.unresolved]

    def causes(self) -> Counter[str]:
        """Count the unresolved records by cause."""
        return Counter(self._by_place[at].cause for at in self.unresolved)

"""The records of the images topic, by image id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, KeysView, Sequence

from quartet.audit.evidence import ImageRecord, Place, in_log_order, place


class SentImages:
    """The valid records of the images topic. Records with the same id are in log order; the first one counts."""

    def __init__(self, records: Iterable[ImageRecord]) -> None:
        self._records: dict[str, list[ImageRecord]] = defaultdict(list)
        for record in in_log_order(records):
            self._records[record.id].append(record)

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._records

    def __iter__(self) -> Iterator[tuple[str, Sequence[ImageRecord]]]:
        """Yield each id with its records."""
        yield from self._records.items()

    def ids(self) -> KeysView[str]:
        """Return all ids that were sent."""
        return self._records.keys()

    def first(self, image_id: str) -> ImageRecord:
        """Return the first record of an id that was sent."""
        return self._records[image_id][0]

    def firsts(self, image_id: str) -> list[ImageRecord]:
        """Return the first record of an id in each partition (a client may have sent it to several); empty if it was not sent."""
        found: dict[int, ImageRecord] = {}
        for record in self._records.get(image_id, []):
            found.setdefault(record.partition, record)
        return list(found.values())

    def places(self) -> set[Place]:
        """Return the positions of the records."""
        return {place(record) for records in self._records.values() for record in records}

"""A topic, a database and dead letters in memory, with the DB consumer's worker between them."""

from __future__ import annotations

from typing import Any

from memory_broker import Crash, Faults, MemoryHost, MemoryProducer, MemorySource, MemoryStore, MemoryTopic
from quartet.contracts.dead_letter import DeadLetter, decode_dead_letter
from quartet.contracts.image import IMAGE_BYTES, Image, encode_image
from quartet.db_consumer.documents import ImageDocuments
from quartet.db_consumer.store import StoreStrategy
from quartet.kafka.dead_letters import DeadLetterWriter
from quartet.runtime.errors import ExitCode
from quartet.worker.loop import Worker


class Pipeline:
    """A topic, a database and dead letters that outlive the consumer's processes."""

    def __init__(self, contract: Any = None, *, partitions: int = 3) -> None:
        self.faults = Faults()
        self.topic = MemoryTopic("images", partitions)
        self.store = MemoryStore(self.faults)
        self.dead_letters = MemoryProducer(self.faults)
        self.contract = contract or ImageDocuments()
        self.now = 0.0
        self.host: MemoryHost | None = None
        self.source: MemorySource | None = None

    def send(self, image: Image) -> None:
        key, value, headers = encode_image(image)
        self.topic.append(image.sequence % len(self.topic.records), key, value, headers)

    def clock(self) -> float:
        self.now += 0.05
        return self.now

    def run(
        self, *, limit: int = 100, batch_size: int = 7, batch_seconds: float = 0, source: type[MemorySource] = MemorySource
    ) -> ExitCode:
        """Run one process until everything is committed, or it dies."""
        self.host = MemoryHost(self.topic.is_drained)
        self.source = source(self.topic, self.faults)
        strategy = StoreStrategy(
            self.contract,
            self.store,
            DeadLetterWriter(lambda: self.dead_letters, "dead-letters"),
            topic_id=lambda: "a-topic-id",
            rejections_per_minute=limit,
            clock=self.clock,
        )
        return Worker(self.host, self.source, strategy, batch_size=batch_size, batch_seconds=batch_seconds, clock=self.clock).run()

    def run_until_done(self) -> int:
        """Start processes until one ends well; return how many died."""
        for died in range(100):
            try:
                assert self.run() is ExitCode.OK
                return died
            except Crash:
                continue
        raise AssertionError("100 processes died")

    def letters(self) -> list[DeadLetter]:
        return [decode_dead_letter(value) for _, _, value in self.dead_letters.sent]


def image(sequence: int, fill: int = 0) -> Image:
    return Image(
        producer_id=101,
        run="first",
        sequence=sequence,
        actual_value="cat",
        captured_at=1_000_000 + sequence,
        payload=bytes([(sequence + fill) % 256]) * IMAGE_BYTES,
    )

"""Whether a backup fits an installation: what differs is named with both values, before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quartet.backup.manifest import Manifest, Topic

Positions = dict[str, dict[int, int]]


@dataclass
class Plan:
    """What a restore would do to the consumer groups.

    `refusals`: why it must not be done; `losses`: unread records that are gone, which an operator may accept; `positions`: the offset that
    each group gets, by group and partition.
    """

    refusals: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    positions: Positions = field(default_factory=dict)


def series(version: str) -> str:
    """Return the release series of a version of MongoDB, such as 8.0."""
    return ".".join(version.split(".")[:2])


def refusals(manifest: Manifest, inventory_id: str, server: str) -> list[str]:
    """Return why a backup must not be loaded by a server of this version in this inventory."""
    found = []
    if manifest.inventory_id != inventory_id:
        found.append(f"the backup is of inventory id {manifest.inventory_id}, this inventory's is {inventory_id}")
    if series(manifest.server) != series(server):
        found.append(f"the backup is of MongoDB {manifest.server}, this server is {server}; both must be of one release series")
    elif manifest.feature_compatibility != series(server):
        text = f"the backup's feature compatibility version is {manifest.feature_compatibility}, a new server's here is {series(server)}"
        found.append(text)
    return found


def plan_groups(manifest: Manifest, topics: Mapping[str, Topic], groups: Mapping[str, str]) -> Plan:
    """Compare the backup's offsets with the log. `topics`: the topics now; `groups`: the topic that each group reads."""
    plan = Plan()
    for name in sorted(set(groups.values())):
        before, now = manifest.topics.get(name), topics.get(name)
        if before is None or now is None:
            whose = "the backup" if before is None else "Kafka"
            plan.refusals.append(f"{whose} has no topic {name}, {'Kafka' if before is None else 'the backup'} has it")
        elif len(before.end) != len(now.end):
            plan.refusals.append(f"topic {name} had {len(before.end)} partitions when the backup was made, it has {len(now.end)}")
        else:
            for group in sorted(group for group, topic in groups.items() if topic == name):
                committed = manifest.committed.get(group, {}).get(name, [-1] * len(before.end))
                _plan_group(plan, group, name, committed, before=before, now=now)
    return plan


def _plan_group(plan: Plan, group: str, name: str, committed: list[int], *, before: Topic, now: Topic) -> None:
    positions = plan.positions.setdefault(group, {})
    # Where a group had committed nothing it had read nothing.
    wanted = [offset if offset >= 0 else before.begin[partition] for partition, offset in enumerate(committed)]
    if before.id != now.id:
        lost = [f"{p}: {first}-{end - 1}" for p, (first, end) in enumerate(zip(wanted, before.end, strict=True)) if first < end]
        plan.losses.append(
            f"topic {name} has id {now.id}, the backup's had {before.id}: a new log, which {group} reads from its beginning; "
            f"records that it had not read (partition: offsets): {', '.join(lost) or 'none'}"
        )
        positions.update(enumerate(now.begin))
        return
    for partition, offset in enumerate(wanted):
        begin, end = now.begin[partition], now.end[partition]
        if offset > end:
            plan.refusals.append(f"{group} had read {name}/{partition} up to offset {offset}, its log now ends at {end}")
        elif offset < begin:
            plan.losses.append(f"records {offset}-{begin - 1} of {name}/{partition}, which {group} had not read, are deleted from the log")
        positions[partition] = max(offset, begin)

"""Every metric of the exporter. kafka_* are the names of kafka_exporter, mongodb_* those of the mongodb mixin, so that their dashboards work."""

from __future__ import annotations

from typing import Final

from quartet.exporter.family import Family

_PARTITION: Final = ("topic", "partition")
_GROUP: Final = ("consumergroup", "topic", "partition")

UP: Final = Family("quartet_exporter_up", "1 if the source (kafka, mongodb) answered at the last poll, else 0", ("source",))
POLLED_AT: Final = Family("quartet_exporter_poll_timestamp_seconds", "When the source was last asked with success", ("source",))
POLL_SECONDS: Final = Family("quartet_exporter_poll_seconds", "Duration of the last poll of the source", ("source",))

BROKERS: Final = Family("kafka_brokers", "Brokers in the cluster's metadata; 0 if Kafka does not answer")
LEADER: Final = Family("kafka_topic_partition_leader", "Node id of the partition's leader; -1: none", _PARTITION)
REPLICAS: Final = Family("kafka_topic_partition_replicas", "Replicas of the partition", _PARTITION)
IN_SYNC: Final = Family("kafka_topic_partition_in_sync_replica", "Replicas of the partition that are in sync", _PARTITION)
UNDER_REPLICATED: Final = Family(
    "kafka_topic_partition_under_replicated_partition", "1 if a replica of the partition is not in sync, else 0", _PARTITION
)
END: Final = Family("kafka_topic_partition_current_offset", "Offset after the partition's last record", _PARTITION)
OLDEST: Final = Family("kafka_topic_partition_oldest_offset", "Offset of the partition's first record", _PARTITION)
MIN_IN_SYNC: Final = Family("quartet_topic_min_insync_replicas", "Replicas in sync that a write to the topic needs", ("topic",))
RETENTION: Final = Family("quartet_topic_retention_seconds", "How long the topic keeps records; +Inf: for ever", ("topic",))

LAG: Final = Family(
    "kafka_consumergroup_lag", "Records that the group has not committed; all of the log where it has committed nothing", _GROUP
)
COMMITTED: Final = Family(
    "kafka_consumergroup_current_offset", "Offset that the group reads next; the oldest where it has committed nothing", _GROUP
)
MEMBERS: Final = Family("kafka_consumergroup_members", "Members of the group; 0 where there is no such group", ("consumergroup",))
LAG_SECONDS: Final = Family(
    "quartet_consumer_lag_seconds",
    "Age of the oldest record that the group has not committed; 0 if there is none",
    ("consumergroup", "topic"),
)
RETENTION_LEFT: Final = Family(
    "quartet_retention_left_seconds", "Seconds until retention may delete a record that the group has not committed", ("consumergroup",)
)

QUORUM_LEADER: Final = Family("quartet_kafka_quorum_leader", "Node id of the leader of KRaft's quorum; -1: none")
QUORUM_EPOCH: Final = Family("quartet_kafka_quorum_leader_epoch", "Epoch of the quorum's leader: elections so far")
QUORUM_LAG: Final = Family("quartet_kafka_quorum_voter_lag", "Records of the metadata log that a voter lacks", ("node",))
LOG_BYTES: Final = Family("quartet_kafka_log_bytes", "Bytes of a topic's logs on a broker", ("broker", "topic"))
DISK_BYTES: Final = Family("quartet_kafka_log_dir_total_bytes", "Size of the file system of a log directory", ("broker", "path"))
DISK_LEFT: Final = Family("quartet_kafka_log_dir_usable_bytes", "Bytes left on the file system of a log directory", ("broker", "path"))

INCORRECT: Final = Family("quartet_incorrect_images", "Images with a wrong prediction: the exact count", ("producer_id", "source"))
COUNTED: Final = Family("quartet_counted_images", "Labelled images with a prediction: the exact count", ("producer_id", "source"))
COUNTED_AT: Final = Family("quartet_counts_timestamp_seconds", "When the counts were last written", ("source",))
STORED: Final = Family("quartet_stored_images", "Images in the database")
INFERRED: Final = Family("quartet_stored_inferences", "Inferences of the model in the database")
PENDING: Final = Family("quartet_pending_images", "Stored images without a stored inference of the model")
DIFFERENCE: Final = Family(
    "quartet_stream_batch_difference",
    "By how much stream and batch disagree (wrong images and all), when last both had counted everything",
    ("producer_id",),
)

MONGODB_UP: Final = Family("mongodb_up", "1 if the database answers, else 0")
MONGODB_VERSION: Final = Family("mongodb_version_info", "1, with the server's version", ("mongodb",))
MONGODB_UPTIME: Final = Family("mongodb_instance_uptime_seconds", "Seconds since the server started")
CONNECTIONS: Final = Family("mongodb_connections", "Connections", ("state",))
MEMORY: Final = Family("mongodb_memory", "Memory of the server in MiB", ("type",))
OPERATIONS: Final = Family("mongodb_op_counters_total", "Operations", ("type",), "counter")
REPLICATED: Final = Family("mongodb_mongod_op_counters_repl_total", "Replicated operations", ("type",), "counter")
ASSERTS: Final = Family("mongodb_asserts_total", "Assertions", ("type",), "counter")
PAGE_FAULTS: Final = Family("mongodb_extra_info_page_faults_total", "Page faults", (), "counter")
QUEUE: Final = Family("mongodb_mongod_global_lock_current_queue", "Operations that wait for a lock", ("type",))
CURSORS: Final = Family("mongodb_mongod_metrics_cursor_open", "Open cursors", ("state",))
CURSORS_TIMED_OUT: Final = Family("mongodb_mongod_metrics_cursor_timed_out_total", "Cursors that timed out", (), "counter")
DOCUMENTS: Final = Family("mongodb_mongod_metrics_document_total", "Documents", ("state",), "counter")
SCANNED: Final = Family(
    "mongodb_mongod_metrics_query_executor_total", "Index keys and documents that queries looked at", ("state",), "counter"
)
LATENCY: Final = Family("mongodb_mongod_op_latencies_latency_total", "Microseconds of operations", ("type",), "counter")
LATENCY_OPERATIONS: Final = Family("mongodb_mongod_op_latencies_ops_total", "Operations that the latencies are of", ("type",), "counter")
MY_STATE: Final = Family("mongodb_mongod_replset_my_state", "State of the server in its replica set; 1: primary", ("set",))
SET_SIZE: Final = Family("mongodb_mongod_replset_number_of_members", "Members of the replica set", ("set",))
_MEMBER: Final = ("set", "name", "state")
HEALTH: Final = Family("mongodb_mongod_replset_member_health", "1 if the member is reachable, else 0", _MEMBER)
OPTIME: Final = Family("mongodb_mongod_replset_member_optime_date", "Time of the member's last operation", _MEMBER)
ELECTION: Final = Family("mongodb_mongod_replset_member_election_date", "When the primary was elected", _MEMBER)
REPLICATION_LAG: Final = Family("mongodb_mongod_replset_member_replication_lag", "Seconds that the member is behind the primary", _MEMBER)

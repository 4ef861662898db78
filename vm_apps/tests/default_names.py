"""The names of an installation that keeps the defaults of playbooks/group_vars/all.yml."""

from __future__ import annotations

from quartet.runtime.settings import Collections, Groups, Topics

MODEL = "63d52f7df596"
GROUPS = Groups(images="db-consumer-images", inferences="db-consumer-inferences", inference=f"inference-{MODEL}")
COLLECTIONS = Collections(
    image_database="kafka_db",
    image_collection="image",
    results_database="team5_vm3_db",
    inference_collection="images",
    batch_collection="incorrect_inference_results",
    stream_collection="incorrect_inference_stream_results",
)
TOPICS = Topics(images="images", inferences="inferences", dead_letters="dead-letters")

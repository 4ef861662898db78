"""How Spark reads the inferences' collection. TLS trust is in the JVM's options, see the role spark."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlencode

if TYPE_CHECKING:
    from quartet.runtime.settings import Collections, MongoDB

# Only these columns leave the database.
SCHEMA = "producer_id int, model string, image_prediction string, actual_value string"


def options(settings: MongoDB, password: str, collections: Collections) -> dict[str, str]:
    """Return the options of the source. One of them holds the password: they belong in a reader, nowhere else."""
    query = {
        "tls": "true",
        "authSource": "admin",
        "authMechanism": "SCRAM-SHA-256",
        "serverSelectionTimeoutMS": "30000",
        "connectTimeoutMS": "10000",
        "socketTimeoutMS": "300000",
        "appName": "quartet-spark-batch",
    }
    hosts = ",".join(settings.hosts)
    return {
        "connection.uri": f"mongodb://{quote_plus(settings.user)}:{quote_plus(password)}@{hosts}/?{urlencode(query)}",
        "database": collections.results_database,
        "collection": collections.inference_collection,
    }

"""Options of Spark's MongoDB source. The TLS trust store is in the JVM's options, see the role spark."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote_plus, urlencode

if TYPE_CHECKING:
    from quartet.runtime.settings import Collections, MongoDB

# Only these columns are read from the database.
SCHEMA = "producer_id int, model string, image_prediction string, actual_value string"


def options(settings: MongoDB, password: str, collections: Collections) -> dict[str, str]:
    """Return the options of the source. One of them contains the password: pass them only to the reader."""
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

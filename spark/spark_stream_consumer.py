"""Stream job: counts the topic `inferences` per producer as it grows, and keeps the documents up to date.

spark_stream_consumer.py --config /etc/quartet/spark_jobs/stream.json
"""

from __future__ import annotations

import argparse
import logging
import sys

from quartet.runtime.errors import ExitCode, QuartetError
from quartet.runtime.service import Service, configure_logging, fail
from quartet.runtime.settings import load
from quartet_spark.job_settings import StreamSettings
from quartet_spark.stream import Stream


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Count the inferences of the topic per producer.")
    parser.add_argument("--config", required=True, help="settings, a JSON file")
    arguments = parser.parse_args()
    configure_logging()
    logging.getLogger("py4j").setLevel(logging.WARNING)
    try:
        settings = load(StreamSettings, arguments.config)
        Stream(settings, Service()).run()
    except QuartetError as error:
        return fail(error)
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())

"""Batch job: counts the inferences in the database per producer, and writes documents, a CSV and a chart.

spark_batch_consumer.py --config /etc/quartet/spark_jobs/batch.json
"""

from __future__ import annotations

import argparse
import logging
import sys

from quartet.runtime.errors import ExitCode, QuartetError, Unavailable
from quartet.runtime.service import configure_logging, fail
from quartet.runtime.settings import load
from quartet_spark import batch
from quartet_spark.job_settings import BatchSettings


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Count the inferences in the database per producer.")
    parser.add_argument("--config", required=True, help="settings, a JSON file")
    arguments = parser.parse_args()
    configure_logging()
    for noisy in ("py4j", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        batch.run(load(BatchSettings, arguments.config))
    except QuartetError as error:
        return fail(error)
    except Unavailable as error:
        return fail(QuartetError(ExitCode.UNAVAILABLE, str(error)))
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())

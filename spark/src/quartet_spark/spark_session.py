"""Starts and stops Spark's driver in this process, and ships the code for its Python workers.

Options of the builder end up on the JVM's command line, so they contain no secrets: the cluster's secret is in a file
that the JVM's launcher reads (see the role spark), and passwords are options of the reader that needs them.
"""

from __future__ import annotations

import logging
import os
import subprocess
from typing import TYPE_CHECKING

from pyspark import SparkContext
from pyspark.sql import SparkSession

from quartet_spark import job_archive

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

    from quartet_spark.job_settings import Cluster

_JVM_END_SECONDS = 20
log = logging.getLogger("quartet.spark.session")


def start(name: str, cluster: Cluster, more: Mapping[str, str], modules: Iterable[ModuleType] = ()) -> SparkSession:
    """Start a driver on the cluster.

    Args:
        name: name of the application.
        cluster: the master and the resources of the job.
        more: further Spark settings, without secrets.
        modules: modules of this package that run on the executors, besides contracts and counting.
    """
    archive = job_archive.make(modules)
    # For the Python worker that Spark starts beside the driver to inspect the state variables; it gets no py-files.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [archive, os.environ.get("PYTHONPATH")]))
    builder = SparkSession.builder.appName(name).master(cluster.master_url)
    settings = {
        "spark.driver.host": cluster.driver_host,
        "spark.driver.bindAddress": cluster.driver_bind_address,
        "spark.driver.port": str(cluster.driver_port),
        "spark.driver.blockManager.port": str(cluster.block_manager_port),
        "spark.driver.memory": cluster.driver_memory,
        "spark.executor.memory": cluster.executor_memory,
        "spark.executor.cores": str(cluster.cores),
        "spark.cores.max": str(cluster.cores),
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.showConsoleProgress": "false",
        **more,
    }
    for key, value in settings.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    session.sparkContext.addPyFile(archive)
    return session


def stop(session: SparkSession) -> None:
    """Stop the driver and wait for the end of its JVM: systemd kills whatever is left when this process ends."""
    gateway = SparkContext._gateway
    jvm = gateway.proc
    session.stop()
    # so that Python's references to Java objects, which are released later, no longer call the JVM
    gateway.shutdown()
    # the JVM exits at the end of its standard input
    jvm.stdin.close()
    try:
        jvm.wait(_JVM_END_SECONDS)
    except subprocess.TimeoutExpired:
        log.warning("Spark's JVM has not ended within %d s", _JVM_END_SECONDS)

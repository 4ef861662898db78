"""The MongoDB client of the apps: TLS, SCRAM-SHA-256, write concern majority with journal, a timeout on every call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo import errors as mongo_errors

from quartet.runtime import tls_causes
from quartet.runtime.errors import CALL_SECONDS, ExitCode, QuartetError, Unavailable
from quartet.runtime.settings import MongoDB

# Error codes of the server: not authorised, authentication failed
_UNAUTHORIZED = 13
_AUTHENTICATION_FAILED = 18


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate PyMongo's errors into Unavailable (retry) or QuartetError (stop, with the cause).

    BulkWriteError is passed on: how to handle it depends on the write.
    """
    try:
        yield
    except mongo_errors.BulkWriteError:
        raise
    except mongo_errors.ConfigurationError as error:
        raise QuartetError(ExitCode.CONFIGURATION, f"the database's settings: {error}") from error
    except mongo_errors.OperationFailure as error:
        if error.code == _AUTHENTICATION_FAILED:
            raise QuartetError(ExitCode.CREDENTIALS, f"the database does not accept the user or the password: {error}") from error
        if error.code == _UNAUTHORIZED:
            raise QuartetError(ExitCode.CREDENTIALS, f"the database does not allow it: {error}") from error
        raise Unavailable("mongodb", str(error)) from error
    except mongo_errors.PyMongoError as error:
        raise Unavailable("mongodb", _short_reason(error)) from error


def connect(settings: MongoDB, password: str, *, app: str) -> pymongo.MongoClient[dict[str, Any]]:
    """Return a client, which connects on its first call.

    Raises:
        QuartetError: CONFIGURATION.
    """
    with translate_errors():
        return pymongo.MongoClient(
            settings.hosts,
            username=settings.user,
            password=password,
            authSource="admin",
            authMechanism="SCRAM-SHA-256",
            tls=True,
            tlsCAFile=settings.ca_file,
            timeoutMS=int(CALL_SECONDS * 1000),
            serverSelectionTimeoutMS=int(CALL_SECONDS * 1000),
            w="majority",
            journal=True,
            # the worker retries whole batches
            retryWrites=False,
            tz_aware=True,
            appname=app,
        )


def server(client: pymongo.MongoClient[dict[str, Any]]) -> str:
    """Return the server's name and version.

    Raises:
        Unavailable, QuartetError
    """
    with translate_errors():
        return f"MongoDB {client.admin.command('buildInfo')['version']}"


def _short_reason(error: Exception) -> str:
    """Return only the cause: PyMongo appends its timeouts and a description of every server."""
    text = str(error).split(", Timeout:", maxsplit=1)[0].split(" (configured timeouts:", maxsplit=1)[0]
    return tls_causes.explain(text) or text[:300]

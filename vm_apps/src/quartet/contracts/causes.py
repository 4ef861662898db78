"""The causes for which a record is refused."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why a record was refused. The set is closed, because the cause is a metric label."""

    NULL_VALUE = "null-value"
    WRONG_LENGTH = "wrong-length"
    MISSING_HEADER = "missing-header"
    BAD_HEADER = "bad-header"
    UNKNOWN_SCHEMA = "unknown-schema"
    BAD_JSON = "bad-json"
    MISSING_FIELD = "missing-field"
    BAD_FIELD = "bad-field"
    BAD_KEY = "bad-key"
    ID_CONFLICT = "id-conflict"
    DATABASE_REJECTED = "database-rejected"


class ContractError(Exception):
    """A record violates its contract."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(f"{cause}: {detail}")
        self.cause = cause
        self.detail = detail

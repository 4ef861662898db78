"""The filter that says in one line what a certificate is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def certificate_request(row: Mapping[str, Any]) -> str:
    """Return the names of a row of `pki_certificates`: kept beside the certificate, and compared on the next run."""
    return f"CN={row['common_name']} {','.join(sorted(row.get('subject_alt_names') or []))}"


class FilterModule:
    """What Ansible looks for in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"certificate_request": certificate_request}

"""Write until when the certificates of a folder are valid, for node exporter's textfile collector: FOLDER FILE [--check].

Prints the file's name if it was changed, or would be with --check. Runs with the VM's own Python.
"""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

NAME = "quartet_certificate_not_after_timestamp_seconds"


def not_after(file: Path) -> int:
    """Return when a certificate ends, in seconds since the epoch.

    openssl prints `notAfter=Nov  3 22:13:00 2028 GMT`: the form that the ssl module reads.
    """
    command = ["openssl", "x509", "-noout", "-enddate", "-in", str(file)]  # the VM's own openssl
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(ssl.cert_time_to_seconds(shown.stdout.strip().partition("=")[2]))


def text(folder: Path) -> str:
    """Return the metrics of the certificates of a folder, each named like its file."""
    lines = [f'{NAME}{{name="{file.stem}"}} {not_after(file)}' for file in sorted(folder.glob("*.crt"))]
    return "\n".join([f"# HELP {NAME} When the certificate ends", f"# TYPE {NAME} gauge", *lines, ""])


def main() -> None:
    """Compare, and write."""
    folder, file = Path(sys.argv[1]), Path(sys.argv[2])
    wanted = text(folder)
    if file.exists() and file.read_text() == wanted:
        return
    print(file)
    if sys.argv[3:] != ["--check"]:
        temporary = file.with_suffix(".new")
        temporary.write_text(wanted)
        # the collector is another user
        temporary.chmod(0o644)
        temporary.rename(file)


main()

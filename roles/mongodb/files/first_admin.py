"""Creates the user admin on a temporary server without access control, which listens only on loopback and is stopped at the end.

first_admin.py PORT CA_FILE -- SERVER ARGUMENT...        the password is read from standard input

If the user exists, its password is set again, so an interrupted run can be repeated.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pymongo
from pymongo import errors


def main() -> None:
    """Start the server, create the user, stop the server."""
    port, ca_file, command = int(sys.argv[1]), sys.argv[2], sys.argv[4:]
    password = sys.stdin.readline().strip()
    if not password:
        sys.exit("no password on standard input")
    server = subprocess.Popen(command, stdout=sys.stderr)
    try:
        client: pymongo.MongoClient = pymongo.MongoClient(
            "localhost", port, tls=True, tlsCAFile=ca_file, serverSelectionTimeoutMS=1000, directConnection=True
        )
        wait(client, server)
        user = {"pwd": password, "roles": ["root"], "mechanisms": ["SCRAM-SHA-256"]}
        try:
            client.admin.command("createUser", "admin", **user)
        except errors.OperationFailure as error:
            if "already exists" not in str(error):
                raise
            client.admin.command("updateUser", "admin", **user)
    finally:
        server.terminate()
        server.wait(60)


def wait(client: pymongo.MongoClient, server: subprocess.Popen) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + 60
    while True:
        try:
            client.admin.command("ping")
            return
        except errors.PyMongoError as error:
            if server.poll() is not None:
                sys.exit(f"the server ended with status {server.returncode}")
            if time.monotonic() > end:
                sys.exit(f"the server does not answer: {error}")
            time.sleep(0.3)


main()

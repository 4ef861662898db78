"""What the roles of other VMs would be: a target that asks for a client certificate, and a receiver of alerts.

simulated.py target ADDRESS PORT      serves /srv/metrics by TLS
simulated.py receiver ADDRESS PORT    appends path, authorization and body of each request to /srv/alerts, a line each
"""

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

METRICS, ALERTS = Path("/srv/metrics"), Path("/srv/alerts")


class Target(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = METRICS.read_bytes() if METRICS.exists() else b"simulated 1\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with ALERTS.open("a") as file:
            file.write(json.dumps([self.path, self.headers.get("Authorization"), body]) + "\n")
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


kind, address, port = sys.argv[1:]
server = ThreadingHTTPServer((address, int(port)), Target if kind == "target" else Receiver)
if kind == "target":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile="/etc/quartet/pki/ca.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain("/etc/quartet/pki/metrics.crt", "/etc/quartet/pki/metrics.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()

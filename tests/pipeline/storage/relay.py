"""A relay on loopback before an object store, which answers some requests with a fault of its own."""

import http.client
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_CODES = {"500": "InternalError", "503": "ServiceUnavailable", "slow down": "SlowDown", "403": "AccessDenied"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Relay"

    def do_GET(self) -> None:
        relay = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        relay.headers.append(dict(self.headers))
        relay.asked_for.append((self.command, self.path))
        fault = relay.faults.popleft() if relay.faults else None
        if fault in _CODES:
            self._refuse(fault)
            return
        status, headers, content = relay.ask(self.command, self.path, body, dict(self.headers))
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length)
        if fault == "cut":
            self.close_connection = True
            if self.command == "HEAD" or len(content) < 1000:
                return  # not even headers: they are still in the buffer
            content = content[: len(content) // 2]
        self.end_headers()
        self.wfile.write(content)

    do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815  names that http.server looks for

    def _refuse(self, fault: str) -> None:
        content = b"" if self.command == "HEAD" else f"<Error><Code>{_CODES[fault]}</Code></Error>".encode()
        self.send_response(503 if fault == "slow down" else int(fault))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        pass


class Relay(ThreadingHTTPServer):
    """Passes requests on to `port`; each takes one of `faults`, where None passes it on unharmed."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._port = port
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.faults: deque[str | None] = deque()
        self.headers: list[dict[str, str]] = []
        self.asked_for: list[tuple[str, str]] = []  # method and path

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


@contextmanager
def relaying(port: int) -> Iterator[Relay]:
    relay = Relay(port)
    thread = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.shutdown()
        relay.server_close()
        thread.join()

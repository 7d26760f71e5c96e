"""A real HTTP server on loopback that makes the mistakes real servers make."""

import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "FaultyServer"

    def do_GET(self) -> None:
        server = self.server
        with server.lock:
            server.asked.append(self.headers.get("Range"))
            server.headers.append(dict(self.headers))
            fault = server.faults.popleft() if server.faults else None
            server.active += 1
            server.peak = max(server.peak, server.active)
        try:
            (fault or serve)(self)
        finally:
            with server.lock:
                server.active -= 1

    def log_message(self, *args: Any) -> None:
        pass


Fault = Callable[[Handler], None]


class FaultyServer(ThreadingHTTPServer):
    """Serves `files`; the first requests meet `faults`, one each, the others are answered well."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.faults: deque[Fault] = deque()
        self.extra: dict[str, str] = {"ETag": '"one"'}
        self.ranges = True
        self.redirects: dict[str, str] = {}
        self.lock = threading.Lock()
        self.release = threading.Event()  # lets go of those that stall
        self.asked: list[str | None] = []
        self.headers: list[dict[str, str]] = []
        self.active = self.peak = 0

    def url(self, path: str = "/file") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are part of the tests."""


@contextmanager
def running(files: dict[str, bytes]) -> Iterator[FaultyServer]:
    server = FaultyServer(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


def serve(handler: Handler, *, body_limit: int | None = None, ranges: bool | None = None) -> None:
    """Answer as a good server does; with `body_limit` the body ends early though the headers promise all of it."""
    server = handler.server
    if handler.path in server.redirects:
        status(302, {"Location": server.redirects[handler.path]})(handler)
        return
    content = server.files.get(handler.path.partition("?")[0])
    if content is None:
        status(404)(handler)
        return
    asked = handler.headers.get("Range")
    start, stop = 0, len(content)
    condition = handler.headers.get("If-Range")
    current = condition is None or condition in server.extra.values()
    if asked and current and (server.ranges if ranges is None else ranges):
        first, last = asked.removeprefix("bytes=").split("-")
        start, stop = int(first), min(int(last) + 1, len(content))
        if start >= len(content):
            status(416, {"Content-Range": f"bytes */{len(content)}"})(handler)
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
    else:
        handler.send_response(200)
    handler.send_header("Content-Length", str(stop - start))
    for name, value in server.extra.items():
        handler.send_header(name, value)
    handler.end_headers()
    body = content[start:stop]
    handler.wfile.write(body if body_limit is None else body[:body_limit])


def status(code: int, headers: dict[str, str] | None = None) -> Fault:
    def fault(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return fault


def short(count: int) -> Fault:
    """Promise all, send `count` bytes, end the connection in good order."""

    def fault(handler: Handler) -> None:
        serve(handler, body_limit=count)
        handler.close_connection = True

    return fault


def cut(count: int) -> Fault:
    """Promise all, send `count` bytes, reset the connection."""

    def fault(handler: Handler) -> None:
        serve(handler, body_limit=count)
        handler.wfile.flush()
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()
        handler.close_connection = True

    return fault


def hang_up(handler: Handler) -> None:
    """End the connection without an answer."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def stall(count: int) -> Fault:
    """Send `count` bytes of the body, then nothing more."""

    def fault(handler: Handler) -> None:
        serve(handler, body_limit=count)
        handler.wfile.flush()
        handler.server.release.wait(30)
        handler.close_connection = True

    return fault


def without_ranges(handler: Handler) -> None:
    """Ignore the Range header this once."""
    serve(handler, ranges=False)


def wrong_range(handler: Handler) -> None:
    """Send other bytes than those asked for, and say so."""
    handler.send_response(206)
    handler.send_header("Content-Range", "bytes 1-4/100")
    handler.send_header("Content-Length", "4")
    handler.end_headers()
    handler.wfile.write(b"oops")


def unmeasured(handler: Handler) -> None:
    """Send the whole file in chunks, without its length."""
    content = handler.server.files["/file"]
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(content), 50_000):
        piece = content[start : start + 50_000]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def unmeasured_cut(handler: Handler) -> None:
    """Begin to send the whole file in chunks, and stop in the middle."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"c350\r\n%s\r\n" % handler.server.files["/file"][:50_000])
    handler.close_connection = True

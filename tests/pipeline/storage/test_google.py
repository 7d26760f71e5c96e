"""gs:// against a small Cloud Storage on loopback that keeps generations as the service does."""

import json
import os
import random
import threading
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pipeline.errors import CrawlmixError, NoFileError, UsageError
from pipeline.storage.globs import expand
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.object_errors import translated
from pipeline.storage.publish import publish, write_text
from pipeline.storage.reading import exists, open_input, read_bytes, size
from pipeline.storage.retry import NetworkPolicy, TransientError

# As the storage does itself where an emulator is named before gcsfs is imported.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
gcsfs = pytest.importorskip("gcsfs")
aiohttp = pytest.importorskip("aiohttp")
from multidict import CIMultiDict, CIMultiDictProxy  # noqa: E402  they come with aiohttp
from yarl import URL  # noqa: E402

CONTENT = random.Random(3).randbytes(400_003)
POLICY = NetworkPolicy(block_bytes=128 << 10, tries=3)


class _Handler(BaseHTTPRequestHandler):
    """The five calls that reading, listing and storing of small objects make."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Cloud"

    def do_GET(self) -> None:
        cloud = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if cloud.faults:
            self._answer(cloud.faults.popleft(), {"error": {"message": "of the test"}})
            return
        key = unquote(url.path.partition("/o/")[2])
        if self.command == "POST":
            self._store(body)
        elif self.command == "DELETE":
            found = cloud.objects.pop(key, None)
            self._answer(*((204, b"") if found else (404, {})))
        elif not key:
            self._list(query)
        elif key not in cloud.objects or query.get("generation", str(cloud.objects[key][0])) != str(
            cloud.objects[key][0]
        ):
            self._answer(404, {"error": {"message": "not found"}})
        elif query.get("alt") == "media":
            self._send(cloud.objects[key][1])
        else:
            self._answer(200, self._described(key))

    do_POST = do_DELETE = do_GET  # noqa: N815  names that http.server looks for

    def _store(self, body: bytes) -> None:
        _, meta, media = body.split(b"\n\n", 2)
        key = json.loads(meta.partition(b"\n--==0==")[0])["name"]
        self.server.generation += 1
        self.server.objects[key] = (self.server.generation, media.removesuffix(b"\n--==0==--"))
        self._answer(200, self._described(key))

    def _list(self, query: dict[str, str]) -> None:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        keys = [key for key in sorted(self.server.objects) if key.startswith(prefix)]
        deeper = [key for key in keys if delimiter and delimiter in key.removeprefix(prefix)]
        folders = sorted({prefix + key.removeprefix(prefix).partition("/")[0] + "/" for key in deeper})
        items = [self._described(key) for key in keys if key not in deeper]
        self._answer(200, {"items": items, "prefixes": folders})

    def _described(self, key: str) -> dict[str, str]:
        generation, content = self.server.objects[key]
        return {"bucket": "bucket", "name": key, "size": str(len(content)), "generation": str(generation)}

    def _send(self, content: bytes) -> None:
        asked = self.headers.get("Range")
        start, stop = 0, len(content)
        if asked:
            first, last = asked.removeprefix("bytes=").split("-")
            start, stop = int(first), min(int(last) + 1, len(content))
        self._answer(206 if asked else 200, content[start:stop])

    def _answer(self, status: int, content: bytes | dict[str, Any]) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Cloud(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, tuple[int, bytes]] = {}
        self.generation = 0
        self.faults: deque[int] = deque()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the end are part of the tests."""


@pytest.fixture(name="cloud")
def _cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    cloud = Cloud()
    thread = threading.Thread(target=cloud.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{cloud.server_port}")
    gcsfs.GCSFileSystem.clear_instance_cache()
    yield cloud
    gcsfs.GCSFileSystem.clear_instance_cache()
    cloud.shutdown()
    cloud.server_close()
    thread.join()


def store(url: str, content: bytes) -> None:
    with publish(url, POLICY) as temp:
        temp.write_bytes(content)


def test_what_is_published_is_read_back(cloud: Cloud) -> None:
    url = "gs://bucket/documents/part"
    assert not exists(url, POLICY)
    store(url, CONTENT)
    assert exists(url, POLICY)
    assert size(url, POLICY) == len(CONTENT)
    with open_input(url, POLICY) as file:
        assert file.read() == CONTENT
        file.seek(300_000)
        assert file.read(7) == CONTENT[300_000:300_007]
    assert cloud.objects["documents/part"][1] == CONTENT


def test_globs_lists_and_removal(cloud: Cloud) -> None:
    for key in ("crawl/b.gz", "crawl/a.gz", "crawl/deep/c.gz", "d.txt"):
        write_text(f"gs://bucket/{key}", key, POLICY)
    assert expand(["gs://bucket/crawl/*.gz"], "/", POLICY) == [
        f"gs://bucket/crawl/{key}" for key in ("a.gz", "b.gz")
    ]
    assert list_dir("gs://bucket/crawl", POLICY) == ["a.gz", "b.gz", "deep"]
    assert list_dir("gs://bucket", POLICY) == ["crawl", "d.txt"]
    assert list_dir("gs://bucket/none", POLICY) == []
    remove("gs://bucket/d.txt", POLICY)
    remove("gs://bucket/d.txt", POLICY)
    assert list_dir("gs://bucket", POLICY) == ["crawl"]


def test_an_object_that_changes_is_never_mixed(cloud: Cloud) -> None:
    store("gs://bucket/file", CONTENT)
    with open_input("gs://bucket/file", POLICY) as file:
        file.read(10)
        store("gs://bucket/file", CONTENT[::-1])
        with pytest.raises(
            CrawlmixError, match="gs://bucket/file: the object was replaced or removed while it was read"
        ):
            file.read()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_fault_while_reading_changes_no_byte(cloud: Cloud, status: int) -> None:
    store("gs://bucket/file", CONTENT)
    waits: list[float] = []
    with open_input("gs://bucket/file", POLICY, waits.append) as file:
        assert file.read(10) == CONTENT[:10]
        cloud.faults.append(status)
        assert file.read() == CONTENT[10:]
    assert not cloud.faults


@pytest.mark.parametrize(
    ("status", "text"), [(403, "refuses access"), (401, "refuses access"), (404, "there is no such object")]
)
def test_missing_and_forbidden_objects_end_at_once(cloud: Cloud, status: int, text: str) -> None:
    cloud.faults.extend([status] * 6)
    with pytest.raises(UsageError, match=f"gs://bucket/none: .*{text}"):
        read_bytes("gs://bucket/none", 10, POLICY)


def test_what_is_not_http_is_tried_again() -> None:
    url = URL("http://host/")
    request = aiohttp.RequestInfo(url, "GET", CIMultiDictProxy(CIMultiDict()), url)
    error = aiohttp.ClientResponseError(request, (), status=400, message="Bad status line")
    found = translated(error, "gs://bucket/key", anonymous=False)
    assert isinstance(found, TransientError)
    gone = aiohttp.ClientResponseError(request, (), status=404, message="Not Found")
    assert isinstance(translated(gone, "gs://bucket/key", anonymous=False), NoFileError)

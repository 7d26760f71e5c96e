"""Writes pages as a WARC file in Common Crawl's layout: warcinfo, then request, response and metadata of each."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import NAMESPACE_URL, uuid5

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from pipeline.demo.page import Page
from pipeline.demo.portable import SYNC_MARK, gzip_member

_CRAWLED = datetime(2024, 5, 18, 6, 0, tzinfo=UTC)
_CODINGS = {"content-encoding", "transfer-encoding"}
_BCP_TO_CLD2 = {"de": "GERMAN", "en": "ENGLISH", "es": "SPANISH", "fr": "FRENCH", "ja": "Japanese",
                "ru": "RUSSIAN", "sv": "SWEDISH", "zh": "Chinese"}  # fmt: skip
DAMAGED_BYTES = 24


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands in a file, in bytes as stored."""

    offset: int
    length: int


class Archive:
    """One WARC file in memory, each record a gzip member of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.data = bytearray()
        self.records = 0
        self._info = f"<urn:uuid:{uuid5(NAMESPACE_URL, f'warcinfo {name}')}>"
        lines = {
            "isPartOf": "CRAWLMIX-SAMPLE-2024",
            "publisher": "crawlmix",
            "description": "A crawl that never took place; every text was written for it (CC0)",
            "software": "crawlmix sample",
            "robots": "checked via robots.txt",
            "format": "WARC File Format 1.0",
        }
        body = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
        headers = {"WARC-Record-ID": self._info, "WARC-Date": _timestamp(0), "WARC-Filename": name}
        self._append("warcinfo", "", headers, body)

    def add(self, page: Page, second: int) -> Place:
        """Append the three records of a page, crawled so many seconds into the crawl; return the response's place."""
        shared = {
            "WARC-Date": _timestamp(second),
            "WARC-Warcinfo-ID": self._info,
            "WARC-IP-Address": f"192.0.2.{1 + len(page.host) % 200}",
        }
        request_id = f"<urn:uuid:{uuid5(NAMESPACE_URL, f'request {page.url}')}>"
        response_id = f"<{page.id}>"
        path = "/" + page.url.split("/", maxsplit=3)[3]
        get = StatusAndHeaders(
            f"GET {path} HTTP/1.1",
            [("User-Agent", "sample/1.0"), ("Accept-Encoding", "gzip, br"), ("Host", page.host)],
            is_http_request=True,
        )
        self._append("request", page.url, {"WARC-Record-ID": request_id, **shared}, b"", get)
        answer = StatusAndHeaders(page.status, self._answer_headers(page), protocol="HTTP/1.1")
        own = {
            "WARC-Record-ID": response_id,
            **shared,
            "WARC-Concurrent-To": request_id,
            "WARC-Identified-Payload-Type": page.mime,
            **({"WARC-Truncated": page.truncated} if page.truncated else {}),
        }
        place = self._append("response", page.url, own, page.body, answer)
        facts = (
            f"fetchTimeMs: {100 + len(page.body) % 700}\r\nlanguages-cld2: {_BCP_TO_CLD2[page.language]}\r\n"
        )
        metadata_id = f"<urn:uuid:{uuid5(NAMESPACE_URL, f'metadata {page.url}')}>"
        refers = {"WARC-Record-ID": metadata_id, **shared, "WARC-Concurrent-To": response_id}
        self._append("metadata", page.url, refers, facts.encode())
        return place

    def damage(self, place: Place) -> None:
        """Overwrite the end of a block in the middle of a record's gzip member, so that no reader can inflate it.

        The mark between two blocks becomes a stored block whose length contradicts itself.
        """
        middle = self.data.index(SYNC_MARK, place.offset + place.length // 3, place.offset + place.length)
        self.data[middle : middle + DAMAGED_BYTES] = b"\xff" * DAMAGED_BYTES

    def _answer_headers(self, page: Page) -> list[tuple[str, str]]:
        headers = [
            ("Date", _CRAWLED.strftime("%a, %d %b %Y %H:%M:%S GMT")),
            ("Server", "sample"),
            *page.headers,
        ]
        if not any(name.lower() in _CODINGS for name, _ in headers):
            # As Common Crawl does: the body is stored decoded, and the header that announced a coding renamed.
            headers.append(("X-Crawl-Content-Encoding", "gzip"))
        return [*headers, ("Content-Length", str(len(page.body)))]

    def _append(
        self, kind: str, url: str, headers: dict[str, str], body: bytes, http: StatusAndHeaders | None = None
    ) -> Place:
        plain = BytesIO()
        writer = WARCWriter(plain, gzip=False)  # compressed here, by bytes that no library decides
        record = writer.create_warc_record(
            url,
            kind,
            payload=BytesIO(body),
            length=len(body),
            warc_headers_dict={"WARC-Type": kind, **headers},
            http_headers=http,
        )
        writer.write_record(record)
        member = gzip_member(plain.getvalue())
        place = Place(len(self.data), len(member))
        self.data += member
        self.records += 1
        return place


def _timestamp(second: int) -> str:
    return (_CRAWLED + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")

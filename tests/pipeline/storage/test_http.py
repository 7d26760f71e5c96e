"""Faults of real servers: the bytes that arrive are those of the file, or there is one clear error."""

import gzip
import random
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import CrawlmixError, UsageError
from pipeline.storage.http import HttpObject
from pipeline.storage.ranged import RangedFile
from pipeline.storage.reading import exists, open_input, read_bytes, size
from pipeline.storage.retry import NetworkPolicy
from tests.pipeline.storage import faulty_server as faults
from tests.pipeline.storage.faulty_server import Fault, FaultyServer, running

CONTENT = random.Random(1).randbytes(1_000_003)
POLICY = NetworkPolicy(read_timeout=0.3, connect_timeout=2.0, block_bytes=256 << 10, tries=4)


@pytest.fixture(name="server")
def _server() -> Iterator[FaultyServer]:
    with running({"/file": CONTENT, "/empty": b""}) as server:
        yield server


def read(url: str, policy: NetworkPolicy = POLICY) -> tuple[bytes, list[float]]:
    """Return the whole file and the waits between tries."""
    waits: list[float] = []
    with open_input(url, policy, waits.append) as file:
        return file.read(), waits


@pytest.mark.parametrize(
    "fault",
    [
        *[pytest.param(faults.status(code), id=str(code)) for code in (408, 429, 500, 502, 503, 504)],
        pytest.param(faults.short(0), id="no body"),
        pytest.param(faults.short(100_000), id="short body"),
        pytest.param(faults.cut(100_000), id="reset in the middle"),
        pytest.param(faults.hang_up, id="no answer"),
        pytest.param(faults.stall(0), id="stalls at once"),
        pytest.param(faults.stall(100_000), id="stalls in the middle"),
        pytest.param(faults.wrong_range, id="other range"),
    ],
)
@pytest.mark.parametrize("before", [0, 2, 4])
def test_one_fault_changes_no_byte(server: FaultyServer, fault: Fault, before: int) -> None:
    server.faults.extend([faults.serve] * before + [fault])
    data, waits = read(server.url())
    assert data == CONTENT
    # A size comes with the headers, so faults in the body of that answer are not even noticed.
    assert len(waits) in ({0, 1} if before == 0 else {1})


def test_reading_goes_on_at_the_byte_it_reached(server: FaultyServer) -> None:
    policy = replace(POLICY, block_bytes=1 << 20)
    with RangedFile(HttpObject(server.url(), policy), policy, lambda _: None) as file:
        file.size()
        server.faults.extend([faults.short(100_000), faults.cut(50_000)])
        first = bytearray(256 << 10)
        assert file.readinto(first) == len(first)
    assert bytes(first) == CONTENT[: len(first)]
    assert server.asked == ["bytes=0-0", "bytes=0-262143", "bytes=100000-262143", "bytes=150000-262143"]


def test_windows_grow_and_no_byte_is_asked_for_twice(server: FaultyServer) -> None:
    assert read(server.url(), replace(POLICY, block_bytes=512 << 10))[0] == CONTENT
    assert server.asked == ["bytes=0-0", "bytes=0-262143", "bytes=262144-786431", "bytes=786432-1000002"]


def test_the_last_try_names_url_offset_tries_and_cause(server: FaultyServer) -> None:
    server.faults.extend([faults.serve, faults.short(1000), *[faults.status(503)] * 3])
    with pytest.raises(CrawlmixError) as caught:
        read(server.url())
    assert str(caught.value).startswith(
        f"{server.url()}: gave up at byte 1000 after 4 tries, the last: HTTP 503 Service Unavailable; check"
    )
    assert len(server.asked) == 5


def test_progress_resets_the_count_of_tries(server: FaultyServer) -> None:
    server.faults.extend([faults.serve, *[faults.short(70_000)] * 12])
    data, waits = read(server.url(), replace(POLICY, tries=2))
    # Of each four, the fourth has less than 70,000 bytes to bring and so meets no fault.
    assert data == CONTENT
    assert 9 <= len(waits) <= 12


def test_a_trickle_is_no_progress(server: FaultyServer) -> None:
    server.faults.extend([faults.serve, *[faults.short(10)] * 1000])
    with pytest.raises(CrawlmixError, match="gave up at byte 40 after 4 tries"):
        read(server.url())


def test_waits_are_full_jitter_below_a_doubling_ceiling(server: FaultyServer) -> None:
    policy = replace(POLICY, tries=10, base_seconds=0.5, max_seconds=8.0)
    waits: list[float] = []
    for _ in range(20):
        server.faults.extend([faults.status(500)] * 9)
        size(server.url(), policy, waits.append)
    ceilings = [0.5, 1, 2, 4, 8, 8, 8, 8, 8]
    assert all(0 <= wait <= ceilings[i % 9] for i, wait in enumerate(waits))
    # Uniform: the mean of 180 draws of wait / ceiling is 0.5 with a standard deviation of 0.02.
    assert sum(wait / ceilings[i % 9] for i, wait in enumerate(waits)) / len(waits) == pytest.approx(
        0.5, abs=0.12
    )


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("3", 3.0, 3.5),
        ("86400", 60.0, 60.0),  # capped
        (format_datetime(datetime(2999, 1, 1, tzinfo=UTC), usegmt=True), 60.0, 60.0),
        (format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True), 0.0, 0.5),
        ("soon", 0.0, 0.5),
        ("-5", 0.0, 0.5),
    ],
)
def test_retry_after_is_honoured_and_capped(
    server: FaultyServer, value: str, low: float, high: float
) -> None:
    server.faults.append(faults.status(429, {"Retry-After": value}))
    data, waits = read(server.url())
    assert data == CONTENT
    assert len(waits) == 1
    assert low <= waits[0] <= high


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (404, UsageError, "there is no such file (HTTP 404 Not Found)"),
        (410, UsageError, "there is no such file (HTTP 410 Gone)"),
        (401, UsageError, "the server refuses access (HTTP 401 Unauthorized)"),
        (403, UsageError, "the server refuses access (HTTP 403 Forbidden)"),
        (400, UsageError, "the server refuses the request (HTTP 400 Bad Request)"),
        (501, CrawlmixError, "HTTP 501 Not Implemented, which another try would not change"),
    ],
)
def test_what_another_try_would_not_change_ends_at_once(
    server: FaultyServer, code: int, kind: type[CrawlmixError], text: str
) -> None:
    server.faults.append(faults.status(code))
    with pytest.raises(kind, match=re.escape(text)) as caught:
        read(server.url())
    assert type(caught.value) is kind
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ({"ETag": '"one"'}, {"ETag": '"two"'}, 'its ETag went from "one" to "two"'),
        ({"ETag": 'W/"one"'}, {"ETag": 'W/"two"'}, 'its ETag went from W/"one" to W/"two"'),
        (
            {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
            {"Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"},
            "its Last-Modified went from Mon, 01 Jan 2024 00:00:00 GMT to Tue",
        ),
    ],
)
def test_a_file_that_changes_is_never_mixed(
    server: FaultyServer, before: dict[str, str], after: dict[str, str], text: str
) -> None:
    server.extra = before
    with open_input(server.url(), POLICY) as file:
        assert file.read(1000) == CONTENT[:1000]
        server.extra = after
        server.files["/file"] = CONTENT[::-1]
        with pytest.raises(CrawlmixError, match="changed while it was read: " + re.escape(text)):
            file.read()


@pytest.mark.parametrize("new_size", [10, 999_999, 1_000_004])
def test_another_size_is_a_change_even_without_validators(server: FaultyServer, new_size: int) -> None:
    server.extra = {}
    with open_input(server.url(), POLICY) as file:
        file.read(1000)
        server.files["/file"] = CONTENT[:10] * (new_size // 10) + CONTENT[: new_size % 10]
        with pytest.raises(CrawlmixError, match=f"its size went from 1000003 to {new_size} bytes"):
            file.read()


def test_strong_validators_go_into_if_range_and_weak_ones_do_not(server: FaultyServer) -> None:
    server.extra = {"ETag": 'W/"x"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    assert read(server.url())[0] == CONTENT
    server.extra = {"ETag": '"x"'}
    assert read(server.url())[0] == CONTENT
    assert {headers.get("If-Range") for headers in server.headers} == {
        None,
        "Mon, 01 Jan 2024 00:00:00 GMT",
        '"x"',
    }


@pytest.mark.parametrize(
    "trouble", [[], [faults.status(503)], [faults.serve, faults.serve, faults.cut(70_000)]]
)
def test_a_server_without_ranges_is_read_once_and_can_be_seeked(
    server: FaultyServer, trouble: list[Fault]
) -> None:
    server.ranges = False
    server.faults.extend(trouble)
    with open_input(server.url(), POLICY, lambda _: None) as file:
        assert file.read() == CONTENT
        asked = len(server.asked)
        assert file.seek(-3, 2) == 1_000_000
        assert file.read() == CONTENT[-3:]
        file.seek(500_000)
        assert file.read(7) == CONTENT[500_000:500_007]
        assert len(server.asked) == asked


def test_a_range_ignored_in_the_middle_still_gives_the_file(server: FaultyServer) -> None:
    server.faults.extend([faults.serve, faults.serve, faults.without_ranges])
    assert read(server.url()) == (CONTENT, [])


@pytest.mark.parametrize("trouble", [[], [faults.unmeasured_cut]])
def test_a_file_of_unknown_length_is_read_whole(server: FaultyServer, trouble: list[Fault]) -> None:
    server.faults.extend([faults.unmeasured, *trouble, faults.unmeasured])
    data, waits = read(server.url())
    assert (data, len(waits)) == (CONTENT, len(trouble))
    server.faults.extend([faults.unmeasured] * 2)
    assert size(server.url(), POLICY) == len(CONTENT)


def test_an_endless_file_without_ranges_is_refused(server: FaultyServer) -> None:
    server.faults.extend([faults.unmeasured] * 2)
    with pytest.raises(CrawlmixError, match="gives no ranges and the file is larger than 100000 bytes"):
        read(server.url(), replace(POLICY, max_spool_bytes=100_000))


def test_a_dripping_server_is_given_up(server: FaultyServer) -> None:
    with pytest.raises(
        CrawlmixError, match=r"gave up at byte \d+ after 1 tries, the last: only \d+ bytes in 0 s"
    ):
        read(server.url(), replace(POLICY, request_timeout=0.0, tries=1))


@pytest.mark.parametrize("ranges", [True, False])
def test_bytes_are_those_stored_whatever_the_encoding_header_says(server: FaultyServer, ranges: bool) -> None:
    stored = gzip.compress(b"text of a page " * 9999)
    server.files["/crawl.warc.gz"] = stored
    server.extra["Content-Encoding"] = "gzip"
    server.ranges = ranges
    assert read(server.url("/crawl.warc.gz"))[0] == stored
    server.files["/lie.gz"] = b"this is no gzip"
    assert read(server.url("/lie.gz"))[0] == b"this is no gzip"
    assert {headers["Accept-Encoding"] for headers in server.headers} == {"identity"}


@pytest.mark.parametrize("ranges", [True, False])
def test_an_empty_file_is_empty(server: FaultyServer, ranges: bool) -> None:
    server.ranges = ranges
    assert read(server.url("/empty")) == (b"", [])
    assert size(server.url("/empty"), POLICY) == 0


def test_redirects_are_followed(server: FaultyServer) -> None:
    server.redirects = {"/start": "/other", "/other": server.url()}
    assert read(server.url("/start"))[0] == CONTENT
    assert exists(server.url("/start"), POLICY)


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("/again", "more than 5 redirects"),
        ("ftp://127.0.0.1/file", "redirects from http:// to ftp://, which is refused"),
        ("file:///etc/passwd", "redirects from http:// to file://, which is refused"),
        ("", "redirects without saying where"),
    ],
)
def test_redirects_are_bounded_and_stay_on_http(server: FaultyServer, location: str, text: str) -> None:
    server.faults.extend([faults.status(301, {"Location": location})] * 20)
    with pytest.raises(CrawlmixError, match=text):
        read(server.url())
    assert len(server.asked) <= 6


def test_a_host_is_asked_by_no_more_than_its_share_at_once(server: FaultyServer) -> None:
    policy = replace(POLICY, max_per_host=3, read_timeout=10.0)
    entered = threading.Semaphore(0)
    go_on = threading.Event()

    def held(handler: faults.Handler) -> None:
        entered.release()
        go_on.wait(10)
        faults.serve(handler)

    server.faults.extend([held] * 12)
    results: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: results.append(read(server.url(), policy)[0])) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert entered.acquire(timeout=10)
    assert not entered.acquire(timeout=0.1)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert results == [CONTENT] * 12
    assert server.peak == 3


def test_exists_tells_missing_from_forbidden(server: FaultyServer) -> None:
    assert exists(server.url(), POLICY)
    assert exists(server.url("/empty"), POLICY)
    assert not exists(server.url("/missing"), POLICY)
    server.faults.append(faults.status(403))
    with pytest.raises(UsageError, match="refuses access"):
        exists(server.url(), POLICY)


def test_a_file_larger_than_its_kind_may_be_is_refused(server: FaultyServer) -> None:
    assert read_bytes(server.url(), len(CONTENT), POLICY) == CONTENT
    with pytest.raises(CrawlmixError, match="larger than 1000002 bytes"):
        read_bytes(server.url(), len(CONTENT) - 1, POLICY)


def test_messages_show_no_password_and_no_signature(server: FaultyServer) -> None:
    url = server.url("/missing?X-Amz-Signature=abc").replace("http://", "http://user:secret@")
    with pytest.raises(UsageError) as caught:
        read(url)
    assert str(caught.value).startswith(f"{server.url('/missing')}?...: there is no such file")


def test_nobody_listening_is_one_line() -> None:
    with running({}) as server:
        url = server.url()
    with pytest.raises(CrawlmixError, match=r"gave up after 4 tries, the last: .*[Cc]onnection refused"):
        read(url)


@pytest.mark.parametrize(
    "url", ["http://", "http:///file", "http://[::1/file", "https://exa mple.invalid:x/y"]
)
def test_what_is_no_url_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        read(url)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_walk_through_the_file_reads_what_a_local_file_gives(data: st.DataObject) -> None:
    with running({"/file": CONTENT}) as server, open_input(server.url(), POLICY, lambda _: None) as file:
        position = 0
        for _ in range(data.draw(st.integers(1, 6))):
            if data.draw(st.booleans()):
                server.faults.append(
                    data.draw(st.sampled_from([faults.status(503), faults.cut(9), faults.short(99)]))
                )
            if data.draw(st.booleans()):
                position = file.seek(data.draw(st.integers(0, len(CONTENT) + 10)))
            count = data.draw(st.sampled_from([0, 1, 100, 65_536, 300_000, 2_000_000]))
            expected = CONTENT[position : position + count]
            assert file.read(count) == expected
            position += len(expected)
            assert file.tell() == position

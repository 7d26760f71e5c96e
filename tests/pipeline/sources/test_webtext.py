"""The join of links with pages: against a dictionary, and where hashes agree and addresses do not."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.sources.reddit import LINKS
from pipeline.sources.webtext import LinkTable, write_links
from text.hashes import hash_strings


def table_of(urls: list[str]) -> pa.Table:
    hashed = hash_strings(pa.array(urls, pa.string()))
    rows = [
        {
            "url_hash": int(key),
            "canonical_url": url,
            "url": url,
            "score": n + 3,
            "month": "2005-06",
            "submissions": 1,
        }
        for n, (url, key) in enumerate(zip(urls, hashed, strict=True))
    ]
    return pa.Table.from_pylist(sorted(rows, key=lambda row: (row["url_hash"], row["canonical_url"])), LINKS)


PAGES = st.lists(
    st.one_of(st.none(), st.sampled_from([f"HTTPS://Example.org:443/{n}#x" for n in range(12)])), max_size=30
)


@settings(max_examples=60, deadline=None)
@given(st.sets(st.sampled_from([f"http://example.org/{n}" for n in range(10)])), PAGES)
def test_the_join_is_that_of_a_dictionary(links: set[str], pages: list[str | None]) -> None:
    table = LinkTable.of(table_of(sorted(links)))
    matches = table.match(pa.array(pages, pa.string()))
    spelled = [
        page and page.replace("HTTPS://Example.org:443", "http://example.org").removesuffix("#x")
        for page in pages
    ]
    assert matches.mask.tolist() == [page in links for page in spelled]
    known = table.table["canonical_url"].to_pylist()
    assert [known[row] if row >= 0 else None for row in matches.row] == [
        page if page in links else None for page in spelled
    ]
    scores = dict(zip(known, table.table["score"].to_pylist(), strict=True))
    assert table.metadata(matches)["score"].to_pylist() == [
        scores.get(page) if page else None for page in spelled
    ]


def test_a_shared_hash_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    urls = ["http://a.org/", "http://b.org/", "http://c.org/"]
    rows = [
        {"url_hash": 5, "canonical_url": url, "url": url, "score": 3, "month": "2005-06", "submissions": 1}
        for url in urls
    ]
    links = LinkTable.of(pa.Table.from_pylist(rows, LINKS))
    monkeypatch.setattr(
        "pipeline.sources.webtext.hash_strings", lambda strings: np.full(len(strings), 5, np.uint64)
    )
    matches = links.match(pa.array(["http://c.org/", "http://d.org/", "http://a.org/", "http://b.org/"]))
    assert matches.row.tolist() == [2, -1, 0, 1]


def test_links_survive_their_file() -> None:
    table = table_of(["http://a.org/", "http://b.org/"])
    sink = io.BytesIO()
    write_links(table, sink)
    again = LinkTable.read(io.BytesIO(sink.getvalue()), "links.parquet")
    assert again.table.equals(table)


def file_of(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def marked(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    write_links(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no parquet", "links.parquet: no Parquet file"),
        (file_of(pa.table({"url": ["x"]})), "links.parquet: no table of links; make one with `crawlmix webtext links`"),
        (marked(table_of([f"http://{n}.org/" for n in range(9)]).take(pa.array(range(8, -1, -1)))), "not sorted"),
    ],
)  # fmt: skip
def test_another_file_is_refused(data: bytes, words: Any) -> None:
    with pytest.raises(UsageError, match=words):
        LinkTable.read(io.BytesIO(data), "links.parquet")

"""A build over http, from a manifest, while the server makes mistakes: the records of the same files on disk."""

import gzip
import json

import pyarrow.parquet as pq
import pytest

from tests.pipeline.builds import run
from tests.pipeline.sources.archives import gz, pages
from tests.pipeline.storage.faulty_server import cut, hang_up, running, short, status


def documents(workspace):
    rows = [
        row
        for part in sorted((workspace / "documents/a").iterdir())
        for row in pq.read_table(part).to_pylist()
    ]
    for row in rows:
        row["origin"]["file"] = row["origin"]["file"].rpartition("crawl/")[2]
    return rows


@pytest.mark.slow
def test_a_manifest_over_http_gives_the_same_dataset_as_the_files(tmp_path):
    names = [f"{n}.warc.gz" for n in range(6)]
    (tmp_path / "crawl").mkdir()
    for n, name in enumerate(names):
        (tmp_path / "crawl" / name).write_bytes(b"".join(map(gz, pages(30, first=100 * n))))
    (tmp_path / "list").write_text("".join(f"crawl/{name}\n" for name in names))
    text = "name: s\nsources:\n  a: {format: warc, %s, part_bytes: 8KiB}\nmixtures:\n  m: {weights: {a: 1}, sequence_length: 64}\n"
    here = run(tmp_path, tmp_path / "here", text % "manifest: list, base_url: ., sample: 4", workers=2)

    files = {f"/data/crawl/{name}": (tmp_path / "crawl" / name).read_bytes() for name in names}
    files["/warc.paths.gz"] = gzip.compress((tmp_path / "list").read_bytes())
    with running(files) as server:
        server.faults.extend([hang_up, status(503), short(10), cut(20), status(500), short(3)])
        where = f"manifest: '{server.url('/warc.paths.gz')}', base_url: '{server.url('/data')}', sample: 4"
        there = run(tmp_path, tmp_path / "there", text % where, workers=2)
        asked = len(server.asked)
        assert run(tmp_path, tmp_path / "there", text % where).made == 0
    assert not server.faults
    assert documents(tmp_path / "there") == documents(tmp_path / "here")
    # Records have ids of their own, so where they were read from leaves no mark in what training reads.
    assert there.dataset_digest == here.dataset_digest
    assert len(server.asked) - asked < asked
    shown = json.loads((tmp_path / "there/ledger.json").read_text())["sources"]["a"]
    assert shown["records"] == 4 * 30

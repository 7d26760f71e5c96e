"""The files of the sample: the same bytes everywhere, true to their manifest, and damaged where they say so."""

import bz2
import gzip
import hashlib
import json
import re
import subprocess
import sys
import zlib
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from warcio.archiveiterator import ArchiveIterator

from pipeline.demo.sample import Plan, make_sample
from pipeline.recipe import load_recipe
from pipeline.sources.open_reader import reader_for
from pipeline.sources.record import FileRange, Record, Skipped

ROOT = Path(__file__).parents[3]
# Changes with every change of a text or of the layout of a page; nothing else may change it.
PUBLISHED = "5c8153268d4aa0ed38ea7fb5d1604f7efa9b4fd926767f04f69430f054b27029"
RESERVED = re.compile(r"(?:[\w.-]+\.)?(?:example|example\.(?:com|net|org))")


def digest(folder: Path) -> str:
    """Hash names and bytes of all files."""
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            whole.update(
                f"{file.relative_to(folder).as_posix()}\0".encode()
                + hashlib.sha256(file.read_bytes()).digest()
            )
    return whole.hexdigest()


@pytest.fixture(scope="module")
def manifest(sample: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((sample / "manifest.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def warcs(sample: Path, manifest: dict[str, Any]) -> dict[str, bytes]:
    """The crawl's files, without the damaged member."""
    found = {f"crawl/{file.name}": file.read_bytes() for file in (sample / "crawl").iterdir()}
    for page in manifest["pages"]:
        if page["kind"] == "damaged":
            data, start = found[page["file"]], page["offset"]
            found[page["file"]] = data[:start] + data[start + page["length"] :]
    return found


def read(sample: Path, format_name: str, name: str) -> list[Record | Skipped]:
    file = sample / name
    with file.open("rb") as stream:
        return list(reader_for(format_name, FileRange(stream, name, file.stat().st_size)))


def test_the_bytes_are_those_of_every_other_machine(sample: Path) -> None:
    assert digest(sample) == PUBLISHED


def test_another_run_with_another_hash_seed_writes_the_same_bytes(sample: Path, tmp_path: Path) -> None:
    code = "import sys, pathlib; from pipeline.demo.sample import make_sample; make_sample(pathlib.Path(sys.argv[1]))"
    env = {"PYTHONHASHSEED": "12345", "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT), "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=env, timeout=60)
    assert digest(tmp_path) == digest(sample)


def test_the_seed_decides_what_is_written(sample: Path, tmp_path: Path) -> None:
    again = make_sample(tmp_path / "again", seed=1)
    assert digest(again.folder) != digest(sample)
    assert again.pages == len(json.loads((sample / "manifest.json").read_bytes())["pages"])


def test_the_sample_is_small(sample: Path) -> None:
    assert sum(file.stat().st_size for file in sample.rglob("*") if file.is_file()) < 3_000_000


def test_warcio_reads_everything_but_the_damaged_record(
    warcs: dict[str, bytes], manifest: dict[str, Any]
) -> None:
    read_ids: list[str] = []
    for name, data in warcs.items():
        kinds: Counter[str] = Counter()
        for record in ArchiveIterator(BytesIO(data), check_digests="raise"):
            record.raw_stream.read()
            kinds[record.rec_type] += 1
            if record.rec_type == "response":
                read_ids.append(record.rec_headers.get_header("WARC-Record-ID").strip("<>"))
        lost = sum(page["file"] == name and page["kind"] == "damaged" for page in manifest["pages"])
        assert sum(kinds.values()) == manifest["files"][name]["records"] - lost
        assert kinds["warcinfo"] == 1
        assert kinds["request"] == kinds["metadata"] == kinds["response"] + lost
    expected = [page["id"] for page in manifest["pages"] if page["kind"] != "damaged"]
    assert sorted(read_ids) == sorted(expected)
    assert len(set(expected)) == len(expected)


def test_each_page_stands_where_the_manifest_says(sample: Path, manifest: dict[str, Any]) -> None:
    files = {name: (sample / name).read_bytes() for name in manifest["files"]}
    for page in manifest["pages"]:
        member = files[page["file"]][page["offset"] : page["offset"] + page["length"]]
        if page["kind"] == "damaged":
            assert b"\xff" * page["overwritten_bytes"] in member
            with pytest.raises(zlib.error):
                gzip.decompress(member)
        else:
            head = gzip.decompress(member)[:1000]
            assert f"WARC-Record-ID: <{page['id']}>\r\n".encode() in head
            assert f"WARC-Target-URI: {page['url']}\r\n".encode() in head


def test_counts_are_those_of_the_pages_listed(manifest: dict[str, Any], plan: Plan) -> None:
    by_kind = Counter(page["kind"] for page in manifest["pages"])
    assert manifest["counts"]["by_kind"] == dict(by_kind)
    assert manifest["counts"]["pages"] == len(manifest["pages"]) == len(plan.pages) == 420
    assert sum(file["records"] for file in manifest["files"].values()) == 3 * 420 + 3


def test_every_host_is_reserved_for_examples(manifest: dict[str, Any], plan: Plan) -> None:
    urls = [page["url"] for page in manifest["pages"]] + [
        each["url"] for each in (*plan.webtext2, *plan.wikipedia)
    ]
    linked = [found for page in plan.pages for found in re.findall(rb"https?://[^/\"'<> ]+", page.body)]
    hosts = {url.split("/")[2] for url in urls} | {link.decode().split("/")[2] for link in linked}
    assert [host for host in hosts if not RESERVED.fullmatch(host)] == []


def test_the_reader_loses_the_damaged_record_and_no_other(sample: Path, manifest: dict[str, Any]) -> None:
    damaged = next(page for page in manifest["pages"] if page["kind"] == "damaged")
    found = {name: read(sample, "warc", name) for name in manifest["files"]}
    records = [each for part in found.values() for each in part if isinstance(each, Record)]
    skipped = [
        (name, each.offset, each.length)
        for name in found
        for each in found[name]
        if isinstance(each, Skipped)
    ]
    assert skipped == [(damaged["file"], damaged["offset"], damaged["length"])]
    assert {page["id"] for page in manifest["pages"]} - {record.id for record in records} == {damaged["id"]}
    assert [record for record in records if record.fate == "failed"] == []


def test_the_reader_removes_what_is_no_page(sample: Path, manifest: dict[str, Any]) -> None:
    kinds = {page["id"]: page["kind"] for page in manifest["pages"]}
    records = [
        each for name in manifest["files"] for each in read(sample, "warc", name) if isinstance(each, Record)
    ]
    removed = Counter(
        (kinds[each.id], each.rule) for each in records if each.id in kinds and each.fate != "kept"
    )
    assert removed == {("http_status", "http_status"): 14, ("media_type", "media_type"): 6}


def test_the_reader_undoes_every_coding(sample: Path, manifest: dict[str, Any], plan: Plan) -> None:
    texts = {page.id: page.text for page in plan.pages if page.kind == "coding"}
    bodies = {
        each.id: each.body
        for name in manifest["files"]
        for each in read(sample, "warc", name)
        if isinstance(each, Record) and each.id in texts
    }
    assert len(bodies) == 6
    for page, text in texts.items():
        body = bodies[page]
        assert body is not None
        assert body.startswith(b"<!DOCTYPE html>")
        assert text.split("\n\n")[-1].encode() in body


@pytest.mark.parametrize(
    ("case", "codec"),
    [
        ("windows-1252 by header", "cp1252"),
        ("iso-8859-1 undeclared", "latin-1"),
        ("shift_jis by header", "shift_jis"),
        ("gb18030 by meta", "gb18030"),
        ("koi8-r by header", "koi8_r"),
        ("utf-16 by byte order mark", "utf-16"),
        ("windows-1252 called utf-8", "cp1252"),
        ("windows-1252 undeclared", "cp1252"),
    ],
)
def test_odd_charsets_hold_the_text_and_are_not_utf8(plan: Plan, case: str, codec: str) -> None:
    page = next(page for page in plan.pages if page.detail == case)
    assert all(paragraph in page.body.decode(codec) for paragraph in page.text.split("\n\n"))
    with pytest.raises(UnicodeDecodeError):
        page.body.decode("utf-8")


@pytest.mark.parametrize("name", ["webtext2", "wikipedia"])
def test_json_lines_hold_the_documents(sample: Path, plan: Plan, name: str) -> None:
    expected = {"webtext2": plan.webtext2, "wikipedia": plan.wikipedia}[name]
    records = [each for each in read(sample, "jsonl", f"{name}.jsonl.gz") if isinstance(each, Record)]
    assert [(each.id, each.text) for each in records] == [(each["id"], each["text"]) for each in expected]


def test_the_mediawiki_dump_holds_the_same_entries(sample: Path, plan: Plan) -> None:
    namespace = "{http://www.mediawiki.org/xml/export-0.11/}"
    root = ET.fromstring(bz2.decompress((sample / "wikipedia.xml.bz2").read_bytes()))
    pages = root.findall(f"{namespace}page")
    entries = [
        page
        for page in pages
        if page.findtext(f"{namespace}ns") == "0" and page.find(f"{namespace}redirect") is None
    ]
    assert [page.findtext(f"{namespace}title") for page in entries] == [
        each["title"] for each in plan.wikipedia
    ]
    assert len(pages) == len(entries) + 3  # a redirect, a talk page, a template
    for page, document in zip(entries, plan.wikipedia, strict=True):
        wikitext = page.findtext(f"{namespace}revision/{namespace}text")
        assert wikitext is not None
        assert all(paragraph in wikitext for paragraph in document["text"].split("\n\n"))


def test_the_demo_recipe_fits_the_sample(sample: Path) -> None:
    recipe = load_recipe(ROOT / "recipes" / "demo.yaml")
    for source in recipe.root.sources.values():
        assert source.paths
        for pattern in source.paths:
            assert list(sample.glob(pattern))

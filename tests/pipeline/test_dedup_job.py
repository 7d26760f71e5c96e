import json
import random
import shutil
import signal
import subprocess
import sys

import pytest

from tests.pipeline.builds import tree
from tests.pipeline.dedup_parts import Doc, dedup, drops, fates, kept
from tests.pipeline.dedup_texts import Texts, content, summary

TEXTS = Texts(6)
text, edited = TEXTS.text, TEXTS.edited


def test_order_and_cut_of_the_input_change_no_decision(tmp_path, corpus):
    found = []
    for seed in (1, 2):
        docs = random.Random(seed).sample(corpus, len(corpus))
        parts = {"a": [docs[: 40 * seed], docs[40 * seed :], []]}
        dedup(tmp_path / str(seed), parts)
        found.append(
            (
                kept(tmp_path / str(seed), parts),
                drops(tmp_path / str(seed), parts),
                summary(tmp_path / str(seed)),
            )
        )
    assert found[0] == found[1]
    assert {f"d{i:03d}" for i in range(90)} | {"other", "blank"} < found[0][0]
    assert found[0][1]["exact3"] == ("d003", "exact_duplicate")
    assert found[0][1]["near3"] == ("d003", "near_duplicate")
    assert len(found[0][1]) == 21
    assert found[0][2]["levels"]["content"]["rules"] == {"exact_duplicate": 11, "near_duplicate": 10}
    assert found[0][2]["levels"]["content"]["clusters"] == [[2, 1], [3, 10]]


def test_rounds_of_stars_decide_as_one_reducer_does(tmp_path, decided):
    root, parts = decided
    dedup(tmp_path / "rounds", parts, "{max_edges: 1}")
    assert tree(root / "duplicates") == tree(tmp_path / "rounds/duplicates")


def test_nothing_is_done_twice_and_a_limit_of_edges_changes_nothing(tmp_path, decided):
    root, parts = decided
    shutil.copytree(root, tmp_path / "w")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "w").rglob("*") if path.is_file()}
    dedup(tmp_path / "w", parts, "{max_edges: 7}")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "w").rglob("*") if path.is_file()} == before
    dedup(tmp_path / "w", parts, "{priority: [c, b, a]}")
    dedup(tmp_path / "fresh", parts, "{priority: [c, b, a]}")
    assert tree(tmp_path / "w/duplicates") == tree(tmp_path / "fresh/duplicates")


def test_copies_of_one_source_stay_in_another_when_that_is_the_scope(tmp_path):
    same = text()
    parts = {"a": [[Doc("a1", same), Doc("a2", same)]], "b": [[Doc("b1", same), Doc("b2", edited(same, 3))]]}
    dedup(tmp_path / "w", parts, "{scope: source}")
    assert len(kept(tmp_path / "w", parts) & {"a1", "a2"}) == 1
    assert len(kept(tmp_path / "w", parts) & {"b1", "b2"}) == 1
    dedup(tmp_path / "w", parts, "{scope: global}")
    assert len(kept(tmp_path / "w", parts)) == 1


def test_a_protected_source_loses_nothing_and_others_are_dropped_for_it(tmp_path):
    same = text()
    parts = {
        "crawl": [[Doc("c1", same, 0.9), Doc("c2", edited(same, 3), 0.9)], [Doc("c3", same)]],
        "web": [[Doc("w1", same, 0.1), Doc("w2", same, 0.1), Doc("w3", edited(same, 4))]],
    }
    dedup(tmp_path / "w", parts, "{priority: [crawl, web], protected: [web]}")
    assert kept(tmp_path / "w", parts) == {"w1", "w2", "w3"}
    assert content(tmp_path / "w")["pairs"] == [["crawl", "web", 3]]
    assert {row["cluster"] for rows in fates(tmp_path / "w", parts).values() for row in rows} < {
        "w1",
        "w2",
        "w3",
    }


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Doc("z", "", 0.9, "2025-01-01T00:00:00Z"), Doc("a", "", 0.8, "2024-01-01T00:00:00Z")),
        (Doc("z", "", 0.5, "2024-01-01T00:00:00Z"), Doc("a", "", 0.5, "2024-01-02T00:00:00Z")),
        (Doc("z", "", 0.5, "2024-01-01T00:00:00Z"), Doc("a", "", None, "no date")),
    ],
)
def test_of_copies_the_better_then_the_earlier_stays(tmp_path, better, worse):
    same = text()
    parts = {
        "s": [
            [Doc(worse.id, same, worse.quality, worse.timestamp)],
            [Doc(better.id, same, better.quality, better.timestamp)],
        ]
    }
    dedup(tmp_path / "w", parts)
    assert kept(tmp_path / "w", parts) == {better.id}


def test_a_chain_loses_no_text_that_resembles_no_kept_one(tmp_path):
    chain = [text(400)]
    for _ in range(5):
        chain.append(" ".join([*chain[-1].split()[50:], *text(50).split()]))
    parts = {"s": [[Doc(f"d{i}", words, 1 - i / 10) for i, words in enumerate(chain)]]}
    dedup(tmp_path / "w", parts, "{preset: strict}")
    told = content(tmp_path / "w")
    assert told["clusters"] == [[6, 1]]
    assert told["rescued"] == len(kept(tmp_path / "w", parts)) - 1 > 0
    ids = {row["id"]: row for row in fates(tmp_path / "w", parts)["s"]}
    for name, (of, _) in drops(tmp_path / "w", parts).items():
        assert ids[of]["fate"] == "kept"
        assert ids[name]["similarity"] >= 0.7
    assert told["undecided"] == 0


def test_one_document_a_hundred_thousand_times(tmp_path):
    same = text()
    count = 100_000
    parts = {
        "s": [
            [Doc(f"d{number:06d}", same) for number in range(begin, begin + count // 4)]
            for begin in range(0, count, count // 4)
        ]
    }
    lines = dedup(tmp_path / "w", parts)
    stays = kept(tmp_path / "w", parts)
    assert len(stays) == 1
    told = summary(tmp_path / "w")
    assert told["levels"]["content"]["largest"] == [[count, count - 1, *stays]]
    assert [template[0::2] for template in told["templates"]] == [["exact", count]]
    assert told["templates"][0][3] in stays
    assert len(lines) == 1
    assert lines[0].startswith(
        "warning: dedup: 100% of the 100,000 documents of `s` were dropped as copies; look"
    )


def test_a_web_source_without_a_copy_is_remarked(tmp_path):
    parts = {"s": [[Doc(f"d{number}", f"text number {number}") for number in range(10_000)]]}
    assert "not one of the 10,000 documents of `s` was dropped" in dedup(tmp_path / "w", parts)[0]


def test_what_an_earlier_build_holds_is_no_surprise(tmp_path):
    parts = {"s": [[Doc(f"d{number}", f"text number {number}") for number in range(200)]]}
    dedup(tmp_path / "old", parts)
    assert dedup(tmp_path / "new", parts, "{against: old}") == []
    assert kept(tmp_path / "new", parts) == set()


def test_a_document_of_50_megabytes(tmp_path):
    long = " ".join(f"{number:040d}" for number in range(1_250_000))
    assert len(long) > 50_000_000
    parts = {"s": [[Doc("long", long)], [Doc("begins", long[:3000]), Doc("near", long[:2500])]]}
    dedup(tmp_path / "w", parts)
    assert drops(tmp_path / "w", parts) == {"near": ("begins", "near_duplicate")}


def test_sources_without_documents_are_no_error(tmp_path):
    parts = {"a": [[]], "b": [], "c": [[Doc("x", "some words", alive=False)]]}
    dedup(tmp_path / "w", parts)
    assert fates(tmp_path / "w", parts)["c"][0]["fate"] is None
    assert content(tmp_path / "w")["clusters"] == []


def test_records_of_one_id_are_decided_by_their_text(tmp_path):
    same, other = text(), text()
    docs = [Doc("x", same), Doc("x", same), Doc("x", other)]
    for order in (docs, docs[::-1]):
        root = tmp_path / str(order is docs)
        dedup(root, {"s": [order]})
        assert sorted(row["fate"] for row in fates(root, {"s": [order]})["s"]) == ["kept", "kept", "removed"]


def test_pages_of_one_address_are_copies_when_asked_for(tmp_path):
    docs = [
        Doc("old", text(), 0.5, url="http://example.org/a/"),
        Doc("new", text(), 0.6, url="https://EXAMPLE.org/a?utm_source=x"),
        Doc("twin", "", 0.4, url="https://example.org/a"),
        Doc("none", text()),
        Doc("else", "", 0.5, url="https://example.org/b"),
    ]
    docs[4] = Doc("else", docs[0].text, 0.4, url=docs[4].url)  # a copy of a page that goes by its address
    parts = {"s": [docs[:2], docs[2:]]}
    dedup(tmp_path / "w", parts, "{urls: true}")
    assert drops(tmp_path / "w", parts) == {"old": ("new", "duplicate_url"), "twin": ("new", "duplicate_url")}
    dedup(tmp_path / "w", parts)
    assert drops(tmp_path / "w", parts) == {"else": ("old", "exact_duplicate")}


@pytest.mark.slow
def test_a_search_killed_in_the_middle_is_done_again_with_the_same_bytes(tmp_path, decided):
    root, parts = decided
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from pipeline import dedup_stage\n"
        "from tests.pipeline import dedup_parts\n"
        "root, stop = Path(sys.argv[1]), sys.argv[2]\n"
        "from pipeline.runner import import_beam\n"
        "import_beam()\n"
        "from pipeline import dedup_steps\n"
        "name, _, method = stop.partition('.')\n"
        "victim = getattr(dedup_steps, name)\n"
        "calls = []\n"
        "original = victim.process\n"
        "def process(self, element):\n"
        "    calls.append(1)\n"
        "    if len(calls) == int(method):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return original(self, element)\n"
        "victim.process = process\n"
        "import json\n"
        "told = json.loads(Path(sys.argv[3]).read_text())\n"
        "parts = {name: [[dedup_parts.Doc(**doc) for doc in docs] for docs in files] for name, files in told.items()}\n"
        "dedup_parts.dedup(root, parts)\n"
    )
    told = tmp_path / "parts.json"
    told.write_text(
        json.dumps(
            {name: [[doc.__dict__ for doc in docs] for docs in files] for name, files in parts.items()}
        )
    )
    for stop in ("Stars.3", "Finish.2"):
        ended = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "w"), stop, str(told)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert not (tmp_path / "w/duplicates/summary.json").exists()
    dedup(tmp_path / "w", parts)
    assert tree(tmp_path / "w/duplicates") == tree(root / "duplicates")

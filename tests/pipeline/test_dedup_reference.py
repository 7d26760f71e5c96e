"""What an earlier build holds: `against`, and increments of one workspace."""

import pytest

from pipeline.dedup.reference import Reference
from pipeline.errors import UsageError
from tests.pipeline.builds import tree
from tests.pipeline.dedup_parts import Doc, dedup, drops, kept
from tests.pipeline.dedup_texts import Texts, content, summary

TEXTS = Texts(6)
text, edited = TEXTS.text, TEXTS.edited


def test_what_an_earlier_build_holds_is_dropped_by_its_keys_alone(tmp_path):
    held = [Doc(f"h{i}", text()) for i in range(5)]
    dropped = Doc("dropped", held[0].text, 0)
    dedup(tmp_path / "old", {"s": [[*held, dropped]]})
    for table in ("documents", "annotations"):
        for path in (tmp_path / "old" / table).rglob("*.parquet"):
            path.unlink()
    fresh = text()
    docs = [
        Doc("same", held[1].text),
        Doc("near", edited(held[2].text, 2)),
        Doc("fresh", fresh),
        Doc("copy", fresh + " more"),
    ]
    parts = {"web": [docs], "books": [[Doc("safe", held[3].text)]]}
    dedup(tmp_path / "new", parts, "{against: old, protected: [books]}")
    assert drops(tmp_path / "new", parts) == {
        "same": (None, "exact_duplicate_of_reference"),
        "near": (None, "near_duplicate_of_reference"),
        "fresh": ("copy", "near_duplicate"),
    }
    # An increment of the earlier build changes what is held, and so the decisions.
    dedup(tmp_path / "exact", parts, "{against: old, preset: null}")
    assert drops(tmp_path / "exact", parts) == {
        "same": (None, "exact_duplicate_of_reference"),
        "safe": (None, "exact_duplicate_of_reference"),
    }


def test_a_shared_band_is_not_enough_where_more_would_be_expected(tmp_path):
    """Pairs at J = .52: 28 % share a band of the `strict` preset, and three such bands nearly none."""
    held = [Doc(f"h{i}", text(204)) for i in range(100)]
    dedup(tmp_path / "old", {"s": [held]}, "{preset: strict}")
    parts = {
        "s": [
            [
                *(Doc(f"far{doc.id}", edited(doc.text, 63)) for doc in held),
                *(Doc(f"near{doc.id}", edited(doc.text, 10)) for doc in held),
            ]
        ]
    }
    dedup(tmp_path / "new", parts, "{preset: strict, against: old}")
    gone = drops(tmp_path / "new", parts)
    assert len(gone.keys() & {f"near{doc.id}" for doc in held}) >= 98
    assert len(gone.keys() & {f"far{doc.id}" for doc in held}) <= 6


@pytest.mark.parametrize("key", ["against: OLD", "increments: true"])
def test_bands_too_weak_to_know_a_text_again_are_refused(tmp_path, decided, key):
    settings = "{preset: gpt3, " + key.replace("OLD", str(decided[0])) + "}"
    with pytest.raises(
        UsageError, match=r"dedup\.(against|increments): bands of 1 row are shared by texts that"
    ):
        dedup(tmp_path / "new", {"s": [[Doc("a", text())]]}, settings)
    assert not (tmp_path / "new/duplicates").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            "{against: OLD, ngram: 4}",
            r"w/duplicates/_generations/000/keys: its signatures .* ngram 5 instead of 4",
        ),
        ("{against: OLD, preset: strict}", "num_hashes 112 instead of 120"),
        ("{against: OLD, bands: 28, rows: 4}", "holds 14 bands of 8 rows instead of 28 of 4"),
        ("{against: nowhere}", "nowhere holds no finished dedup stage"),
        ("{against: new}", "is the workspace of this very build"),
    ],
)
def test_a_reference_that_cannot_be_compared_with_is_refused(tmp_path, decided, settings, message):
    parts = {"s": [[Doc("a", text())]]}
    with pytest.raises(UsageError, match=message):
        dedup(tmp_path / "new", parts, settings.replace("OLD", str(decided[0])))
    assert not (tmp_path / "new/duplicates").exists()


def test_a_reference_without_keys_is_refused(tmp_path):
    parts = {"s": [[Doc("a", text())]]}
    dedup(tmp_path / "old", parts, "{keep_reference: false}")
    with pytest.raises(UsageError, match=r"holds no reference.json"):
        dedup(tmp_path / "new", parts, "{against: old}")


def test_an_increment_flips_no_decision_and_touches_no_old_file(tmp_path, corpus):
    first = {"a": [corpus[:60], corpus[60:]]}
    dedup(tmp_path / "w", first)
    decided = kept(tmp_path / "w", first)
    before = tree(tmp_path / "w/duplicates/a")
    best = [Doc(f"better{i}", corpus[i].text + " and more", 1.0) for i in range(10)]
    new = [*best, Doc("fresh", text(), 0.5), Doc("again", "", 0.4)]
    new[-1] = Doc("again", new[-2].text, 0.4)
    more = {"a": [corpus[:60], corpus[60:], new], "b": [[Doc("mine", text()), Doc("theirs", corpus[7].text)]]}
    dedup(tmp_path / "w", more, "{increments: true}")
    assert {
        name: data for name, data in tree(tmp_path / "w/duplicates/a").items() if name in before
    } == before
    assert kept(tmp_path / "w", more) == decided | {"fresh", "mine"}
    assert summary(tmp_path / "w")["generations"] == ["000", "001"]
    assert content(tmp_path / "w")["rules"]["exact_duplicate"] == 11 + 1
    files = tree(tmp_path / "w/duplicates")
    dedup(tmp_path / "w", more, "{increments: true}")
    assert tree(tmp_path / "w/duplicates") == files
    # Without the key, all parts are decided together again, as in a fresh workspace.
    dedup(tmp_path / "w", more)
    dedup(tmp_path / "fresh", more)
    assert tree(tmp_path / "w/duplicates") == tree(tmp_path / "fresh/duplicates")
    assert "better3" in kept(tmp_path / "w", more)


def test_the_reference_holds_what_stays(decided):
    from pipeline.dedup.bands import PRESETS
    from pipeline.dedup.scheme import Scheme

    root, parts = decided
    reference = Reference.open(root / "duplicates/_generations/000/keys", Scheme(), PRESETS["fineweb"])
    stays = len(kept(root, parts))
    assert len(reference.exact) == stays
    assert {len(keys) for keys in reference.keys} == {stays - 1}  # one text is without a word

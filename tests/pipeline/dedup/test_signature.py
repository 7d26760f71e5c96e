import json

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dedup.scheme import Scheme
from pipeline.dedup.signature import EMPTY, affine_parameters, fmix32, minhash, signatures, similarity
from pipeline.errors import UsageError
from text.buffers import text_buffer
from text.hashes import gram_hashes
from text.normalise import normalise
from text.words import find_words


def datasketch_minima(hashes: list[int], num_hashes: int, seed: int) -> list[int]:
    sketch = MinHash(num_perm=num_hashes, seed=seed, scheme="affine32", hashfunc=int)
    if hashes:
        sketch.update_batch([value & 0xFFFFFFFF for value in hashes])
    return np.asarray(sketch.hashvalues).tolist()


def test_published_vectors() -> None:
    assert fmix32(np.array([1], np.uint32)).tolist() == [1364076727]
    factors, shifts = affine_parameters(112, 1)
    assert factors[:3].tolist() == [3582191691, 4270784983, 1892572953]
    assert shifts[:3].tolist() == [2465816345, 2636844999, 630194419]
    five = np.arange(5, dtype=np.uint64)
    long = minhash(five, np.array([0, 5]), Scheme(num_hashes=112))[0]
    assert long[:4].tolist() == [1371091984, 1590657928, 630194419, 1229532419]
    assert long[110:].tolist() == [588993561, 127563531]
    short = minhash(five, np.array([0, 5]), Scheme(num_hashes=4))[0]
    assert short.tolist() == [491263, 131247162, 308645290, 1412089388]


@given(
    st.lists(st.lists(st.integers(0, (1 << 64) - 1), max_size=6), max_size=5),
    st.sampled_from([1, 4, 112, 128]),
    st.sampled_from([0, 1, 77]),
)
@settings(max_examples=50, deadline=None)
def test_minima_are_those_of_datasketch(sets: list[list[int]], num_hashes: int, seed: int) -> None:
    borders = np.cumsum([0, *map(len, sets)])
    flat = np.array([value for members in sets for value in members], np.uint64)
    found = minhash(flat, borders, Scheme(num_hashes=num_hashes, seed=seed))
    assert found.tolist() == [datasketch_minima(members, num_hashes, seed) for members in sets]


def test_texts_sign_as_datasketch_signs_their_shingles() -> None:
    texts = ["one", "", None, "a b c d e f g", "x_y z " * 50, "\u3042\u308a\u304c\u3068\u3046\u3054\u3056"]
    scheme = Scheme(num_hashes=20)
    grams = gram_hashes(find_words(text_buffer(normalise(pa.array(texts))), scheme.word_rule), 5)
    expected = [
        datasketch_minima(grams.hashes[a:b].tolist(), 20, 1)
        for a, b in zip(grams.borders[:-1], grams.borders[1:], strict=True)
    ]
    signed = signatures(pa.array(texts), scheme)
    assert signed.minima.tolist() == expected
    assert signed.valid.tolist() == [True, False, False, True, True, True]
    assert (signed.minima[1] == EMPTY).all()


def test_equal_normalised_words_sign_alike() -> None:
    texts = pa.array(
        [
            "\u041f\u0420\u0418\u0412\u0415\u0422, CAFE\u0301 au lait",
            "\u043f\u0440\u0438\u0432\u0435\u0442 caf\u00e9 \u2014 au lait!",
        ]
    )
    minima = signatures(texts, Scheme()).minima
    assert minima[0].tolist() == minima[1].tolist()


def test_scripts_without_spaces_are_shingled_by_character() -> None:
    text = "\u6625\u7720\u4e0d\u89c9\u6653\u5904\u5904\u95fb\u557c\u9e1f\u591c\u6765\u98ce\u96e8\u58f0\u82b1\u843d\u77e5\u591a\u5c11"
    texts = pa.array([text * 5 + text[::-1] * 5, text * 5 + text[::-1] * 4 + text[:10]])
    by_character = signatures(texts, Scheme()).minima
    by_word = signatures(texts, Scheme(unit="word")).minima
    assert similarity(by_character[:1], by_character[1:])[0] > 0.7
    assert similarity(by_word[:1], by_word[1:])[0] == 0


@given(st.lists(st.text("ab \n", max_size=40) | st.none(), max_size=8), st.data())
@settings(deadline=None)
def test_splitting_a_batch_changes_no_signature(texts: list[str | None], data: st.DataObject) -> None:
    array = pa.array(texts, pa.string())
    cut = data.draw(st.integers(0, len(texts)))
    scheme = Scheme(num_hashes=8, ngram=3)
    whole = signatures(array, scheme).minima.tolist()
    parts = [signatures(part, scheme).minima.tolist() for part in (array.slice(0, cut), array.slice(cut))]
    assert parts[0] + parts[1] == whole


def test_a_text_of_50_mb_signs_as_the_set_of_its_shingles() -> None:
    head, verse, tail = (
        " ".join(f"{part}{i}" for i in range(3000)) + " " for part in ("head", "verse", "tail")
    )
    long = head + verse * (50_000_000 // len(verse)) + tail
    scheme = Scheme(num_hashes=8)
    signed = signatures(pa.array([long, "after it"]), scheme).minima
    # Its minima come from the first piece, the last and all between: the long text is its parts and no more.
    assert signed[:1].tolist() == signatures(pa.array([head + verse * 2 + tail]), scheme).minima.tolist()


def test_estimates_have_the_bias_and_error_of_minhash() -> None:
    generator = np.random.default_rng(0)
    pairs, size = 2000, 400
    shared = generator.integers(0, size + 1, pairs)
    sets = []
    for count in shared:
        common, only = (
            generator.integers(0, 1 << 63, count),
            generator.integers(0, 1 << 63, (2, size - count)),
        )
        sets += [np.concatenate([common, only[0]]), np.concatenate([common, only[1]])]
    flat = np.concatenate(sets).astype(np.uint64)
    minima = minhash(flat, np.arange(0, len(flat) + 1, size), Scheme())
    error = similarity(minima[::2], minima[1::2]) - shared / (2 * size - shared)
    assert abs(error.mean()) <= 0.005
    assert np.sqrt((error**2).mean()) <= 0.045


def test_a_scheme_survives_parquet_metadata_and_json() -> None:
    scheme = Scheme(num_hashes=20, seed=5, ngram=3, unit="word")
    schema = pa.schema([("x", pa.int8())], metadata=scheme.to_metadata())
    assert Scheme.from_schema(schema, place="a.parquet") == scheme
    assert Scheme.from_json(scheme.to_json(), place="a.json") == scheme


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"num_hashes": "many"}', json.dumps({"extra": 1})])
def test_what_is_no_scheme_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match=r"^index\.json: holds no readable MinHash scheme"):
        Scheme.from_json(line, place="index.json")
    with pytest.raises(UsageError, match="does not say how its signatures were made"):
        Scheme.from_schema(pa.schema([]), place="index.json")


def test_another_scheme_is_refused_by_its_differences() -> None:
    with pytest.raises(UsageError) as caught:
        Scheme().require(Scheme(num_hashes=128, seed=2), place="old-build")
    assert str(caught.value) == (
        "old-build: its signatures cannot be compared with this build's: num_hashes 128 instead of 112,"
        " seed 2 instead of 1; use the same dedup settings for both or compute its signatures again"
    )
    Scheme().require(Scheme(), place="old-build")


@pytest.mark.parametrize("bad", [{"num_hashes": 0}, {"num_hashes": 2000}, {"ngram": 0}, {"seed": -1}])
def test_a_scheme_has_limits(bad: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"^dedup: "):
        Scheme(**bad)

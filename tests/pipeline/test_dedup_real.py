from collections import defaultdict
from itertools import combinations

import pyarrow as pa

from tests.pipeline.dedup_parts import Doc, dedup, fates
from tests.shared_data import shared
from text.buffers import text_buffer
from text.normalise import normalise
from text.words import WordRule, find_words


def test_the_decisions_agree_with_exact_similarity_on_real_pages(tmp_path):
    texts = real_texts(700)
    parts = {"crawl": [[Doc(f"p{i}", page) for i, page in enumerate(texts)]]}
    dedup(tmp_path / "w", parts)
    similarity = exact_pairs(texts)
    found = fates(tmp_path / "w", parts)["crawl"]
    clusters = {int(row["id"][1:]): row["cluster"] for row in found if row["cluster"]}
    similar = [pair for pair, value in similarity.items() if value >= 0.8]
    assert len(similar) >= 15
    assert sum(clusters.get(a, a) == clusters.get(b, b) for a, b in similar) >= 0.92 * len(similar)
    wrong = [
        row
        for row in found
        if row["fate"] == "removed"
        and similarity.get(tuple(sorted((int(row["id"][1:]), int(row["duplicate_of"][1:])))), 0.0) < 0.55
    ]
    assert wrong == []


def real_texts(count):
    from fastwarc.warc import ArchiveIterator, WarcRecordType
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    texts = []
    for path in sorted(shared("crawl/dev").glob("*.warc.gz")):
        for record in ArchiveIterator(str(path), record_types=WarcRecordType.response):
            if len(texts) == count:
                return texts
            if "html" in (record.http_content_type or ""):
                body = record.reader.read()
                page = extract_plain_text(bytes_to_str(body, detect_encoding(body)), main_content=True)
                if len(page.split()) >= 20:
                    texts.append(page)
    return texts


def exact_pairs(texts):
    """Jaccard similarity of all pairs that share a shingle of five words, hash values left out of it."""
    words = find_words(text_buffer(normalise(pa.array(texts))), WordRule(underscore=True, characters=True))
    spelt = [words.data[a:b].tobytes() for a, b in zip(words.starts, words.ends, strict=True)]
    holders = defaultdict(list)
    sizes = []
    for number, (a, b) in enumerate(zip(words.borders[:-1], words.borders[1:], strict=True)):
        own = spelt[a:b]
        grams = {tuple(own[i : i + 5]) for i in range(max(1, len(own) - 4))}
        sizes.append(len(grams))
        for gram in grams:
            holders[gram].append(number)
    shared_grams = defaultdict(int)
    for numbers in holders.values():
        for pair in combinations(numbers, 2):
            shared_grams[pair] += 1
    return {(a, b): n / (sizes[a] + sizes[b] - n) for (a, b), n in shared_grams.items()}

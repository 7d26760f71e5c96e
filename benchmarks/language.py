"""Language identification: speed on short and long texts, accuracy, and what reading a sample of each document costs.

    python -m benchmarks.language [--data DIR]

Short texts are paragraphs in 105 languages, long ones articles (English). Accuracy is by exact code of the label, so
codes of close relatives count as errors. Speed is bytes of the whole texts per CPU second.
"""

import argparse
import gzip
import json
import time
from pathlib import Path

import pyarrow as pa

from classifiers.language import LanguageModel, LanguageModelError, sample

ROUNDS = 3


def rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def report(name: str, model: LanguageModel, texts: list[str], labels: list[str]) -> None:
    array = pa.array(texts, pa.large_string())
    spent = []
    for _ in range(ROUNDS):
        start = time.process_time()
        found = model.identify(array)
        spent.append(time.process_time() - start)
    correct = sum(a == b for a, b in zip(found.language.to_pylist(), labels, strict=True)) / len(labels)
    read = sum(len(sample(text)) for text in texts) / sum(map(len, texts))
    speed = sum(len(text.encode()) for text in texts) / min(spent) / 1e6
    print(
        f"  {name:<28} {speed:8.1f} MB/s   {1e3 * min(spent) / len(texts):6.3f} ms a document   accuracy {correct:.4f}   read {read:.0%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
    )
    folder = parser.parse_args().data / "ref"
    if not folder.is_dir():
        parser.error(f"{folder}: no such folder; name one with --data")
    short = rows(folder / "wikipedia" / "langid_eval_paragraphs.jsonl.gz")
    long = [
        row["text"] for row in rows(folder / "articles" / "articles.jsonl.gz") if len(row["text"]) >= 4000
    ]
    for engine in ("fasttext", "cld2"):
        try:
            model = LanguageModel.load(engine=engine)  # type: ignore[arg-type]
        except LanguageModelError as error:
            print(f"{engine}: {error}")
            continue
        print(engine)
        report(
            "paragraphs, 105 languages", model, [row["text"] for row in short], [row["lang"] for row in short]
        )
        report("articles cut to 4,000", model, [text[:4000] for text in long], ["en"] * len(long))
        report("whole articles", model, long, ["en"] * len(long))


if __name__ == "__main__":
    main()

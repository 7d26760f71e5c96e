"""What a plan says before a run."""

from pathlib import Path

import pytest
import yaml

import mixtures
from mixtures.errors import MixtureError
from mixtures.plan import plan_mixture, plan_spec
from tests.mixtures.corpora import make_mixture

GPT3 = Path(mixtures.__file__).parent / "gpt3.yaml"


def test_gpt3s_table_gives_the_published_figures() -> None:
    plan = plan_spec(yaml.safe_load(GPT3.read_text()))
    assert plan.samples == 146_484_375
    assert [(entry.source, f"{entry.epochs:.3f}") for entry in plan.sources] == [
        ("common_crawl", "0.435"), ("webtext2", "3.439"), ("books1", "1.980"), ("books2", "0.432"),
        ("wikipedia", "2.970"),
    ]  # fmt: skip
    assert plan.period == 101
    assert plan.warnings == ()
    text = plan.to_text()
    for figure in ("146,484,375 samples", "60/101", "0.435", "3.439", "1.980", "0.432", "2.970", "59.41%"):
        assert figure in text


def test_gpt3s_printed_epochs_imply_other_weights() -> None:
    spec = yaml.safe_load(GPT3.read_text())
    for source in spec["sources"].values():
        source["epochs"] = source.pop("printed_epochs")
        del source["weight"]
    del spec["tokens"]
    plan = plan_spec(spec)
    assert [f"{100 * entry.share:.2f}" for entry in plan.sources] == [
        "61.75",
        "18.86",
        "8.10",
        "7.80",
        "3.49",
    ]
    assert plan.to_dict()["tokens"] == pytest.approx(292.15e9, rel=1e-6)


def test_the_first_repeat_is_the_first_sample_of_the_second_epoch(tmp_path: Path) -> None:
    _, mixture = make_mixture(tmp_path, {"web": 1, "wiki": 1}, tokens=500_000)
    plan, sampler = plan_mixture(mixture), mixture.sampler()
    for number, entry in enumerate(plan.sources):
        assert entry.first_repeat is not None
        assert sampler.place(entry.first_repeat)[:3] == (number, 1, 0)


def test_repeats_and_sources_smaller_than_a_batch_are_warned_about(tmp_path: Path) -> None:
    _, mixture = make_mixture(tmp_path, {"web": 9, "wiki": 1}, tokens=400_000)
    plan = plan_mixture(mixture, batch=1000, repeat_limit=4)
    assert [warning.split(",")[0] for warning in plan.warnings] == [
        f"source `web` is seen {plan.sources[0].epochs:.2f} times",
        f"source `web` has {plan.sources[0].windows} windows",
        f"source `wiki` has {plan.sources[1].windows} windows",
    ]
    assert plan.to_text().count("warning: ") == 3


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"sources": {}}, "`sources` must map names"),
        ({"sources": {"a": 3}}, "source `a` must have `tokens`"),
        ({"sources": {"a": {"tokens": 5000}}}, "source `a`: give either `weight` or `epochs`"),
        ({"sources": {"a": {"tokens": "many", "weight": 1}}}, "source `a`: tokens is 'many'"),
        ({"sources": {"a": {"tokens": 10, "weight": 1}}}, "source `a` has no whole window"),
        (
            {"sources": {"a": {"tokens": 5000, "weigth": 1}}},
            "source `a`: unknown key `weigth`; known keys: epochs",
        ),
        ({"source": {}}, "unknown key `source`"),
    ],
)
def test_a_wrong_description_is_refused(spec, message: str) -> None:
    with pytest.raises(MixtureError, match=message):
        plan_spec(spec)

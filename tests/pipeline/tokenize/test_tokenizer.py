"""Which tokenizer is loaded, and what its fingerprint covers."""

import json
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.tokenize import tokenizer as module
from pipeline.tokenize.tokenizer import load_tokenizer


def saved(path: Path, **changes: object) -> Path:
    """GPT-2 as a tokenizer.json, with changes."""
    raw = json.loads(load_tokenizer("gpt2").base.to_str())
    path.write_text(json.dumps(raw | changes))
    return path


def test_gpt2_has_the_published_size_and_end_of_text() -> None:
    gpt2 = load_tokenizer("gpt2")
    assert (gpt2.vocabulary_size, gpt2.eos_id, gpt2.name) == (50257, 50256, "gpt2")
    # From OpenAI's own example for GPT-2's encoder.
    assert gpt2.base.encode("Hello world").ids == [15496, 995]


def test_the_same_vocabulary_has_the_same_fingerprint_in_any_layout(tmp_path: Path) -> None:
    gpt2 = load_tokenizer("gpt2")
    raw = json.loads(gpt2.base.to_str())
    raw["model"]["merges"] = [
        " ".join(pair) for pair in raw["model"]["merges"]
    ]  # as written before tokenizers 0.20
    raw["model"]["vocab"] = dict(reversed(raw["model"]["vocab"].items()))
    path = tmp_path / "old.json"
    path.write_text(json.dumps(raw, indent=3))
    assert load_tokenizer(str(path)).fingerprint == gpt2.fingerprint


def test_another_split_of_text_has_another_fingerprint(tmp_path: Path) -> None:
    other = saved(
        tmp_path / "other.json",
        pre_tokenizer={
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
    )
    assert load_tokenizer(str(other)).fingerprint != load_tokenizer("gpt2").fingerprint


def test_a_special_token_that_is_registered_is_not_made_from_text(tmp_path: Path) -> None:
    special = {
        "id": 50256,
        "content": "<|endoftext|>",
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    path = saved(tmp_path / "special.json", added_tokens=[special])
    loaded = load_tokenizer(str(path))
    assert loaded.eos_id == 50256
    assert 50256 not in loaded.base.encode("a<|endoftext|>b", add_special_tokens=False).ids
    assert loaded.fingerprint == load_tokenizer("gpt2").fingerprint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; expected `gpt2` or the path of a tokenizer.json"),
        (b"{}", "not a tokenizer.json that `tokenizers` can read"),
        (b"\x00\xff", "not a tokenizer.json that `tokenizers` can read"),
        (b'{"version":"1.0","model":{"type":"BPE","vocab":{},"merges":[]}}', "its vocabulary is empty"),
        (
            b'{"version":"1.0","model":{"type":"BPE","vocab":{"a":0},"merges":[]}}',
            "no end-of-text token; looked for",
        ),
    ],
)
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        load_tokenizer(str(path))


def test_an_end_of_text_token_can_be_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "named.json")
    assert load_tokenizer(str(path), eos="!").eos_id == 0
    with pytest.raises(UsageError, match="looked for <nothing>"):
        load_tokenizer(str(path), eos="<nothing>")


def test_a_vocabulary_that_is_not_the_published_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GPT2_FILES", dict.fromkeys(module.GPT2_FILES, "0" * 64))
    with pytest.raises(UsageError, match=r"encoder.json: expected SHA-256 0{64}, found 1961396"):
        module.gpt2_files()

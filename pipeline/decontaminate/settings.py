"""What a benchmark and the filter can be told, with the defaults of each preset."""

import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from pipeline.errors import UsageError

Mode = Literal["split", "drop", "ratio", "tag"]
Unit = Literal["line", "paragraph", "file"]

MAX_NGRAM = 64
_FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class BenchmarkSettings:
    """How the files of one benchmark are read and guarded."""

    text: str = "text"  # the field that holds an example's text
    template: str | None = None  # in its place: fields in braces, as in `{question} {choices} {answer}`
    id: str = "id"
    n: int | None = None  # words of an n-gram in the filter; None: the preset's
    analysis_n: int | None = (
        None  # in the report; None: the 5th percentile of the examples' words, clipped to 8..13
    )
    synthetic: bool = False  # made by a rule (word scrambling): n of the report may be as small as 2
    unit: Unit = "line"  # of plain text: what an example is
    max_example_bytes: int = 16 << 20

    def __post_init__(self) -> None:
        for name, low in (("n", 1), ("analysis_n", 1)):
            value = getattr(self, name)
            if value is not None and not low <= value <= MAX_NGRAM:
                raise UsageError(
                    f"benchmark setting `{name}`: must lie between {low} and {MAX_NGRAM}, got {value}"
                )
        if self.unit not in get_args(Unit):
            raise UsageError(
                f"benchmark setting `unit`: expected one of {', '.join(get_args(Unit))}, got {self.unit}"
            )
        if self.template is not None and not self.template_fields:
            raise UsageError(
                "benchmark setting `template`: names no field; write fields in braces, as in `{question} {answer}`"
            )

    @property
    def template_fields(self) -> list[str]:
        """Fields that the template names."""
        return _FIELD.findall(self.template or "")

    @classmethod
    def from_dict(cls, values: dict[str, Any], place: str) -> "BenchmarkSettings":
        """Make settings from a recipe or file.

        Raises:
            UsageError: an unknown key or a value that is none; names `place`.
        """
        from difflib import get_close_matches

        known = {field.name: field for field in fields(cls)}
        for key, value in values.items():
            if key not in known:
                near = get_close_matches(str(key), list(known), n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
                raise UsageError(f"{place}: unknown key `{key}`; {hint}")
            if not _fits(key, value):
                raise UsageError(f"{place}: `{key}` cannot be {value!r}")
        try:
            return cls(**values)
        except UsageError as error:
            raise UsageError(f"{place}: {error}") from None


def _fits(key: str, value: Any) -> bool:
    if key in {"n", "analysis_n"}:
        return value is None or (isinstance(value, int) and not isinstance(value, bool))
    if key == "max_example_bytes":
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    if key == "synthetic":
        return isinstance(value, bool)
    return isinstance(value, str) or (key == "template" and value is None)


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """The rule that cuts; the defaults are GPT-3's (Brown et al. 2020, appendix C).

    The paper gives N = 13, 200 characters, pieces under 200 characters, more than 10 pieces and more than 10
    documents. Three readings are ours: the window lies on each side of the n-gram; pieces are counted before short
    ones are dropped; documents are counted over everything that is scanned.
    """

    mode: Mode = "split"
    ngram: int = 13
    window_chars: int = 200
    min_piece_chars: int = 200
    max_pieces: int = 10
    max_documents: int | None = 10  # n-grams found in more documents are ignored; None: none are
    min_ratio: float = (
        0.8  # mode `ratio`: share of an example's n-grams that a document must hold to be removed
    )
    analysis: bool = True  # also find what makes an example dirty, with an n for each benchmark
    characters: bool = False  # each Han, kana, Thai, ... character is a word of its own

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise UsageError(f"mode: expected one of {', '.join(get_args(Mode))}, got {self.mode}")
        if not 1 <= self.ngram <= MAX_NGRAM:
            raise UsageError(f"ngram: must lie between 1 and {MAX_NGRAM}, got {self.ngram}")
        for name in ("window_chars", "min_piece_chars", "max_pieces"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name}: must not be negative, got {getattr(self, name)}")
        if self.max_documents is not None and self.max_documents < 0:
            raise UsageError(f"max_documents: must not be negative, got {self.max_documents}")
        if not 0 < self.min_ratio <= 1:
            raise UsageError(f"min_ratio: must lie above 0 and at most at 1, got {self.min_ratio}")

    def to_dict(self) -> dict[str, Any]:
        """Return all values, as the report shows them."""
        return asdict(self)


PRESETS: dict[str, FilterSettings] = {
    "gpt3": FilterSettings(),
    "drop": FilterSettings(mode="drop"),
    "tag": FilterSettings(mode="tag", max_documents=None),
    "ratio": FilterSettings(mode="ratio", ngram=8, max_documents=None),
}


def preset(name: str, **changes: Any) -> FilterSettings:
    """Return a preset with some values changed; those that are None stay.

    Raises:
        UsageError: no such preset, or a value that is none.
    """
    if name not in PRESETS:
        raise UsageError(f"unknown preset `{name}`; known presets: {', '.join(PRESETS)}")
    return replace(PRESETS[name], **{key: value for key, value in changes.items() if value is not None})

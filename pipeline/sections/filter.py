"""What a web document must be to stay."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from pipeline.sections.section import Name, Section
from pipeline.units import Share

Preset = Literal[
    "gopher_quality",
    "gopher_repetition",
    "c4",
    "c4_paper",
    "c4_tfds",
    "c4_fineweb",
    "mc4",
    "fineweb",
    "lengths",
]


class Bounds(Section):
    """Other bounds for a rule of a preset."""

    min: float | None = None
    max: float | None = None


class CustomRule(Bounds):
    """A rule of one's own over a signal."""

    name: Name
    signal: str

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give `min`, `max` or both")
        return self


class Keep(Section):
    """Which scores stay; exactly one of the three."""

    pareto: float | None = Field(None, ge=0, description="keep if pareto(alpha) > 1 - score; GPT-3 took 9")
    threshold: float | None = Field(None, ge=0, le=1, description="keep scores of at least this")
    top_percent: float | None = Field(
        None, ge=0, le=100, description="keep this share of the source, exactly"
    )

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if sum(value is not None for value in (self.pareto, self.threshold, self.top_percent)) != 1:
            raise ValueError("give exactly one of `pareto`, `threshold` and `top_percent`")
        return self


class Quality(Section):
    """A classifier and what to do with its scores."""

    model: str = Field(description="name of a classifier of this recipe")
    keep: Keep | None = Field(None, description="null scores the documents and keeps all")


class Urls(Section):
    """What a URL must not be, or hold."""

    blocked_domains: list[str] = Field(
        [], description="lists (files, URLs, UT1 folders) of domains with all their hosts"
    )
    blocked_hosts: list[str] = Field([], description="lists of single hosts")
    blocked_urls: list[str] = Field([], description="lists of URLs with all below them")
    words: list[str] = Field([], description="one of these words in the URL removes")
    soft_words: list[str] = Field([], description="`min_soft_words` different ones remove")
    min_soft_words: PositiveInt = 2
    substrings: list[str] = Field([], description="of the URL's letters and digits")


class Filter(Section):
    """What a web document must be to stay; rules apply in this order."""

    languages: list[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]] | None = None
    min_language_score: Share = 0.5
    opt_out: list[str] = Field([], description="signals such as `noai` or `noindex` that remove a page")
    urls: Urls | None = None
    heuristics: list[Preset] = Field([], description="presets of rules, in the order in which they apply")
    thresholds: dict[str, Bounds] = Field({}, description="other bounds for rules of the presets, by name")
    rules: list[CustomRule] = Field([], description="rules of one's own, after the presets")
    quality: Quality | None = None

    @model_validator(mode="before")
    @classmethod
    def _quality_none(cls, raw: Any) -> Any:
        if (
            isinstance(raw, dict)
            and isinstance(raw.get("quality"), dict)
            and raw["quality"].get("keep") == "none"
        ):
            return {**raw, "quality": {**raw["quality"], "keep": None}}
        return raw

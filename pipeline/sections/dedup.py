"""Which copies, and which repeated lines, go."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from pipeline.sections.section import Section
from pipeline.units import Count, Share


class Repeats(Section):
    """Which lines, or runs of three sentences, go out of texts since other documents hold them too."""

    unit: Literal["line", "three_sentences"] = Field(
        "line", description="what is compared, by its words: CCNet's lines or C4's runs of three sentences"
    )
    max_documents: Count = Field(1, description="what more documents hold is cut")
    keep: Literal["best", "none"] = Field(
        "best", description="where it stays: in the best document that holds it, or nowhere"
    )


class Dedup(Section):
    """Which copies go: those with the same words, then those whose MinHash signatures agree."""

    exact: bool = Field(True, description="documents with the same words in the same order are copies")
    preset: Literal["fineweb", "strict", "gpt3"] | None = Field(
        "fineweb", description="bands of the near-duplicate search; null for exact copies only"
    )
    bands: PositiveInt | None = Field(None, description="instead of a preset: bands of a signature")
    rows: PositiveInt | None = Field(None, description="instead of a preset: rows of a band")
    verify: Share | None = Field(None, description="least signature agreement with the kept document")
    ngram: Annotated[int, Field(ge=1, le=100)] = Field(5, description="words of a shingle")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(1, description="of the hash functions")
    scope: Literal["source", "global"] = "global"
    priority: list[str] | None = Field(None, description="sources in the order in which their copy stays")
    protected: list[str] = Field([], description="sources of which nothing is dropped, only others for them")
    max_edges: Count = Field(
        100_000_000, description="edges that one process joins; beyond, rounds of Beam jobs"
    )

    urls: bool = Field(
        False, description="first: of pages with one address, spelt canonically, the best stays"
    )
    against: str | None = Field(
        None, description="workspace of a finished build: what it holds is dropped, by its stored keys alone"
    )
    keep_reference: bool = Field(
        True, description="store the keys of what stays, 120 bytes a document, for `against` and `increments`"
    )
    increments: bool = Field(
        False, description="parts once decided stay as they are; new ones are compared with their stored keys"
    )
    repeats: Repeats | None = Field(
        None, description="last: lines or runs of sentences that several documents hold are cut out of texts"
    )

    @model_validator(mode="after")
    def _bands_and_rows_together(self) -> Self:
        if (self.bands is None) != (self.rows is None):
            raise ValueError("`bands` and `rows` belong together")
        if self.increments and (self.scope == "source" or not self.keep_reference):
            raise ValueError(
                "`increments` compares with all that is held: it needs `scope: global` and `keep_reference`"
            )
        if self.increments and self.repeats is not None:
            raise ValueError(
                "`increments` leaves decided parts as they are, and `repeats` counts lines over all parts: leave one out"
            )
        return self

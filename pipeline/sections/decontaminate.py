"""Which benchmark text is cut out."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from pipeline.sections.section import Section
from pipeline.units import Share


class Decontaminate(Section):
    """Which benchmark text is cut out, and how; the defaults of each number are the preset's."""

    benchmarks: list[str] = Field(
        min_length=1, description="files, globs or folders of examples (`id`, `text`)"
    )
    preset: Literal["gpt3", "drop", "ratio", "tag"] = "gpt3"
    ngram: PositiveInt | None = Field(None, description="words of an n-gram; gpt3: 13")
    window_chars: Annotated[int, Field(ge=0)] | None = Field(
        None, description="cut on each side of a match; gpt3: 200"
    )
    min_piece_chars: Annotated[int, Field(ge=0)] | None = Field(
        None, description="shorter pieces are dropped; gpt3: 200"
    )
    max_pieces: Annotated[int, Field(ge=0)] | None = Field(
        None, description="more pieces remove the document; gpt3: 10"
    )
    max_documents: Annotated[int, Field(ge=0)] | None = Field(
        None, description="n-grams found in more documents are ignored; gpt3: 10"
    )
    min_ratio: Share | None = Field(None, description="preset ratio: share of an example that removes")
    template: str | None = Field(
        None, description="text of an example, as in `{question} {choices} {answer}`"
    )
    settings: dict[str, dict[str, Any]] = Field(
        {}, description="settings by benchmark: text, template, n, ..."
    )

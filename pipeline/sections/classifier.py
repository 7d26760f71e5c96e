"""What a quality classifier is trained on, and how."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.sections.section import Section
from pipeline.units import Count


class Classifier(Section):
    """A quality classifier: trained by the build on its own sources, or read from a folder."""

    kind: Literal["logistic", "fasttext"] = "logistic"
    positives: list[str] | None = Field(
        None, min_length=1, description="sources of good text; default: role positive"
    )
    negatives: list[str] | None = Field(
        None, min_length=1, description="sources of raw crawl; default: the others"
    )
    path: str | None = Field(None, description="folder of a trained model, instead of training one")
    features: Literal["prose", "root", "counts", "l2"] = Field(
        "prose",
        description="logistic: what is made of word counts; `counts` as they are, as in GPT-3's filter",
    )
    documents_per_class: Count = 10_000
    max_chars: Count = Field(5000, description="longer documents give pieces of this length")
    quantise: bool = Field(False, description="fasttext: a smaller file")

    @model_validator(mode="after")
    def _trained_or_read(self) -> Self:
        if self.path is not None and (self.positives or self.negatives):
            raise ValueError(
                "give `path` to read a trained model, or `positives` and `negatives` to train one"
            )
        return self

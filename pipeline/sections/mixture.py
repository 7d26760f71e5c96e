"""How tokens become shards, and shards what a run sees."""

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from mixtures.errors import MixtureError
from mixtures.weights import exact
from pipeline.sections.section import Section
from pipeline.units import Count, Share


class Shards(Section):
    """How token shards are cut."""

    tokens: Count = Field(100_000_000, description="a shard closes at the first document border past this")
    validation: Share = Field(
        0.0, description="share of documents held out, by a hash of their id; they never enter training"
    )


def _exact(value: Any) -> str:
    """Keep a positive number as it is written: `0.1` is one tenth, and `1/3` is allowed."""
    text = repr(value) if isinstance(value, float) else str(value)
    try:
        exact(text, "it")
    except MixtureError:
        remedy = "; leave the source out instead" if value == 0 else ""
        raise ValueError(
            f"expected a positive number such as 22, 0.1 or 1/3, found {text if isinstance(value, float) else repr(value)}{remedy}"
        ) from None
    return text


Exact = Annotated[str, BeforeValidator(_exact, json_schema_input_type=float | str)]


class Mixture(Section):
    """What a run sees of each source: shares of its samples, passes over a source, or some of both."""

    weights: dict[str, Exact] = Field({}, description="shares of training samples, on any scale")
    epochs: dict[str, Exact] = Field({}, description="passes over a source, instead of a weight")
    sequence_length: PositiveInt = 2048
    tokens: Count | None = Field(
        None, description="of the whole run; default: the epochs asked for, or what repeats no source"
    )

    @property
    def sources(self) -> list[str]:
        """Names of the sources, those with weights first."""
        return [*self.weights, *self.epochs]

    @model_validator(mode="after")
    def _each_source_once(self) -> Self:
        if not self.sources:
            raise ValueError("give `weights`, `epochs`, or some sources in each")
        twice = sorted(self.weights.keys() & self.epochs.keys())
        if twice:
            raise ValueError(f"source `{twice[0]}` has both a weight and epochs; give one of them")
        if self.weights and self.epochs and self.tokens is None:
            raise ValueError("weights and epochs in one mixture need `tokens`, the size of the whole run")
        if self.tokens is not None and self.tokens < self.sequence_length:
            raise ValueError(
                f"`tokens` is {self.tokens:,}, less than one sample of {self.sequence_length:,} (`sequence_length`)"
            )
        return self

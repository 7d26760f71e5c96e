"""A whole recipe: its sections, and names that must lead from one to another."""

from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.sections.classifier import Classifier
from pipeline.sections.decontaminate import Decontaminate
from pipeline.sections.dedup import Dedup
from pipeline.sections.extract import Extract
from pipeline.sections.filter import Filter
from pipeline.sections.mixture import Mixture, Shards
from pipeline.sections.section import Name, Section
from pipeline.sections.source import Source
from pipeline.units import Share


class Limits(Section):
    """When a build counts as failed."""

    max_failed: Share = Field(0.05, description="share of records that may end as `failed`")


class Root(Section):
    """A whole recipe."""

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    sources: dict[Name, Source] = Field(min_length=1)
    extract: Extract = Extract()
    filters: dict[Name, Filter] = Field({})
    classifiers: dict[Name, Classifier] = Field({})
    language_model: str | None = Field(
        None, description="another fastText language model; default lid.176.ftz"
    )
    language_engine: Literal["fasttext", "cld2"] = Field(
        "fasttext", description="cld2 is three times as fast"
    )
    dedup: Dedup = Dedup()
    decontaminate: Decontaminate | None = None
    tokenizer: str = Field("gpt2", description="`gpt2` or the path of a tokenizer.json")
    shards: Shards = Shards()
    mixtures: dict[Name, Mixture] = Field({})
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> Self:
        """Collect every name that leads nowhere; each line begins with the key that holds it."""
        problems = []
        for name, source in self.sources.items():
            if source.filter != "none" and source.filter not in self.filters:
                near = _nearest(source.filter, [*self.filters, "none"])
                problems.append(f"sources.{name}.filter: no filter `{source.filter}`{near}")
            if source.pages_of is not None:
                others = [key for key, other in self.sources.items() if other.pages_of is None]
                if source.pages_of not in others:
                    near = _nearest(source.pages_of, others)
                    problems.append(f"sources.{name}.pages_of: no source `{source.pages_of}`{near}")
        for name, rules in self.filters.items():
            if rules.quality is not None and rules.quality.model not in self.classifiers:
                wanted = rules.quality.model
                near = _nearest(wanted, list(self.classifiers))
                problems.append(f"filters.{name}.quality.model: no classifier `{wanted}`{near}")
        for place, names in [
            *(
                (f"classifiers.{name}.positives", model.positives or [])
                for name, model in self.classifiers.items()
            ),
            *(
                (f"classifiers.{name}.negatives", model.negatives or [])
                for name, model in self.classifiers.items()
            ),
            ("dedup.priority", self.dedup.priority or []),
            ("dedup.protected", self.dedup.protected),
            *((f"mixtures.{name}.weights", list(mixture.weights)) for name, mixture in self.mixtures.items()),
            *((f"mixtures.{name}.epochs", list(mixture.epochs)) for name, mixture in self.mixtures.items()),
        ]:
            problems += [
                f"{place}: no source `{wanted}`{_nearest(wanted, list(self.sources))}"
                for wanted in names
                if wanted not in self.sources
            ]
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    if not known:
        return "; there are none"
    return f"; did you mean `{near[0]}`?" if near else f"; known: {', '.join(known)}"

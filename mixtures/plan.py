"""What a mixture means before anything is trained: samples, epochs and repeats of every source."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mixtures.errors import MixtureError
from mixtures.mixture import Mixture, default_samples, solve_weights
from mixtures.sampler import Sampler, window_count
from mixtures.weights import Number

REPEAT_LIMIT = (
    4.0  # epochs; beyond, repeated tokens are worth clearly less than new ones (Muennighoff et al. 2023)
)
_SPEC_KEYS = {"name", "tokens", "sequence_length", "seed", "repeat_limit", "sources", "note"}
_SOURCE_KEYS = {"tokens", "weight", "epochs", "printed_epochs", "note"}


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """One source in a run."""

    source: str
    tokens: int
    windows: int  # samples in one epoch
    given: str  # what was asked for, e.g. "weight 22"
    weight: int  # exact integer share of a period
    share: float  # of all samples, realised
    samples: int  # realised
    epochs: float  # realised: samples / windows
    first_repeat: int | None  # number of the first sample that shows a window again; None if none does


@dataclass(frozen=True, slots=True)
class Plan:
    """A run in numbers."""

    name: str
    sequence_length: int
    samples: int
    period: int
    sources: tuple[SourcePlan, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self) | {"tokens": self.samples * self.sequence_length}

    def to_text(self) -> str:
        """A table for people, and the warnings below it."""
        head = (
            "source",
            "tokens",
            "windows",
            "given",
            "weight",
            "share",
            "samples",
            "epochs",
            "first repeat at sample",
        )
        rows = [
            (
                entry.source,
                f"{entry.tokens:,}",
                f"{entry.windows:,}",
                entry.given,
                f"{entry.weight}/{self.period}",
                f"{entry.share:.2%}",
                f"{entry.samples:,}",
                f"{entry.epochs:.3f}",
                "-" if entry.first_repeat is None else f"{entry.first_repeat:,}",
            )
            for entry in self.sources
        ]
        total = sum(entry.tokens for entry in self.sources)
        rows.append(("total", f"{total:,}", "", "", "", "", f"{self.samples:,}", "", ""))
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(width) if column in (0, 3) else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (head, *rows)
        ]
        summary = (
            f"mixture {self.name}: {self.samples:,} samples of {self.sequence_length:,} tokens "
            f"= {self.samples * self.sequence_length:,} tokens"
        )
        return "\n".join([summary, *lines, *(f"warning: {warning}" for warning in self.warnings)])


def plan_mixture(mixture: Mixture, *, batch: int = 1, repeat_limit: float = REPEAT_LIMIT) -> Plan:
    """Plan of a mixture file.

    Args:
        mixture: as read from its file.
        batch: samples of the largest training step; a source with fewer windows repeats inside one.
        repeat_limit: epochs above which a source is warned about.
    """
    given = {source.name: " ".join(next(iter(source.given.items()))) for source in mixture.sources}
    return _plan(
        mixture.name,
        mixture.sampler(),
        {source.name: source.tokens for source in mixture.sources},
        given,
        sequence_length=mixture.sequence_length,
        samples=mixture.samples,
        weight_error=mixture.weight_error,
        batch=batch,
        repeat_limit=repeat_limit,
    )


def mixture_spec(mixture: Mixture) -> dict[str, Any]:
    """Describe a mixture file as `plan_spec` takes it, to try other weights, epochs or sizes on its sources."""
    return {
        "name": mixture.name,
        "seed": mixture.seed,
        "sequence_length": mixture.sequence_length,
        "tokens": mixture.tokens,
        "sources": {source.name: {"tokens": source.tokens, **source.given} for source in mixture.sources},
    }


def plan_spec(spec: Mapping[str, Any], *, batch: int = 1, repeat_limit: float | None = None) -> Plan:
    """Plan of sources known by size alone, such as `mixtures/gpt3.yaml`; reads no data.

    Args:
        spec: `name`, `tokens` of the run, `sequence_length`, `sources: {name: {tokens, weight | epochs}}`.
        batch: as in `plan_mixture`.
        repeat_limit: as in `plan_mixture`; default: the spec's own.

    Raises:
        MixtureError: a key is missing, unknown or of the wrong kind; names it.
    """
    _only(spec, _SPEC_KEYS, "mixture")
    name = str(spec.get("name", "mixture"))
    sources = spec.get("sources")
    if not isinstance(sources, Mapping) or not sources:
        raise MixtureError(f"mixture `{name}`: `sources` must map names to tokens and weight or epochs")
    length = _whole(spec.get("sequence_length", 2048), f"mixture `{name}`: sequence_length")
    tokens: dict[str, int] = {}
    forms: dict[str, dict[str, Number]] = {"weight": {}, "epochs": {}}
    for source, about in sources.items():
        if not isinstance(about, Mapping):
            raise MixtureError(
                f"mixture `{name}`: source `{source}` must have `tokens` and `weight` or `epochs`"
            )
        _only(about, _SOURCE_KEYS, f"source `{source}`")
        tokens[source] = _whole(about.get("tokens"), f"source `{source}`: tokens")
        stated = [form for form in forms if form in about]
        if len(stated) != 1:
            raise MixtureError(f"source `{source}`: give either `weight` or `epochs`")
        forms[stated[0]][source] = about[stated[0]]
    windows = {source: window_count(count, length) for source, count in tokens.items()}
    asked = None if "tokens" not in spec else _whole(spec["tokens"], f"mixture `{name}`: tokens") // length
    solved = solve_weights(forms["weight"], forms["epochs"], windows, samples=asked)
    return _plan(
        name,
        Sampler(solved.weights, windows, seed=int(spec.get("seed", 0))),
        tokens,
        {source: f"{form} {value}" for form, values in forms.items() for source, value in values.items()},
        sequence_length=length,
        samples=asked or default_samples(solved, {} if forms["weight"] else forms["epochs"], windows),
        weight_error=solved.error,
        batch=batch,
        repeat_limit=float(spec.get("repeat_limit", REPEAT_LIMIT)) if repeat_limit is None else repeat_limit,
    )


def _plan(
    name: str,
    sampler: Sampler,
    tokens: Mapping[str, int],
    given: Mapping[str, str],
    *,
    sequence_length: int,
    samples: int,
    weight_error: float,
    batch: int,
    repeat_limit: float,
) -> Plan:
    counts = sampler.counts(samples)
    entries = tuple(
        SourcePlan(
            source=source,
            tokens=tokens[source],
            windows=windows,
            given=given[source],
            weight=weight,
            share=count / samples,
            samples=count,
            epochs=count / windows,
            first_repeat=sampler.sample_of(number, windows) if count > windows else None,
        )
        for number, (source, weight, windows, count) in enumerate(
            zip(sampler.names, sampler.weights, sampler.windows, counts, strict=True)
        )
    )
    warnings = [
        f"source `{entry.source}` is seen {entry.epochs:.2f} times, more than the limit of {repeat_limit:g} epochs"
        for entry in entries
        if entry.epochs > repeat_limit
    ]
    warnings += [
        f"source `{entry.source}` has {entry.windows:,} windows, fewer than the {batch:,} samples of one batch"
        for entry in entries
        if entry.windows < batch
    ]
    if weight_error:
        warnings.append(
            f"weights were rounded to a period of {sampler.period:,}; shares are off by up to {weight_error:.1e}"
        )
    return Plan(name, sequence_length, samples, sampler.period, entries, tuple(warnings))


def _only(given: Mapping[str, Any], known: set[str], what: str) -> None:
    for key in given:
        if key not in known:
            raise MixtureError(f"{what}: unknown key `{key}`; known keys: {', '.join(sorted(known))}")


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise MixtureError(f"{what} is {value!r}; expected a positive whole number")
    return value

"""From the recipe's `dedup` section to bands and scheme."""

from collections.abc import Container
from dataclasses import replace

from pipeline.dedup.bands import PRESETS, Bands
from pipeline.dedup.scheme import Scheme
from pipeline.sections import Dedup, Root


def minhash_bands(settings: Dedup) -> Bands | None:
    """Return the bands of the near-duplicate search, or None when only exact copies are looked for."""
    if settings.bands is not None and settings.rows is not None:
        return Bands(settings.bands, settings.rows, 0.7 if settings.verify is None else settings.verify)
    if settings.preset is None:
        return None
    preset = PRESETS[settings.preset]
    return preset if settings.verify is None else replace(preset, verify=settings.verify)


def minhash_scheme(settings: Dedup) -> Scheme | None:
    """Return how signatures are made, or None when there are none."""
    bands = minhash_bands(settings)
    return (
        None
        if bands is None
        else Scheme(num_hashes=bands.num_hashes, seed=settings.seed, ngram=settings.ngram)
    )


def source_order(root: Root, names: Container[str]) -> list[str]:
    """Put sources in the order in which their copy stays: those of `priority`, then others of `names` as the recipe has them."""
    first = root.dedup.priority or []
    return [*first, *(name for name in root.sources if name in names and name not in first)]


def describe_dedup(settings: Dedup) -> str:
    """One line for a plan: what is looked for, and the probability of finding it by similarity."""
    bands = minhash_bands(settings)
    levels = [
        *(["pages of one address"] if settings.urls else []),
        *(["exact copies"] if settings.exact else []),
        *([bands.describe()] if bands is not None else []),
    ]
    reach = "over all sources" if settings.scope == "global" else "within each source"
    held = f"; against what {settings.against} holds" if settings.against else ""
    return f"{', '.join(levels) or 'nothing'}, {reach}{held}{_describe_repeats(settings)}"


def _describe_repeats(settings: Dedup) -> str:
    repeats = settings.repeats
    if repeats is None:
        return ""
    what = "lines" if repeats.unit == "line" else "runs of three sentences"
    held = f"more than {repeats.max_documents:,} document{'s' if repeats.max_documents > 1 else ''}"
    stays = "stay in the best of them" if repeats.keep == "best" else "go out of all of them"
    return f"; {what} that {held} hold{'' if repeats.max_documents > 1 else 's'} {stays}"

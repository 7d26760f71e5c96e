"""From the recipe's `dedup` section to bands and scheme."""

from collections.abc import Container
from dataclasses import replace

from pipeline.dedup.bands import PRESETS, SHOWN, Bands, held_probability
from pipeline.dedup.scheme import Scheme
from pipeline.errors import UsageError
from pipeline.sections.dedup import Dedup
from pipeline.sections.root import Root

# Hits of different documents add up: of 3,000 real documents looked up in as many others, 1 row made 592 false candidates,
# 2 rows 210, 4 rows 24, 8 rows 3; their number grows with what is held.
MIN_HELD_ROWS = 4


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


def require_strong_bands(settings: Dedup) -> None:
    """See that shared bands are evidence where keys are all that is left of documents.

    Raises:
        UsageError: the recipe looks up what an earlier build holds by bands of too few rows.
    """
    key = "against" if settings.against is not None else "increments" if settings.increments else None
    bands = minhash_bands(settings)
    if key is not None and bands is not None and bands.rows < MIN_HELD_ROWS:
        raise UsageError(
            f"dedup.{key}: bands of {bands.rows} row{'s' if bands.rows > 1 else ''} are shared by texts that have little"
            f" in common, and keys alone cannot tell; use bands of {MIN_HELD_ROWS} rows or more (presets `fineweb`,"
            " `strict`), or `preset: null` for exact copies only"
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
    if bands is not None and (settings.against or settings.increments):
        chances = ", ".join(f"{held_probability(j, bands):.3f} at {j}" for j in SHOWN)
        held += (
            f"; copies of what is held are those that share {bands.least_shared} of {bands.bands} bands with it, with"
            f" probability {chances}"
        )
    return f"{', '.join(levels) or 'nothing'}, {reach}{held}{_describe_repeats(settings)}"


def _describe_repeats(settings: Dedup) -> str:
    repeats = settings.repeats
    if repeats is None:
        return ""
    what = "lines" if repeats.unit == "line" else "runs of three sentences"
    held = f"more than {repeats.max_documents:,} document{'s' if repeats.max_documents > 1 else ''}"
    stays = "stay in the best of them" if repeats.keep == "best" else "go out of all of them"
    return f"; {what} that {held} hold{'' if repeats.max_documents > 1 else 's'} {stays}"

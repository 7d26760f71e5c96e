"""The validation split: which documents never enter training."""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from mixtures.errors import MixtureError

_SCALE = 1 << 53


def is_validation(ids: Iterable[str], *, seed: int, fraction: float) -> npt.NDArray[np.bool_]:
    """Say which documents are held out: (n,).

    A document's draw is a keyed hash of its id alone: it stays where it is when other documents come or go, in every
    rebuild and in every source. Pieces of one document share its id and so its side.

    Args:
        ids: of the documents.
        seed: of the recipe.
        fraction: of documents to hold out, 0 to 1.

    Raises:
        MixtureError: the fraction is no share.
    """
    if not 0 <= fraction <= 1:
        raise MixtureError(f"validation is {fraction}; expected a fraction of the documents between 0 and 1")
    key = hashlib.blake2b(str(seed).encode(), digest_size=32).digest()
    draws = (
        hashlib.blake2b(
            name.encode("utf-8", "surrogatepass"), digest_size=8, key=key, person=b"crawlmix-valid"
        ).digest()
        for name in ids
    )
    numbers = np.frombuffer(b"".join(draws), dtype="<u8") >> np.uint64(11)  # 53 bits: exact as a float
    return numbers < np.uint64(round(fraction * _SCALE))

"""Numbers drawn from document ids by a keyed hash: the same for any order, batch and worker."""

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from classifiers.errors import ClassifierError

_PERSON = b"crawlmix-keyed"
_NULL = b"\xff"  # no byte of UTF-8, so a null id draws its own number


def keyed_hashes(ids: pa.Array | pa.ChunkedArray, *, seed: int, purpose: str) -> npt.NDArray[np.uint64]:
    """Draw a 64-bit number for each of n document ids: (n,).

    The number is BLAKE2b of the id under the key (seed, purpose), read as a little-endian integer. Two purposes
    draw independent numbers, so a sample does not bias the keep rule that is applied to it later.

    Args:
        ids: (n,) strings.
        seed: of the build, below 2**64.
        purpose: what is drawn, at most 48 bytes in UTF-8; the name of the rule.

    Raises:
        ClassifierError: the seed or the purpose does not fit into the key.
    """
    name = purpose.encode()
    if not 0 <= seed < 1 << 64 or len(name) > 48:
        raise ClassifierError(
            f"seed {seed} must be 0 to 2**64 - 1, and the name `{purpose}` at most 48 bytes long"
        )
    keyed = hashlib.blake2b(digest_size=8, key=seed.to_bytes(8, "little") + name, person=_PERSON)
    digests = []
    for value in ids.cast(pa.large_binary()).to_pylist():
        one = keyed.copy()
        one.update(_NULL if value is None else value)
        digests.append(one.digest())
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64, copy=False)


def uniform(ids: pa.Array | pa.ChunkedArray, *, seed: int, purpose: str) -> npt.NDArray[np.float64]:
    """Draw a uniform number in [0, 1) for each of n document ids: (n,), multiples of 2**-53."""
    return (keyed_hashes(ids, seed=seed, purpose=purpose) >> np.uint64(11)).astype(np.float64) * 2.0**-53

"""A shuffle that needs no memory: a keyed Feistel network that maps [0, size) onto itself."""

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt

UInt64s = npt.NDArray[np.uint64]

ROUNDS = 6
_M1, _M2 = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53  # MurmurHash3's 64-bit finaliser
_MASK = (1 << 64) - 1


@lru_cache(maxsize=4096)
def round_keys(seed: int, source: str, epoch: int) -> tuple[int, ...]:
    """(ROUNDS,) 64-bit keys; a hash of all that names the shuffle, so that no two shuffles share them by arithmetic."""
    name = f"{seed}\0{epoch}\0{source}".encode()
    digest = hashlib.blake2b(name, digest_size=8 * ROUNDS, person=b"crawlmix-perm").digest()
    return tuple(int.from_bytes(digest[8 * r : 8 * r + 8], "little") for r in range(ROUNDS))


def permute(index: UInt64s, size: int, keys: UInt64s) -> UInt64s:
    """Map positions to positions, one to one: (n,) below `size` to (n,) below `size`.

    Args:
        index: (n,) positions.
        size: of the range that is shuffled, 1 to 2 ** 62.
        keys: (ROUNDS,) or (ROUNDS, n) round keys.

    A balanced Feistel network shuffles the next power of four; who lands outside the range walks on until inside,
    which takes at most four steps on average.
    """
    if size == 1:
        return np.zeros_like(index)
    half, mask = _halves(size)
    out = _network(index, half, mask, keys)
    outside = np.flatnonzero(out >= size)
    while len(outside):
        moved = _network(out[outside], half, mask, keys if keys.ndim == 1 else keys[:, outside])
        out[outside] = moved
        outside = outside[moved >= size]
    return out


def permute_one(index: int, size: int, keys: tuple[int, ...]) -> int:
    """`permute` for a single position, without the cost of arrays."""
    if size == 1:
        return 0
    half, mask = _halves(size)
    while True:
        left, right = index >> half, index & mask
        for key in keys:
            z = right ^ key
            z = ((z ^ (z >> 33)) * _M1) & _MASK
            z = ((z ^ (z >> 33)) * _M2) & _MASK
            left, right = right, left ^ ((z ^ (z >> 33)) & mask)
        index = (left << half) | right
        if index < size:
            return index


def _halves(size: int) -> tuple[int, int]:
    bits = max(2, (size - 1).bit_length())
    half = (bits + 1) // 2
    return half, (1 << half) - 1


def _network(index: UInt64s, half: int, mask: int, keys: UInt64s) -> UInt64s:
    shift, low = np.uint64(half), np.uint64(mask)
    left, right = index >> shift, index & low
    for key in keys:
        z = right ^ key
        z ^= z >> np.uint64(33)
        z *= np.uint64(_M1)
        z ^= z >> np.uint64(33)
        z *= np.uint64(_M2)
        z ^= z >> np.uint64(33)
        z &= low
        z ^= left
        left, right = right, z
    return (left << shift) | right

"""Hashes of stretches of bytes, case and all: equal stretches have equal hashes, wherever they stand."""

from text.buffers import Bytes, Hashes, Offsets
from text.hashes import P, _polynomials, fmix64
from text.random_bytes import RANDOM_BY_BYTE


def hash_spans(data: Bytes, starts: Offsets, ends: Offsets) -> Hashes:
    """Hash `data[starts[i]:ends[i]]` for each i: (n,) uint64.

    Args:
        data: any bytes.
        starts: (n,) rising.
        ends: (n,) rising, none before its start.
    """
    return fmix64(_polynomials(data, starts, ends, RANDOM_BY_BYTE, P))

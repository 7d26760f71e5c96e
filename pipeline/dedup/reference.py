"""Keys of documents that are already held: `against` an earlier build, and increments.

A folder of one sorted file of distinct uint64 for each band (112 bytes a document at 14 bands), one for the exact keys
of texts, and `reference.json`, which says how keys were made. Files are mapped, not read; building and merging
stream, so memory does not grow with them. Where only exact copies are looked for there are no bands.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from pipeline.dedup.bands import Bands
from pipeline.dedup.scheme import Scheme
from pipeline.errors import UsageError
from text.buffers import Hashes
from text.distinct import distinct

BLOCK_ROWS = 1 << 20  # of each file, held at once while merging

MANIFEST = "reference.json"  # written last
_EXACT = "exact.npy"
_STATED = {"scheme", "bands", "rows", "keys", "exact", "normaliser"}


@dataclass(frozen=True, slots=True)
class Reference:
    """Sorted distinct keys of each band and of the texts, mapped from files."""

    keys: tuple[Hashes, ...]
    exact: Hashes

    @classmethod
    def open(cls, folder: Path, scheme: Scheme | None, bands: Bands | None) -> Self:
        """Map a reference for look-up; without scheme and bands, for exact copies only.

        Raises:
            UsageError: there is none, it is damaged, or it was made with another scheme, other bands or another
                normaliser.
        """
        manifest = _read_manifest(folder)
        if manifest["normaliser"] != (ours := Scheme().normaliser):
            raise UsageError(
                f"{folder}: its texts were normalised by {manifest['normaliser']!r}, this build's by {ours!r};"
                " build the reference again"
            )
        exact = _map(folder / _EXACT, manifest["exact"])
        if scheme is None or bands is None:
            return cls((), exact)
        if manifest["scheme"] is None:
            raise UsageError(
                f"{folder}: holds exact copies only, without MinHash bands; use the same dedup preset for both builds"
            )
        scheme.require(Scheme.from_json(json.dumps(manifest["scheme"]), place=str(folder)), place=str(folder))
        if (found := (manifest["bands"], manifest["rows"])) != (bands.bands, bands.rows):
            raise UsageError(
                f"{folder}: holds {found[0]} bands of {found[1]} rows instead of {bands.bands} of {bands.rows};"
                " use the same dedup preset for both builds"
            )
        counts = enumerate(manifest["keys"])
        return cls(tuple(_map(folder / _name(band), count) for band, count in counts), exact)

    def contains_exact(self, keys: Hashes) -> npt.NDArray[np.bool_]:
        """Look up (n,) keys of texts: (n,) bool."""
        return _contains(self.exact, keys)

    def contains(self, keys: Hashes) -> npt.NDArray[np.bool_]:
        """Look up (n, bands) keys: (n, bands) bool."""
        found = np.zeros(keys.shape, bool)
        for band, known in enumerate(self.keys):
            found[:, band] = _contains(known, keys[:, band])
        return found


def write_reference(
    folder: Path,
    scheme: Scheme | None,
    bands: Bands | None,
    sources: Sequence[Sequence[Hashes]],
    exact: Sequence[Hashes] = (),
) -> None:
    """Merge sorted keys into a new reference; the folder appears when it is complete.

    Args:
        folder: does not exist yet.
        scheme: how the signatures behind the keys were made; None when there are none.
        bands: how they were cut; None when there are none.
        sources: for each band arrays of rising keys: `np.unique` of new ones, `Reference.keys[band]` of an earlier
            reference.
        exact: arrays of rising keys of texts.

    Raises:
        UsageError: the folder exists.
        ValueError: the number of bands does not fit, or keys do not rise.
    """
    expected = bands.bands if bands is not None else 0
    if len(sources) != expected:
        raise ValueError(f"keys of {len(sources)} bands, expected {expected}")
    if folder.exists():
        raise UsageError(f"{folder}: exists already; a reference is never changed in place")
    partial = folder.with_name(folder.name + ".partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    counts = [_write(partial / _name(band), merge_sorted(arrays)) for band, arrays in enumerate(sources)]
    manifest = {
        "scheme": json.loads(scheme.to_json()) if scheme is not None else None,
        "bands": expected,
        "rows": bands.rows if bands is not None else 0,
        "keys": counts,
        "exact": _write(partial / _EXACT, merge_sorted(exact)),
        "normaliser": Scheme().normaliser,
    }
    (partial / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    partial.rename(folder)


def merge_sorted(arrays: Sequence[Hashes], *, block_rows: int = BLOCK_ROWS) -> Iterator[Hashes]:
    """Merge arrays of rising uint64 into chunks of rising distinct values; holds `block_rows` of each array.

    Raises:
        ValueError: an array does not rise.
    """
    at = [0] * len(arrays)
    while True:
        blocks = {
            i: np.asarray(array[at[i] : at[i] + block_rows])
            for i, array in enumerate(arrays)
            if at[i] < len(array)
        }
        if not blocks:
            return
        if any((block[1:] < block[:-1]).any() for block in blocks.values()):
            raise ValueError("keys to merge must rise")
        # No array can still bring a value up to the least of the blocks' last values.
        until = min(block[-1] for block in blocks.values())
        taken = []
        for i, block in blocks.items():
            count = int(np.searchsorted(block, until, side="right"))
            if count == len(block):  # more of the same value may follow in the next block
                at[i] += count
                at[i] += int(np.searchsorted(arrays[i][at[i] :], until, side="right"))
            else:
                at[i] += count
            taken.append(block[:count])
        yield distinct(np.concatenate(taken))


def _contains(known: Hashes, asked: Hashes) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(asked), bool)
    if len(known):
        order = np.argsort(asked)  # rising questions touch the file's pages in order
        at = np.searchsorted(known, asked[order])
        at[at == len(known)] = 0
        found[order] = known[at] == asked[order]
    return found


def _name(band: int) -> str:
    return f"band-{band:03d}.npy"


def _write(path: Path, chunks: Iterator[Hashes]) -> int:
    """Write chunks as one .npy file; its header, which numpy pads for growth, is written again at the end."""
    count = 0
    with path.open("wb") as file:
        _write_header(file, 0)
        begin = file.tell()
        for chunk in chunks:
            file.write(chunk.astype("<u8", copy=False).tobytes())
            count += len(chunk)
        file.seek(0)
        _write_header(file, count)
        assert file.tell() == begin
    return count


def _write_header(file: BinaryIO, count: int) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "<u8", "fortran_order": False, "shape": (count,)})


def _map(path: Path, count: int) -> Hashes:
    try:
        keys = np.load(path, mmap_mode="r" if count else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(
            f"{path}: cannot be read as keys of a band ({error}); build the reference again"
        ) from error
    if keys.dtype != np.dtype("<u8") or keys.shape != (count,):
        raise UsageError(
            f"{path}: holds {keys.shape} of {keys.dtype}, expected {count} keys; build the reference again"
        )
    mapped: Hashes = keys
    return mapped


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder}: holds no {MANIFEST}; give the folder of a finished build's reference"
        ) from None
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON ({error}); build the reference again") from error
    if not isinstance(manifest, dict) or not manifest.keys() >= _STATED:
        raise UsageError(f"{path}: lacks what a reference states; build the reference again")
    return manifest

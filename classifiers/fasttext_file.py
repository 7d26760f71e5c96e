"""Is this file a whole fastText model? Asked before fastText's own loader sees it.

That loader trusts what it reads: cut off in the dictionary it reads for ever, cut off in a matrix it goes on with
whatever memory held, and a size in a forged header makes it reserve that much. This walk reads sizes, never weights.

Source: fastText 0.9.2, `FastText::loadModel` and the `load` methods that it calls.
"""

import mmap
import struct
from pathlib import Path

from classifiers.errors import ClassifierError

MAGIC = 793712314
VERSIONS = (11, 12)
SUPERVISED = 3
CENTROIDS = 256  # of each part of a quantised row
LABEL = 1  # kind of a dictionary entry; 0 is a word


class DamagedModelError(ClassifierError):
    """The bytes are not those of a whole supervised fastText model; the message says what is wrong, not where."""


def check_fasttext(path: Path) -> None:
    """Walk through a model file from its first byte to its last.

    Raises:
        DamagedModelError: not fastText's format, not supervised, cut off, or longer than its contents.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        if len(file.read(8)) < 8:
            raise DamagedModelError("not a fastText model")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _Walk(data).model()


class _Walk:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def model(self) -> None:
        magic, version = self._read("<ii")
        if magic != MAGIC:
            raise DamagedModelError("not a fastText model")
        if version not in VERSIONS:
            raise DamagedModelError(f"fastText format {version}, expected one of {VERSIONS}")
        settings = self._read("<12i")
        self._read("<d")
        if settings[7] != SUPERVISED:
            raise DamagedModelError("a fastText model without labels: it was not trained as a classifier")
        self._dictionary()
        quantised = self._flag()
        self._quantised_matrix() if quantised else self._matrix()
        output_quantised = self._flag()
        self._quantised_matrix() if quantised and output_quantised else self._matrix()
        if self._at != len(self._data):
            raise DamagedModelError(f"{len(self._data) - self._at} bytes too long")

    def _dictionary(self) -> None:
        size, words, labels, _, pruned = self._read("<iiiqq")
        if min(words, labels) < 0 or size != words + labels or not labels:
            raise DamagedModelError("damaged dictionary")
        for _ in range(size):
            end = self._data.find(b"\0", self._at)
            if end < 0:
                raise DamagedModelError("cut off in its dictionary")
            word = self._at
            self._at = end + 1
            (kind,) = self._read("<8xb")
            if kind == LABEL and not self._data[word:end].startswith(b"__label__"):
                raise DamagedModelError("a label does not begin with `__label__`")
        self._skip(max(pruned, 0) * 8)

    def _matrix(self) -> None:
        rows, columns = self._read("<qq")
        self._skip_product(rows, columns, 4)

    def _quantised_matrix(self) -> None:
        norms = self._flag()
        rows, _, codes = self._read("<qqi")
        self._skip_product(codes, 1, 1)
        self._quantiser()
        if norms:
            self._skip_product(rows, 1, 1)
            self._quantiser()

    def _quantiser(self) -> None:
        dim, *_ = self._read("<iiii")
        self._skip_product(dim, CENTROIDS, 4)

    def _flag(self) -> bool:
        (flag,) = self._read("<B")
        if flag > 1:
            raise DamagedModelError("damaged")
        return bool(flag)

    def _read(self, form: str) -> tuple[int, ...]:
        start = self._at
        self._skip(struct.calcsize(form))
        return struct.unpack_from(form, self._data, start)

    def _skip_product(self, rows: int, columns: int, width: int) -> None:
        if min(rows, columns) < 0:
            raise DamagedModelError("damaged matrix")
        self._skip(rows * columns * width)

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > len(self._data):
            raise DamagedModelError("cut off")

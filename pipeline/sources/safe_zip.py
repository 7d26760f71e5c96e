"""Zip archives from strangers, read in memory: sizes bounded, encryption and paths out of the archive refused."""

import lzma
import posixpath
import struct
import zipfile
import zlib
from typing import BinaryIO, Final

_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22 + 0xFFFF  # of the last record, with the longest comment
_ZIP64: Final = b"PK\x06\x07"
_MAX_DIRECTORY: Final = 8 << 20  # bytes: some 100,000 names
_MAX_RATIO: Final = 200  # text shrinks to a third, and empty pages to a hundredth
_FREE_BYTES: Final = 1 << 20  # below which no ratio is too large


class ZipError(Exception):
    """The archive cannot be read, or must not be; `rule` is what a record fails with."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class SafeZip:
    """Files of an archive by name. Names that are absolute or lead out of the archive do not exist.

    Args:
        stream: seekable.
        size: bytes of the archive.
        max_bytes: that all files read together may inflate to.

    Raises:
        ZipError: `bad_zip`: no archive, or one whose directory is damaged or too large.
    """

    def __init__(self, stream: BinaryIO, size: int, *, max_bytes: int) -> None:
        self._left = max_bytes
        stream.seek(max(0, size - _END_BYTES))
        tail = stream.read(_END_BYTES)
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < 22:
            raise ZipError("bad_zip", "the directory at the end of the archive is missing")
        (directory,) = struct.unpack_from("<I", tail, at + 12)
        if tail[max(0, at - 20) : at].startswith(_ZIP64) or directory > _MAX_DIRECTORY:
            raise ZipError("bad_zip", f"the directory is larger than {_MAX_DIRECTORY} bytes")
        try:
            self._zip = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
            # What `zipfile` raises of a hostile directory: the book counts as failed, with this as its reason.
            raise ZipError("bad_zip", _line(error)) from error
        self._infos = {name: info for info in self._zip.infolist() if (name := _inside(info.filename))}

    def __contains__(self, name: str) -> bool:
        return _inside(name) in self._infos

    def read(self, name: str) -> bytes:
        """Return the contents of a file.

        Raises:
            ZipError: `missing`, `encrypted`, `zip_bomb` (ratio or total size), `bad_zip` (damaged).
        """
        info = self._infos.get(_inside(name) or "")
        if info is None:
            raise ZipError("missing", f"no file `{name[:200]}` in the archive")
        if info.flag_bits & 1:
            raise ZipError("encrypted", f"`{name[:200]}` is encrypted")
        # What the directory says of sizes is not believed: what comes out is counted.
        limit = min(self._left, max(_FREE_BYTES, _MAX_RATIO * info.compress_size))
        try:
            with self._zip.open(info) as file:
                data = file.read(limit + 1)
        except (
            zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError, NotImplementedError,
        ) as error:  # fmt: skip
            # What `zipfile` and its decompressors raise of damaged or foreign content.
            raise ZipError("bad_zip", f"`{name[:200]}`: {_line(error)}") from error
        if len(data) > limit:
            raise ZipError("zip_bomb", f"`{name[:200]}` inflates to more than {limit} bytes")
        self._left -= len(data)
        return data


def _inside(name: str) -> str | None:
    """Return a name in its one spelling; None if it leads out of the archive."""
    name = name.replace("\\", "/")
    if name.startswith("/") or "\0" in name or ":" in name.partition("/")[0]:
        return None
    path = posixpath.normpath(name)
    return None if path == ".." or path.startswith("../") else path


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

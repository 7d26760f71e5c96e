"""Header lines of WARC records and HTTP messages, looked up without taking all of them apart."""

import re

BLANKS = b" \t\r\n\f"  # stripped from values
_NAME = re.compile(rb"[!-9;-~]+")
MAX_VALUE = 128 << 10  # bytes that a folded value may grow to


class HeaderFields:
    """`Name: value` lines of one block; names in any case, the first of equal names wins.

    A page's header has some twenty fields of which a handful matter, so each is searched when it is asked for: a
    quarter of the cost of a dictionary. Folded lines and blanks before a colon fall back to one.
    """

    __slots__ = ("_lower", "_odd", "raw")

    def __init__(self, raw: bytes) -> None:
        """Look at `raw`: the line end before the first field, and the fields without the blank line behind."""
        self.raw = raw
        self._lower = raw.lower()
        self._odd: dict[bytes, bytes] | None = None
        # Single bytes are found many times faster than pairs, and tabs are rare.
        if b"\n " in raw or b" :" in raw or (b"\t" in raw and (b"\n\t" in raw or b"\t:" in raw)):
            self._odd = _parse(raw)

    def get(self, key: bytes) -> bytes:
        r"""Return a field's value without the blanks around it; b"" if it is absent.

        Args:
            key: a line end, the name in lower case and a colon, as in b"\nwarc-type:".
        """
        if self._odd is not None:
            return self._odd.get(key[1:-1], b"")
        begin = self._lower.find(key)
        if begin < 0:
            return b""
        begin += len(key)
        end = self.raw.find(b"\n", begin)
        return (self.raw[begin:end] if end >= 0 else self.raw[begin:]).strip(BLANKS)


class Layout:
    """Names of a header's fields in order, as one writer repeats them, and where the wanted ones stand.

    `plain` says whether each line is one field: nothing is folded and no blank stands before a colon.
    """

    __slots__ = ("_places", "_starts", "plain")

    def __init__(self, lines: list[bytes], wanted: tuple[bytes, ...]) -> None:
        """Learn the layout of `lines`; `wanted` are names in lower case."""
        names = [line.partition(b":")[0] for line in lines]
        places: dict[bytes, tuple[int, int]] = {}
        for place, name in enumerate(names):
            places.setdefault(name.lower(), (place, len(name) + 1))
        self._starts = [name + b":" for name in names]
        self._places = [places.get(name, (-1, 0)) for name in wanted]
        self.plain = self.fits(lines) and all(map(_NAME.fullmatch, names))

    def fits(self, lines: list[bytes]) -> bool:
        """Say whether as many `lines` have this layout."""
        return all(map(bytes.startswith, lines, self._starts))

    def pick(self, lines: list[bytes]) -> tuple[bytes, ...]:
        """Return the wanted values without the blanks around them, b"" for those that are absent."""
        return tuple([lines[place][size:].strip(BLANKS) if size else b"" for place, size in self._places])


def _parse(raw: bytes) -> dict[bytes, bytes]:
    fields: dict[bytes, list[bytes]] = {}
    size = 0
    values: list[bytes] | None = None
    for line in raw.split(b"\n"):
        if line[:1] in {b" ", b"\t"}:
            if values is not None and size < MAX_VALUE:
                values.append(line.strip(BLANKS))
                size += len(line)
            continue
        name, colon, value = line.partition(b":")
        values = None
        if colon and (name := name.strip().lower()) not in fields:
            values = fields[name] = [value.strip(BLANKS)]
            size = len(value)
    return {name: b" ".join(values) for name, values in fields.items()}


def text(value: bytes) -> str:
    """Decode a header value: UTF-8, else latin-1 as HTTP once had it."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")

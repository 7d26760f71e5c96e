"""Header lines of WARC records and HTTP messages, looked up without taking all of them apart."""

from operator import itemgetter

BLANKS = b" \t\r\n\f"  # what FastWARC strips from values: both ways of reading must agree
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

    `size` is that of the names with what `name: value` lines have besides. `pick` takes the wanted values, in the
    order of `wanted`, from a tuple of all values and a b"" for those that are absent.
    """

    __slots__ = ("names", "pick", "size")

    def __init__(self, names: tuple[bytes, ...], wanted: tuple[bytes, ...]) -> None:
        places: dict[bytes, int] = {}
        for place, name in enumerate(names):
            places.setdefault(name.lower(), place)
        self.names = names
        self.size = sum(map(len, names)) + 4 * len(names)
        self.pick = itemgetter(*(places.get(name, -1) for name in wanted))


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

"""Header lines of WARC records and HTTP messages, looked up without taking all of them apart."""

from typing import Protocol

_BLANKS = b" \t\r\n\f"  # what FastWARC strips from values: both ways of reading must agree
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
        if b"\n " in raw or b"\n\t" in raw or b" :" in raw or b"\t:" in raw:
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
        return (self.raw[begin:end] if end >= 0 else self.raw[begin:]).strip(_BLANKS)


class Layout:
    """Names of a header's fields in order, as one writer repeats them: where each stands."""

    __slots__ = ("name_chars", "places")

    def __init__(self, names: tuple[bytes, ...]) -> None:
        self.name_chars = sum(map(len, names))
        self.places: dict[bytes, int] = {}
        for place, name in enumerate(names):
            self.places.setdefault(b"\n%b:" % name.lower(), place)


class LaidOutFields:
    """The fields of a header whose values were taken apart elsewhere; `get` as in `HeaderFields`."""

    __slots__ = ("_places", "_values")

    def __init__(self, layout: Layout, values: tuple[bytes, ...]) -> None:
        self._places = layout.places
        self._values = values

    def get(self, key: bytes) -> bytes:
        """Return a field's value without the blanks around it; b"" if it is absent."""
        place = self._places.get(key)
        return b"" if place is None else self._values[place]


class Fields(Protocol):
    """Header fields by key; see `HeaderFields.get`."""

    def get(self, key: bytes) -> bytes:
        """Return a field's value; b"" if it is absent."""
        ...


def _parse(raw: bytes) -> dict[bytes, bytes]:
    fields: dict[bytes, list[bytes]] = {}
    size = 0
    values: list[bytes] | None = None
    for line in raw.split(b"\n"):
        if line[:1] in {b" ", b"\t"}:
            if values is not None and size < MAX_VALUE:
                values.append(line.strip(_BLANKS))
                size += len(line)
            continue
        name, colon, value = line.partition(b":")
        values = None
        if colon and (name := name.strip().lower()) not in fields:
            values = fields[name] = [value.strip(_BLANKS)]
            size = len(value)
    return {name: b" ".join(values) for name, values in fields.items()}


def text(value: bytes) -> str:
    """Decode a header value: UTF-8, else latin-1 as HTTP once had it."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")

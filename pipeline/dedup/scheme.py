"""How signatures are made; two sets of signatures can be compared only if every field is the same."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Literal, Self

import pyarrow as pa

from pipeline.errors import UsageError
from text.hashes import HASH_VERSION
from text.normalise import NORMALISER
from text.words import WordRule

METADATA_KEY = b"crawlmix.minhash"
MAX_HASHES = 1024

Unit = Literal["word", "word-or-character"]


@dataclass(frozen=True, slots=True)
class Scheme:
    """MinHash over n-grams of words.

    The parameters of hash k depend on the number of hashes as well as on k (see `affine_parameters`), so a
    longer signature cut short is not a shorter one.
    """

    num_hashes: int = 112
    seed: int = 1  # datasketch's default
    ngram: int = 5
    unit: Unit = "word-or-character"  # the latter: in scripts without spaces each character is a word
    name: str = "affine32"  # datasketch's name for the family of hash functions
    normaliser: str = f"{NORMALISER}+{HASH_VERSION}"  # of what becomes of a text before it is hashed

    def __post_init__(self) -> None:
        if not 1 <= self.num_hashes <= MAX_HASHES:
            raise UsageError(f"dedup: {self.num_hashes} hashes; give 1 to {MAX_HASHES}")
        if not 1 <= self.ngram <= 100:
            raise UsageError(f"dedup: shingles of {self.ngram} words; give 1 to 100")
        if not 0 <= self.seed < 1 << 32:
            raise UsageError(f"dedup: seed {self.seed}; give 0 to 2^32 - 1")

    @property
    def word_rule(self) -> WordRule:
        """What counts as a word."""
        return WordRule(underscore=True, characters=self.unit == "word-or-character")

    def to_metadata(self) -> dict[bytes, bytes]:
        """Metadata for an Arrow schema or a Parquet file."""
        return {METADATA_KEY: self.to_json().encode()}

    def to_json(self) -> str:
        """One line of JSON, keys sorted."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, line: str | bytes, *, place: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            UsageError: it is no scheme of this version; names `place`.
        """
        known = {field.name: type(field.default) for field in fields(cls)}
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict) or {key: type(value) for key, value in found.items()} != known:
            raise UsageError(f"{place}: holds no readable MinHash scheme; compute its signatures again")
        return cls(**found)

    @classmethod
    def from_schema(cls, schema: pa.Schema, *, place: str) -> Self:
        """Read the scheme stored with signatures.

        Raises:
            UsageError: there is none, or none of this version; names `place`.
        """
        line = (schema.metadata or {}).get(METADATA_KEY)
        if line is None:
            raise UsageError(f"{place}: does not say how its signatures were made; compute them again")
        return cls.from_json(line, place=place)

    def require(self, other: Self, *, place: str) -> None:
        """Refuse signatures made another way.

        Args:
            other: the scheme found.
            place: where it was found, for the message.

        Raises:
            UsageError: names each field that differs.
        """
        ours, theirs = asdict(self), asdict(other)
        differing = [
            f"{key} {theirs[key]!r} instead of {ours[key]!r}" for key in ours if ours[key] != theirs[key]
        ]
        if differing:
            raise UsageError(
                f"{place}: its signatures cannot be compared with this build's: {', '.join(differing)};"
                " use the same dedup settings for both or compute its signatures again"
            )

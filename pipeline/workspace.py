"""Where things lie in a workspace, and what in it is done already."""

import hashlib
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.document import FATES
from pipeline.errors import CrawlmixError, NoFileError
from pipeline.storage.paths import join
from pipeline.storage.publish import publish
from pipeline.storage.reading import open_input, read_if_there

_STATE_KEY = b"crawlmix"
_MAX_TEXT = 1 << 31  # bytes of a manifest, ledger or other small file at most


def fingerprint(*values: Any) -> str:
    """Hash JSON-like values: equal for equal values, whatever the order of keys."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass
class PartState:
    """What the output of a part says of itself; kept in its Parquet metadata.

    `counts` maps `kept`, `removed` and `failed` to a number or to numbers by rule; `rows` counts all rows of the
    part, those of earlier fates included.
    """

    fingerprint: str
    rows: int = 0
    kept: int = 0
    removed: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def judged(self) -> int:
        """Records that this stage gave a fate."""
        return sum(self.fates().values())

    def fates(self) -> dict[str, int]:
        """Records that this stage kept, removed and failed."""
        return {"kept": self.kept, "removed": sum(self.removed.values()), "failed": sum(self.failed.values())}

    def count(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Add the fates of a batch with columns `fate` and `rule`; a null fate was not this stage's to decide."""
        self.rows += batch.num_rows
        pairs = (
            pa.table({"fate": batch["fate"], "rule": batch["rule"]})
            .group_by(["fate", "rule"])
            .aggregate([([], "count_all")])
        )
        for row in sorted(pairs.to_pylist(), key=str):
            fate, rule, number = row["fate"], row["rule"], row["count_all"]
            if fate is None:
                continue
            if fate not in FATES:
                raise ValueError(f"no fate is called {fate!r}")
            if fate == "kept":
                self.kept += number
            else:
                by_rule = self.removed if fate == "removed" else self.failed
                by_rule[rule] = by_rule.get(rule, 0) + number

    def to_metadata(self) -> dict[bytes, bytes]:
        """Turn the state into Parquet key-value metadata."""
        return {_STATE_KEY: json.dumps(self.__dict__, sort_keys=True).encode()}


def read_state(path: str) -> PartState | None:
    """Read the state out of a part's Parquet footer; None when there is no such file or it is not ours."""
    try:
        with open_input(path) as stream:
            metadata = pq.read_metadata(stream).metadata or {}
        return PartState(**json.loads(metadata[_STATE_KEY]))
    except NoFileError:
        return None
    except (pa.ArrowException, KeyError, TypeError, ValueError):
        return None  # cut, foreign or older: it is made again


@dataclass(frozen=True)
class Workspace:
    """The layout of a workspace folder (local, s3:// or gs://)."""

    root: str

    def path(self, *parts: str) -> str:
        """Join a path inside the workspace."""
        return join(self.root, *parts)

    def part(self, table: str, source: str, index: int) -> str:
        """Name the Parquet file of a part in `documents`, `annotations`, `duplicates` or `contamination`."""
        return self.path(table, source, f"part-{index:05d}.parquet")

    def work(self, *parts: str) -> str:
        """Name a file that only a running build needs."""
        return self.path(".work", *parts)

    def read_json(self, *parts: str) -> Any:
        """Read a JSON file of the workspace; None when it is not there.

        Raises:
            CrawlmixError: it is not JSON.
        """
        text = self.read_text(*parts)
        if text is None:
            return None
        try:
            return json.loads(text)
        except ValueError:
            raise CrawlmixError(
                f"{self.path(*parts)}: not JSON; it was changed, remove it and build again"
            ) from None

    def read_text(self, *parts: str) -> str | None:
        """Read a small text file of the workspace; None when it is not there."""
        found = read_if_there(self.path(*parts), _MAX_TEXT)
        return None if found is None else found.decode()


class PartWriter:
    """Writes the Parquet file of a part batch by batch; it appears at `path` by rename when all went well.

    One row group a batch; Zstandard; the state goes into the footer's metadata.
    """

    def __init__(self, path: str, schema: pa.Schema, state: PartState) -> None:
        self.state = state
        self._schema = schema
        self._publish = publish(path)
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        temporary = self._publish.__enter__()
        self._writer = pq.ParquetWriter(str(temporary), self._schema, compression="zstd", compression_level=3)
        return self

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch as one row group and count its fates."""
        assert self._writer is not None
        self.state.count(batch)
        self._writer.write_batch(batch, row_group_size=max(batch.num_rows, 1))

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._writer is not None
        try:
            if kind is None:
                self._writer.add_key_value_metadata(self.state.to_metadata())
            self._writer.close()
        except BaseException as error:
            if not self._publish.__exit__(type(error), error, error.__traceback__):
                raise
            return
        self._publish.__exit__(kind, value, trace)

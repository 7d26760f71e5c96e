"""Documents that were taken out by hand: `excluded.json` of a workspace."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from pipeline.errors import CrawlmixError
from pipeline.storage.publish import write_json
from pipeline.workspace import Workspace, fingerprint

FILE = "excluded.json"
RULE = "excluded"
VERSION = 1


@dataclass(frozen=True, slots=True, order=True)
class Excluded:
    """One document, and why it went."""

    source: str
    id: str
    url: str | None
    reason: str  # the line of the list that named it, such as `domain example.org`


@dataclass(frozen=True)
class Exclusions:
    """All documents taken out of a workspace, by (source, id); they stay out in every later build."""

    documents: Mapping[tuple[str, str], Excluded]

    @classmethod
    def read(cls, workspace: Workspace) -> Self:
        """Read the workspace's list; empty when there is none.

        Raises:
            CrawlmixError: the file is not a list of exclusions of this version.
        """
        told = workspace.read_json(FILE)
        if told is None:
            return cls({})
        try:
            if told["version"] != VERSION:
                raise CrawlmixError(
                    f"{workspace.path(FILE)}: version {told['version']!r}; this release reads version {VERSION}"
                )
            return cls.of(Excluded(**entry) for entry in told["documents"])
        except (KeyError, TypeError) as error:
            raise CrawlmixError(
                f"{workspace.path(FILE)}: not a list of excluded documents ({error}); put the file back as it was"
            ) from None

    @classmethod
    def of(cls, documents: Iterable[Excluded]) -> Self:
        """Gather documents; of two with the same source and id the first stays."""
        gathered: dict[tuple[str, str], Excluded] = {}
        for document in documents:
            gathered.setdefault((document.source, document.id), document)
        return cls(gathered)

    def write(self, workspace: Workspace) -> None:
        """Put the list in place, sorted."""
        documents = [asdict(document) for document in sorted(self.documents.values(), key=_place)]
        write_json(workspace.path(FILE), {"version": VERSION, "documents": documents})

    def ids(self, source: str) -> frozenset[str]:
        """Ids of the documents of one source."""
        return frozenset(name for where, name in self.documents if where == source)

    @property
    def fingerprint(self) -> str:
        """Hash of which documents are out; why they are does not matter."""
        return fingerprint(sorted(self.documents))

    def with_more(self, documents: Iterable[Excluded]) -> Self:
        """Add documents; those that were out already keep their first reason."""
        return self.of([*self.documents.values(), *documents])

    def without(self, documents: Iterable[Excluded]) -> Self:
        """Let documents back in."""
        gone = {(document.source, document.id) for document in documents}
        return self.of(document for place, document in self.documents.items() if place not in gone)


def _place(document: Excluded) -> Any:
    return document.source, document.id

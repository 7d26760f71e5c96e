"""Where documents come from, and how they are read."""

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from pipeline.sections.section import Section
from pipeline.units import ByteSize, Count

Format = Literal["warc", "wet", "arc", "jsonl", "parquet", "text", "mediawiki", "books", "pages"]


class Links(Section):
    """Links that people posted: WebText's sign of a page worth reading."""

    dumps: list[str] = Field(
        min_length=1, description="Reddit submission dumps: .zst, .bz2, .gz, .xz or plain"
    )
    min_score: int = Field(3, description="least score of a submission whose link counts")


class Index(Section):
    """An index of a crawl (CDXJ, or Common Crawl's columnar Parquet): read only the records that pass."""

    paths: list[str] = Field(min_length=1, description="index files: globs or URLs")
    base_url: str = Field(description="folder or URL that the index's file names are relative to")
    languages: list[str] = Field([], description="ISO 639 codes; pages of unknown language pass")
    statuses: list[PositiveInt] = Field([200], min_length=1)
    media_types: list[str] = Field(["text/html", "application/xhtml+xml"], min_length=1)
    domains: list[str] = Field([], description="only these, with all their hosts")
    first_date: str | None = Field(None, description="digits: YYYY, YYYYMM, YYYYMMDD or YYYYMMDDhhmmss")
    last_date: str | None = Field(None, description="inclusive")
    links: Links | None = Field(None, description="only pages that somebody linked to")
    part_records: Count = Field(20_000, description="records of a part, at most")


class Source(Section):
    """One named stream of documents: where its files are and how to read them."""

    format: Format = Field(description="format of the input files")
    paths: list[str] | None = Field(None, min_length=1, description="files, globs or URLs")
    manifest: str | None = Field(None, description="a list of files such as Common Crawl's warc.paths.gz")
    index: Index | None = Field(None, description="warc: an index, to read only what it selects")
    pages_of: str | None = Field(None, description="format pages: the source whose pages somebody linked to")
    links: Links | None = Field(None, description="format pages: where they were linked")
    base_url: str | None = Field(None, description="what the manifest's paths are relative to")
    sample: PositiveInt | None = Field(
        None, description="take this many files of the manifest, chosen by seed"
    )
    filter: str = Field("none", description="name of a filter of this recipe, or `none`")
    role: Literal["positive", "negative"] | None = Field(
        None, description="what the quality classifier takes it for"
    )
    text: str = Field("text", description="jsonl, parquet: the column that holds the text")
    id: str = Field("id", description="jsonl, parquet: the column that holds the document's id")
    url: str = Field("url", description="jsonl, parquet: the column that holds the URL")
    pii: list[Literal["email", "ip", "phone"]] = Field(
        [], description="personal data to replace in what is tokenized"
    )
    part_bytes: ByteSize = Field(128 << 20, description="larger files are split into byte-range parts")

    @model_validator(mode="after")
    def _one_way_to_state_the_files(self) -> Self:
        if (self.format == "pages") != (self.pages_of is not None and self.links is not None):
            raise ValueError("`format: pages`, `pages_of` (a source) and `links` (dumps) belong together")
        ways = [self.paths, self.manifest, self.index, self.pages_of]
        if sum(way is not None for way in ways) != 1:
            raise ValueError(
                "give either `paths` (files, globs, URLs) or `manifest` (a list of files); web archives may have"
                " an `index` instead"
            )
        if self.index is not None and self.format != "warc":
            raise ValueError(f"`index` selects records of `format: warc`, and this source is {self.format}")
        if self.manifest is None and (self.sample is not None or self.base_url is not None):
            raise ValueError("`sample` and `base_url` belong to `manifest`, and this source has `paths`")
        return self

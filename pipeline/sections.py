"""The sections of a recipe as pydantic models; every unknown key is answered with the nearest known one."""

from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, model_validator

from mixtures.errors import MixtureError
from mixtures.weights import exact
from pipeline.units import ByteSize, Count, Share

Format = Literal["warc", "wet", "arc", "jsonl", "parquet", "text", "mediawiki", "books", "pages"]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]


class Section(BaseModel):
    """A part of the recipe; strict: an unknown key is an error that names the nearest known one."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _explain_unknown_keys(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in raw:
            if str(key) not in known:
                near = get_close_matches(str(key), known, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
                raise ValueError(f"unknown key `{key}`; {hint}")
        return raw


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


class Extract(Section):
    """How pages become text, and what is too large or too deep to try."""

    engine: Literal["resiliparse", "resiliparse_dclm", "trafilatura", "all_text"] = "resiliparse"
    statuses: list[PositiveInt] = Field([200], min_length=1, description="HTTP statuses that go on")
    media_types: list[str] = Field(["text/html", "application/xhtml+xml", "text/plain"], min_length=1)
    max_bytes: ByteSize = Field(4 << 20, description="of a decoded page; larger ones are removed")
    max_depth: PositiveInt = Field(2000, description="open tags; deeper pages are removed")
    max_tags: PositiveInt = Field(400_000, description="tags in a page; pages with more are removed")
    max_cpu_seconds: PositiveInt = Field(
        30, description="backstop far above any normal page; ends as `failed`"
    )
    max_memory: ByteSize = Field(3 << 30, description="address space of the extractor's process")


Preset = Literal[
    "gopher_quality",
    "gopher_repetition",
    "c4",
    "c4_paper",
    "c4_tfds",
    "c4_fineweb",
    "mc4",
    "fineweb",
    "lengths",
]


class Bounds(Section):
    """Other bounds for a rule of a preset."""

    min: float | None = None
    max: float | None = None


class CustomRule(Bounds):
    """A rule of one's own over a signal."""

    name: Name
    signal: str

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give `min`, `max` or both")
        return self


class Keep(Section):
    """Which scores stay; exactly one of the three."""

    pareto: float | None = Field(None, ge=0, description="keep if pareto(alpha) > 1 - score; GPT-3 took 9")
    threshold: float | None = Field(None, ge=0, le=1, description="keep scores of at least this")
    top_percent: float | None = Field(
        None, ge=0, le=100, description="keep this share of the source, exactly"
    )

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if sum(value is not None for value in (self.pareto, self.threshold, self.top_percent)) != 1:
            raise ValueError("give exactly one of `pareto`, `threshold` and `top_percent`")
        return self


class Quality(Section):
    """A classifier and what to do with its scores."""

    model: str = Field(description="name of a classifier of this recipe")
    keep: Keep | None = Field(None, description="null scores the documents and keeps all")


class Urls(Section):
    """What a URL must not be, or hold."""

    blocked_domains: list[str] = Field(
        [], description="lists (files, URLs, UT1 folders) of domains with all their hosts"
    )
    blocked_hosts: list[str] = Field([], description="lists of single hosts")
    blocked_urls: list[str] = Field([], description="lists of URLs with all below them")
    words: list[str] = Field([], description="one of these words in the URL removes")
    soft_words: list[str] = Field([], description="`min_soft_words` different ones remove")
    min_soft_words: PositiveInt = 2
    substrings: list[str] = Field([], description="of the URL's letters and digits")


class Filter(Section):
    """What a web document must be to stay; rules apply in this order."""

    languages: list[Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]] | None = None
    min_language_score: Share = 0.5
    opt_out: list[str] = Field([], description="signals such as `noai` or `noindex` that remove a page")
    urls: Urls | None = None
    heuristics: list[Preset] = Field([], description="presets of rules, in the order in which they apply")
    thresholds: dict[str, Bounds] = Field({}, description="other bounds for rules of the presets, by name")
    rules: list[CustomRule] = Field([], description="rules of one's own, after the presets")
    quality: Quality | None = None

    @model_validator(mode="before")
    @classmethod
    def _quality_none(cls, raw: Any) -> Any:
        if (
            isinstance(raw, dict)
            and isinstance(raw.get("quality"), dict)
            and raw["quality"].get("keep") == "none"
        ):
            return {**raw, "quality": {**raw["quality"], "keep": None}}
        return raw


class Classifier(Section):
    """A quality classifier: trained by the build on its own sources, or read from a folder."""

    kind: Literal["logistic", "fasttext"] = "logistic"
    positives: list[str] | None = Field(
        None, min_length=1, description="sources of good text; default: role positive"
    )
    negatives: list[str] | None = Field(
        None, min_length=1, description="sources of raw crawl; default: the others"
    )
    path: str | None = Field(None, description="folder of a trained model, instead of training one")
    features: Literal["prose", "root", "counts", "l2"] = Field(
        "prose",
        description="logistic: what is made of word counts; `counts` as they are, as in GPT-3's filter",
    )
    documents_per_class: Count = 10_000
    max_chars: Count = Field(5000, description="longer documents give pieces of this length")
    quantise: bool = Field(False, description="fasttext: a smaller file")

    @model_validator(mode="after")
    def _trained_or_read(self) -> Self:
        if self.path is not None and (self.positives or self.negatives):
            raise ValueError(
                "give `path` to read a trained model, or `positives` and `negatives` to train one"
            )
        return self


class Repeats(Section):
    """Which lines, or runs of three sentences, go out of texts since other documents hold them too."""

    unit: Literal["line", "three_sentences"] = Field(
        "line", description="what is compared, by its words: CCNet's lines or C4's runs of three sentences"
    )
    max_documents: Count = Field(1, description="what more documents hold is cut")
    keep: Literal["best", "none"] = Field(
        "best", description="where it stays: in the best document that holds it, or nowhere"
    )


class Dedup(Section):
    """Which copies go: those with the same words, then those whose MinHash signatures agree."""

    exact: bool = Field(True, description="documents with the same words in the same order are copies")
    preset: Literal["fineweb", "strict", "gpt3"] | None = Field(
        "fineweb", description="bands of the near-duplicate search; null for exact copies only"
    )
    bands: PositiveInt | None = Field(None, description="instead of a preset: bands of a signature")
    rows: PositiveInt | None = Field(None, description="instead of a preset: rows of a band")
    verify: Share | None = Field(None, description="least signature agreement with the kept document")
    ngram: Annotated[int, Field(ge=1, le=100)] = Field(5, description="words of a shingle")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(1, description="of the hash functions")
    scope: Literal["source", "global"] = "global"
    priority: list[str] | None = Field(None, description="sources in the order in which their copy stays")
    protected: list[str] = Field([], description="sources of which nothing is dropped, only others for them")
    max_edges: Count = Field(
        100_000_000, description="edges that one process joins; beyond, rounds of Beam jobs"
    )

    urls: bool = Field(
        False, description="first: of pages with one address, spelt canonically, the best stays"
    )
    against: str | None = Field(
        None, description="workspace of a finished build: what it holds is dropped, by its stored keys alone"
    )
    keep_reference: bool = Field(
        True, description="store the keys of what stays, 120 bytes a document, for `against` and `increments`"
    )
    increments: bool = Field(
        False, description="parts once decided stay as they are; new ones are compared with their stored keys"
    )
    repeats: Repeats | None = Field(
        None, description="last: lines or runs of sentences that several documents hold are cut out of texts"
    )

    @model_validator(mode="after")
    def _bands_and_rows_together(self) -> Self:
        if (self.bands is None) != (self.rows is None):
            raise ValueError("`bands` and `rows` belong together")
        if self.increments and (self.scope == "source" or not self.keep_reference):
            raise ValueError(
                "`increments` compares with all that is held: it needs `scope: global` and `keep_reference`"
            )
        if self.increments and self.repeats is not None:
            raise ValueError(
                "`increments` leaves decided parts as they are, and `repeats` counts lines over all parts: leave one out"
            )
        return self


class Decontaminate(Section):
    """Which benchmark text is cut out, and how; the defaults of each number are the preset's."""

    benchmarks: list[str] = Field(
        min_length=1, description="files, globs or folders of examples (`id`, `text`)"
    )
    preset: Literal["gpt3", "drop", "ratio", "tag"] = "gpt3"
    ngram: PositiveInt | None = Field(None, description="words of an n-gram; gpt3: 13")
    window_chars: Annotated[int, Field(ge=0)] | None = Field(
        None, description="cut on each side of a match; gpt3: 200"
    )
    min_piece_chars: Annotated[int, Field(ge=0)] | None = Field(
        None, description="shorter pieces are dropped; gpt3: 200"
    )
    max_pieces: Annotated[int, Field(ge=0)] | None = Field(
        None, description="more pieces remove the document; gpt3: 10"
    )
    max_documents: Annotated[int, Field(ge=0)] | None = Field(
        None, description="n-grams found in more documents are ignored; gpt3: 10"
    )
    min_ratio: Share | None = Field(None, description="preset ratio: share of an example that removes")
    template: str | None = Field(
        None, description="text of an example, as in `{question} {choices} {answer}`"
    )
    settings: dict[str, dict[str, Any]] = Field(
        {}, description="settings by benchmark: text, template, n, ..."
    )


class Shards(Section):
    """How token shards are cut."""

    tokens: Count = Field(100_000_000, description="a shard closes at the first document border past this")
    validation: Share = Field(
        0.0, description="share of documents held out, by a hash of their id; they never enter training"
    )


def _exact(value: Any) -> str:
    """Keep a positive number as it is written: `0.1` is one tenth, and `1/3` is allowed."""
    text = repr(value) if isinstance(value, float) else str(value)
    try:
        exact(text, "it")
    except MixtureError:
        remedy = "; leave the source out instead" if value == 0 else ""
        raise ValueError(
            f"expected a positive number such as 22, 0.1 or 1/3, found {text if isinstance(value, float) else repr(value)}{remedy}"
        ) from None
    return text


Exact = Annotated[str, BeforeValidator(_exact, json_schema_input_type=float | str)]


class Mixture(Section):
    """What a run sees of each source: shares of its samples, passes over a source, or some of both."""

    weights: dict[str, Exact] = Field({}, description="shares of training samples, on any scale")
    epochs: dict[str, Exact] = Field({}, description="passes over a source, instead of a weight")
    sequence_length: PositiveInt = 2048
    tokens: Count | None = Field(
        None, description="of the whole run; default: the epochs asked for, or what repeats no source"
    )

    @property
    def sources(self) -> list[str]:
        """Names of the sources, those with weights first."""
        return [*self.weights, *self.epochs]

    @model_validator(mode="after")
    def _each_source_once(self) -> Self:
        if not self.sources:
            raise ValueError("give `weights`, `epochs`, or some sources in each")
        twice = sorted(self.weights.keys() & self.epochs.keys())
        if twice:
            raise ValueError(f"source `{twice[0]}` has both a weight and epochs; give one of them")
        if self.weights and self.epochs and self.tokens is None:
            raise ValueError("weights and epochs in one mixture need `tokens`, the size of the whole run")
        if self.tokens is not None and self.tokens < self.sequence_length:
            raise ValueError(
                f"`tokens` is {self.tokens:,}, less than one sample of {self.sequence_length:,} (`sequence_length`)"
            )
        return self


class Limits(Section):
    """When a build counts as failed."""

    max_failed: Share = Field(0.05, description="share of records that may end as `failed`")


class Root(Section):
    """A whole recipe."""

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    sources: dict[Name, Source] = Field(min_length=1)
    extract: Extract = Extract()
    filters: dict[Name, Filter] = {}
    classifiers: dict[Name, Classifier] = {}
    language_model: str | None = Field(
        None, description="another fastText language model; default lid.176.ftz"
    )
    language_engine: Literal["fasttext", "cld2"] = Field(
        "fasttext", description="cld2 is three times as fast"
    )
    dedup: Dedup = Dedup()
    decontaminate: Decontaminate | None = None
    tokenizer: str = Field("gpt2", description="`gpt2` or the path of a tokenizer.json")
    shards: Shards = Shards()
    mixtures: dict[Name, Mixture] = {}
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> Self:
        """Collect every name that leads nowhere; each line begins with the key that holds it."""
        problems = []
        for name, source in self.sources.items():
            if source.filter != "none" and source.filter not in self.filters:
                near = _nearest(source.filter, [*self.filters, "none"])
                problems.append(f"sources.{name}.filter: no filter `{source.filter}`{near}")
            if source.pages_of is not None:
                others = [key for key, other in self.sources.items() if other.pages_of is None]
                if source.pages_of not in others:
                    near = _nearest(source.pages_of, others)
                    problems.append(f"sources.{name}.pages_of: no source `{source.pages_of}`{near}")
        for name, rules in self.filters.items():
            if rules.quality is not None and rules.quality.model not in self.classifiers:
                wanted = rules.quality.model
                near = _nearest(wanted, list(self.classifiers))
                problems.append(f"filters.{name}.quality.model: no classifier `{wanted}`{near}")
        for place, names in [
            *(
                (f"classifiers.{name}.positives", model.positives or [])
                for name, model in self.classifiers.items()
            ),
            *(
                (f"classifiers.{name}.negatives", model.negatives or [])
                for name, model in self.classifiers.items()
            ),
            ("dedup.priority", self.dedup.priority or []),
            ("dedup.protected", self.dedup.protected),
            *((f"mixtures.{name}.weights", list(mixture.weights)) for name, mixture in self.mixtures.items()),
            *((f"mixtures.{name}.epochs", list(mixture.epochs)) for name, mixture in self.mixtures.items()),
        ]:
            problems += [
                f"{place}: no source `{wanted}`{_nearest(wanted, list(self.sources))}"
                for wanted in names
                if wanted not in self.sources
            ]
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    if not known:
        return "; there are none"
    return f"; did you mean `{near[0]}`?" if near else f"; known: {', '.join(known)}"

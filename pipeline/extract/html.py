"""Extractors by name: a parsed page in, its text out; every option is stated, so no default can move the result."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Literal, get_args

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from pipeline.errors import UsageError

Extractor = Literal["resiliparse", "resiliparse_dclm", "trafilatura", "all_text"]
EXTRACTORS: tuple[Extractor, ...] = get_args(Extractor)
PLAIN = "plain"  # what a text/plain page is extracted with

_OPTIONS_REVISION = 1  # of this file: raise it when a page's text changes for the same library
_MAX_TITLE_CHARS = 300


@dataclass(frozen=True, slots=True)
class _Engine:
    distribution: str
    extract: Callable[[str, HTMLTree], str]


def check_extractor(name: str) -> None:
    """Raise UsageError if there is no extractor of this name, or its library is not installed."""
    if name not in EXTRACTORS:
        raise UsageError(f"extractor `{name}`: unknown; known are {', '.join(EXTRACTORS)}")
    if name == "trafilatura":
        _trafilatura()


def extractor_version(name: str) -> str:
    """Return name, library version and options revision, as `resiliparse 2.0.1 r1`; it marks a stage's output."""
    if name == PLAIN:
        return f"{PLAIN} r{_OPTIONS_REVISION}"
    check_extractor(name)
    return f"{name} {version(_ENGINES[name].distribution)} r{_OPTIONS_REVISION}"


def extract_html(name: str, html: str, tree: HTMLTree) -> str:
    """Return the text of a page, as the library gives it.

    Args:
        name: of the extractor.
        html: the page.
        tree: the same page, parsed.
    """
    return _ENGINES[name].extract(html, tree)


def title_of(tree: HTMLTree) -> str | None:
    """Return the text of <title>, white space collapsed, at most 300 characters; None if there is none."""
    title = " ".join((tree.title or "")[: 10 * _MAX_TITLE_CHARS].split())
    return title[:_MAX_TITLE_CHARS].rstrip() or None


def _resiliparse(tree: HTMLTree, *, main_content: bool, alt_texts: bool) -> str:
    text: str = extract_plain_text(
        tree,
        preserve_formatting=True,
        main_content=main_content,
        list_bullets=True,
        alt_texts=alt_texts,
        links=False,
        form_fields=False,
        noscript=False,
        comments=True,
        post_meta=True,
        hidden_elements=False,
        skip_elements=None,
    )
    return text


def _extract_with_trafilatura(html: str, _tree: HTMLTree) -> str:
    extract, options = _trafilatura()
    return extract(html, options=options) or ""


@cache
def _trafilatura() -> tuple[Callable[..., str | None], Any]:
    try:
        from trafilatura import extract
        from trafilatura.settings import DEFAULT_CONFIG, Extractor
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"extractor `trafilatura`: {missing.name} is not installed; run: pip install 'crawlmix[trafilatura]'"
        ) from missing
    options = Extractor(
        config=DEFAULT_CONFIG,
        output_format="txt",
        fast=False,
        precision=False,
        recall=False,
        comments=True,
        formatting=False,
        links=False,
        images=False,
        tables=True,
        # Its cache of texts seen is the process's: a page's text would depend on the pages before it.
        dedup=False,
        lang=None,
        with_metadata=False,
    )
    return extract, options


_ENGINES = {
    # As Dolma and NeMo Curator call it, WCXB word F1 .799.
    "resiliparse": _Engine(
        "resiliparse", lambda _html, tree: _resiliparse(tree, main_content=True, alt_texts=False)
    ),
    # As the script of DCLM calls it.
    "resiliparse_dclm": _Engine(
        "resiliparse", lambda _html, tree: _resiliparse(tree, main_content=True, alt_texts=True)
    ),
    "trafilatura": _Engine("trafilatura", _extract_with_trafilatura),
    "all_text": _Engine(
        "resiliparse", lambda _html, tree: _resiliparse(tree, main_content=False, alt_texts=False)
    ),
}

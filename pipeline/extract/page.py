"""One page through extraction: decode, limits, parse, opt-out signals, text. A pure function of the page."""

import re
from dataclasses import dataclass
from typing import Literal

from resiliparse.parse.html import HTMLParserException, HTMLTree

from pipeline.extract.decode import decode
from pipeline.extract.html import PLAIN, extract_html, title_of
from pipeline.extract.limits import Limits, find_excess
from pipeline.extract.normalise import normalise_text
from pipeline.extract.opt_out import OTHER_AGENTS, opt_out_signals

Outcome = Literal["kept", "removed", "failed"]  # `pipeline.document.Fate`, which would import Arrow

_NOT_TEXT = (b"%PDF-", b"\x89PNG\r\n\x1a\n", b"GIF8", b"\xff\xd8\xff", b"PK\x03\x04", b"\x1f\x8b\x08", b"BM6")
_LOOKS_LIKE_HTML = re.compile(r"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_META = re.compile(r"<[mM][eE][tT][aA][\s/]([^>]*)")
# Both find more than counts, and few pages have any: each element that Python sees costs microseconds.
_SIGNAL_HINT = re.compile("|".join(["bot", "tdm-", *map(re.escape, OTHER_AGENTS)]), re.IGNORECASE)
_SIGNAL_METAS = ",".join(
    ["meta[name*='bot' i]", "meta[name^='tdm-' i]", *(f"meta[name='{agent}' i]" for agent in OTHER_AGENTS)]
)
_MAX_DETAIL_CHARS = 300


@dataclass(frozen=True, slots=True)
class Page:
    """What extraction needs to know of a record."""

    body: bytes  # content encodings undone
    charset: str | None = None  # label of the HTTP header
    mime: str | None = None  # lower case, without parameters; None is read as HTML
    robots: tuple[str, ...] = ()  # opt-out headers as `name: value`
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Extracted:
    """What became of a page. `text` is None unless it is kept; `rule` and `detail` are None if it is."""

    text: str | None = None
    title: str | None = None
    charset: str | None = None
    charset_from: str | None = None
    extractor: str | None = None
    opt_out: tuple[str, ...] = ()
    fate: Outcome = "kept"
    rule: str | None = None
    detail: str | None = None


def extract_page(page: Page, *, extractor: str, limits: Limits) -> Extracted:
    """Extract one page in this process.

    Returns:
        Kept with its text; removed as `too_large`, `too_deep`, `too_many_tags`, `too_many_attributes`,
        `not_text` (the body is an image or an archive) or `no_text`; failed as `extractor_error`.

    Raises:
        MemoryError: the caller's limit on memory was met.
    """
    opt_out = opt_out_signals(page.robots, ())
    if len(page.body) > limits.max_bytes:
        rule, detail = "too_large", f"{len(page.body)} bytes > {limits.max_bytes}"
        return Extracted(opt_out=opt_out, fate="removed", rule=rule, detail=detail)
    if page.body.startswith(_NOT_TEXT):
        return Extracted(opt_out=opt_out, fate="removed", rule="not_text")
    decoded = decode(page.body, declared=page.charset, truncated=page.truncated)
    text, charset, charset_from = decoded.text, decoded.charset, decoded.charset_from
    if page.mime == "text/plain" and not _LOOKS_LIKE_HTML.match(text):
        found = normalise_text(text)
        return _kept_if_any(Extracted(found, None, charset, charset_from, PLAIN, opt_out))
    markup = page.body if charset not in {"utf-16le", "utf-16be", "iso-2022-jp"} else text.encode()
    excess = find_excess(markup, limits)
    if excess is not None:
        rule, detail = excess
        return Extracted(None, None, charset, charset_from, None, opt_out, "removed", rule, detail)
    try:
        tree = HTMLTree.parse(text)
        opt_out = opt_out_signals(page.robots, _metas(text, tree))
        title = title_of(tree)
        found = normalise_text(extract_html(extractor, text, tree))
    except MemoryError:
        raise
    except HTMLParserException as error:
        # The parser takes any text; it refuses only when an allocation fails.
        raise MemoryError(str(error)) from error
    except Exception as error:  # noqa: BLE001 - the page is hostile and the libraries raise what they like
        detail = f"{type(error).__name__}: {error}"[:_MAX_DETAIL_CHARS]
        return Extracted(
            None, None, charset, charset_from, extractor, opt_out, "failed", "extractor_error", detail
        )
    return _kept_if_any(Extracted(found, title, charset, charset_from, extractor, opt_out))


def _kept_if_any(result: Extracted) -> Extracted:
    if result.text and not result.text.isspace():
        return result
    return Extracted(
        None,
        result.title,
        result.charset,
        result.charset_from,
        result.extractor,
        result.opt_out,
        "removed",
        "no_text",
    )


def _metas(text: str, tree: HTMLTree) -> list[tuple[str, str]]:
    """Name and content of meta elements that may state a signal.

    What only looks like one in a script, a comment or shown source is not an element.
    """
    if tree.document is None or not _SIGNAL_HINT.search(" ".join(_META.findall(text))):
        return []
    metas = tree.document.query_selector_all(_SIGNAL_METAS)
    return [(str(meta.getattr("name")), str(meta.getattr("content") or "")) for meta in metas]

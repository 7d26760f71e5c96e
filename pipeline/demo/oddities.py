"""The unusual part of the sample's crawl: charsets, codings, opt-outs, failures, planted and hostile pages."""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.demo.benchmark import Item
from pipeline.demo.chance import Chance
from pipeline.demo.crawl import foreign_article
from pipeline.demo.layouts import blog, magazine, paragraphs_html, plain
from pipeline.demo.page import Page
from pipeline.demo.portable import brotli_stored, chunked, gzip_member, zlib_stream
from pipeline.demo.prose import TOPICS, Article, Writer

_DEEP_LEVELS = 3000
_HTML = "text/html"
# name of the case, language, encoding of the bytes, HTTP Content-Type, charset in a meta tag
_CHARSETS = (
    ("windows-1252 by header", "de", "cp1252", "text/html; charset=windows-1252", None),
    ("iso-8859-1 undeclared", "sv", "latin-1", _HTML, None),
    ("shift_jis by header", "ja", "shift_jis", "text/html; charset=Shift_JIS", None),
    ("gb18030 by meta", "zh", "gb18030", _HTML, "gb18030"),
    ("koi8-r by header", "ru", "koi8_r", "text/html; charset=KOI8-R", None),
    ("utf-16 by byte order mark", "fr", "utf-16", _HTML, None),
    ("windows-1252 called utf-8", "es", "cp1252", "text/html; charset=utf-8", "utf-8"),
    ("windows-1252 undeclared", "en", "cp1252", _HTML, None),
)


def _english(writer: Writer, key: str, count: int = 5) -> Article:
    topic = TOPICS[sum(map(ord, key)) % len(TOPICS)]
    return writer.article(f"en/{topic}", count, key)


def charset_pages(writer: Writer) -> list[Page]:
    """Write pages in seven encodings, declared in the header, in the page, by a mark, wrongly or not at all."""
    pages = []
    for i, (case, language, codec, content_type, meta) in enumerate(_CHARSETS):
        if language == "en":
            article = _english(writer, case)
            # What word processors write: quotation marks and dashes that only windows-1252 has.
            quoted = (f"\u201c{article.paragraphs[0]}\u201d \u2013 so it was told.", *article.paragraphs[1:])
            article = Article(article.title, quoted)
        else:
            article = foreign_article(writer, language, case)
        tag = f'<meta charset="{meta}">' if meta else ""
        page = (
            f"<!DOCTYPE html>\n<html><head>{tag}<title>{article.title}</title></head><body>"
            f"<h1>{article.title}</h1>\n{paragraphs_html(article.paragraphs)}</body></html>"
        )
        # UTF-16 with a mark and a fixed order: the codec `utf-16` would take the machine's own.
        body = (
            b"\xff\xfe" + page.encode("utf-16-le")
            if codec == "utf-16"
            else page.encode(codec, "xmlcharrefreplace")
        )
        headers = (("Content-Type", content_type),)
        url = f"http://charsets.example.net/{i}"
        pages.append(
            Page("charset", url, body, article.text, language=language, headers=headers, detail=case)
        )
    return pages


def opt_out_pages(writer: Writer, chance: Chance) -> list[Page]:
    """Write good pages whose owners do not want them taken, and say so in a tag or a header."""
    cases: Sequence[tuple[str, str, tuple[str, str] | None]] = (
        ("meta robots noindex", '<meta name="robots" content="noindex, nofollow">', None),
        ("meta robots noai", '<meta name="robots" content="noai, noimageai">', None),
        ("meta tdm-reservation", '<meta name="tdm-reservation" content="1">', None),
        ("header X-Robots-Tag noindex", "", ("X-Robots-Tag", "noindex")),
        ("header X-Robots-Tag noai", "", ("X-Robots-Tag", "noai, noimageai")),
        ("header tdm-reservation", "", ("tdm-reservation", "1")),
    )
    pages = []
    for i, (case, tag, header) in enumerate(cases):
        article = _english(writer, case)
        site = "private.example.org"
        body = blog(article.title, article.paragraphs, site, chance.of(case)).replace(
            "</head>", f"{tag}</head>"
        )
        headers = (("Content-Type", "text/html; charset=utf-8"), *((header,) if header else ()))
        url = f"https://{site}/{i}"
        pages.append(Page("opt_out", url, body.encode(), article.text, headers=headers, detail=case))
    return pages


def coded_pages(writer: Writer, chance: Chance) -> list[Page]:
    """Write good pages whose bodies are stored as they were transferred: compressed, in chunks, or lied about."""
    pages = []
    for i, case in enumerate(("gzip", "deflate", "br", "chunked", "gzip and chunked", "gzip that is plain")):
        article = _english(writer, f"coding {case}")
        plain_body = magazine(article.title, article.paragraphs, "codings.example", chance.of(case)).encode()
        coding, body = {
            "gzip": (("Content-Encoding", "gzip"), gzip_member(plain_body)),
            "deflate": (("Content-Encoding", "deflate"), zlib_stream(plain_body)),
            "br": (("Content-Encoding", "br"), brotli_stored(plain_body)),
            "chunked": (("Transfer-Encoding", "chunked"), chunked(plain_body)),
            "gzip and chunked": (("Content-Encoding", "gzip"), chunked(gzip_member(plain_body))),
            "gzip that is plain": (("Content-Encoding", "gzip"), plain_body),
        }[case]
        headers = [("Content-Type", "text/html; charset=utf-8"), coding]
        if case == "gzip and chunked":
            headers.append(("Transfer-Encoding", "chunked"))
        url = f"https://codings.example/{i}"
        pages.append(Page("coding", url, body, article.text, headers=tuple(headers), detail=case))
    return pages


def answers_without_a_page() -> list[Page]:
    """Answer with redirects, errors, documents and pictures instead of pages."""
    pages = []
    for status, count in (
        ("404 Not Found", 6),
        ("301 Moved Permanently", 5),
        ("500 Internal Server Error", 3),
    ):
        code = status.split()[0]
        body = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>".encode()
        for i in range(count):
            to = (("Location", f"https://www.example.com/moved/{i}"),) if code == "301" else ()
            headers = (("Content-Type", "text/html"), *to)
            url = f"http://www.example.com/{code}/{i}"
            pages.append(Page("http_status", url, body, status=status, headers=headers, detail=code))
    pdf = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF\n"
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU"
    for i, (mime, body) in enumerate([("application/pdf", pdf)] * 3 + [("image/png", png)] * 3):
        url = f"https://files.example.com/{i}.{mime.split('/')[1]}"
        pages.append(Page("media_type", url, body, mime=mime, headers=(("Content-Type", mime),), detail=mime))
    return pages


def planted_pages(writer: Writer, items: Sequence[Item], chance: Chance) -> list[Page]:
    """Hide one benchmark item each in the middle of two long articles, word for word."""
    pages = []
    for i, item in enumerate(chance.of("items").order(items)[:2]):
        article = _english(writer, f"planted {i}", count=11)
        paragraphs = (*article.paragraphs[:6], item.text, *article.paragraphs[6:])
        body = magazine(article.title, paragraphs, "riddles.example.org", chance.of(i))
        url = f"https://riddles.example.org/{i}"
        text = "\n\n".join(paragraphs)
        pages.append(Page("benchmark", url, body.encode(), text, detail=item.id))
    return pages


def single_pages(writer: Writer, chance: Chance) -> list[Page]:
    """Write the pages of which one is enough: truncated, empty, very deep, and one that spells a special token."""
    cut = _english(writer, "truncated", count=8)
    whole = blog(cut.title, cut.paragraphs, "cut.example", chance).encode()
    half = whole[: len(whole) * 3 // 5]
    deep = _english(writer, "deep")
    nested = f"{'<div>' * _DEEP_LEVELS}{paragraphs_html(deep.paragraphs)}{'</div>' * _DEEP_LEVELS}"
    token = _english(writer, "special token")
    sentence = (
        "In training files for language models, texts are often separated by <|endoftext|> and nothing else."
    )
    spelled = (*token.paragraphs[:2], sentence, *token.paragraphs[2:])
    return [
        Page("truncated", "https://cut.example/long", half, truncated="length"),
        Page("empty", "https://empty.example/", b""),
        Page(
            "deep",
            "https://deep.example/",
            f"<html><body>{nested}</body></html>".encode(),
            deep.text,
            detail=f"{_DEEP_LEVELS} nested elements",
        ),
        Page(
            "special_token",
            "https://tokens.example/",
            plain(token.title, spelled, "tokens.example", chance).encode(),
            "\n\n".join(spelled),
        ),
    ]


def personal_pages(writer: Writer, chance: Chance) -> list[Page]:
    """Write articles that name e-mail addresses and IP addresses, all of them reserved for examples."""
    pages = []
    for i in range(4):
        article = _english(writer, f"personal {i}")
        contact = (
            f"Questions go to editor{i}@example.com or, if that fails, to the.office@mail.example.org. "
            f"The old server at 192.0.2.{10 + i} has been replaced by the one at 198.51.100.{20 + i}."
        )
        paragraphs = (*article.paragraphs, contact)
        body = plain(article.title, paragraphs, "people.example.net", chance.of(i))
        page = Page(
            "personal_data", f"https://people.example.net/{i}", body.encode(), "\n\n".join(paragraphs)
        )
        pages.append(page)
    return pages


def damaged_page(writer: Writer, chance: Chance) -> Page:
    """Write the page whose record will be overwritten in the archive; nothing of it can be read."""
    article = _english(writer, "damaged", count=9)
    body = blog(article.title, article.paragraphs, "lost.example", chance).encode()
    return replace(
        Page("damaged", "https://lost.example/", body), detail="24 bytes of its gzip member are overwritten"
    )

"""The ordinary part of the sample's crawl: articles, forums, shops, other languages, copies."""

import re
from collections.abc import Sequence
from dataclasses import replace
from html import escape

from pipeline.demo.chance import Chance
from pipeline.demo.layouts import LAYOUTS, Layout, blog, magazine, paragraphs_html, plain
from pipeline.demo.page import Page
from pipeline.demo.prose import LANGUAGES, TOPICS, Article, Writer, bank, fill, names

_SITES = (
    "www.alderford-notes.example", "slowtrain.example", "almanac.example.org", "kitchen-table.example",
    "fieldnotes.example.net", "thelongpath.example", "riverside.example.com", "weekly-letter.example",
    "oldmill.example.org", "harbour-post.example", "twelvebenches.example", "quietpages.example.net",
)  # fmt: skip
_MIRRORS = ("mirror.example.net", "copycat.example", "readlater.example.com", "feeds-collected.example")
_ARTICLES, _THREADS, _PRODUCTS = 190, 28, 24
_EDITED, _EXACT, _OF_WEBTEXT2 = 24, 10, 8
_PAGES_PER_LANGUAGE = 5


def slug(title: str) -> str:
    """Turn a title into the last part of a URL."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "page"


def article_page(
    article: Article, layout: Layout, site: str, path: str, chance: Chance, *, kind: str
) -> Page:
    """Wrap an article in a layout."""
    body = layout(article.title, article.paragraphs, site, chance)
    return Page(kind, f"https://{site}/{path}", body.encode(), article.text)


def articles(writer: Writer, chance: Chance) -> list[Page]:
    """Write English articles on every topic, 4 to 9 passages (150 to 500 words) each, in six layouts."""
    pages = []
    for i in range(_ARTICLES):
        here = chance.of("article", i)
        article = writer.article(
            f"en/{TOPICS[i % len(TOPICS)]}", 4 + here.of("length").below(6), f"article {i}"
        )
        layout, site = here.of("layout").pick(LAYOUTS), here.of("site").pick(_SITES)
        pages.append(
            article_page(article, layout, site, f"{slug(article.title)}-{i}.html", here, kind="article")
        )
    return pages


def forum_threads(writer: Writer, chance: Chance) -> list[Page]:
    """Write threads of one question and four to six replies; the second reply quotes the question."""
    pages = []
    for i in range(_THREADS):
        here = chance.of("forum", i)
        topic = here.of("topic").pick(TOPICS)
        opening = writer.article(f"en/{topic}", 2, f"thread {i}")
        replies = writer.passages("other/forum", 4 + here.of("replies").below(3), f"thread {i}")
        quote = f"<blockquote>{escape(opening.paragraphs[0][:120], quote=False)}</blockquote>"
        posts = [paragraphs_html(opening.paragraphs)] + [
            (quote if k == 1 else "") + paragraphs_html([reply]) for k, reply in enumerate(replies)
        ]
        rows = "\n".join(
            f'<div class="post" id="p{k}"><div class="author">member{here.of("member", k).below(5000)}<br>'
            f'Posts: {here.of("posts", k).below(900)}</div><div class="message">{post}</div></div>'
            for k, post in enumerate(posts)
        )
        body = (
            f"<!DOCTYPE html><html><head><meta charset=utf-8><title>{escape(opening.title)} - Forum</title></head>"
            f'<body><div class="breadcrumb"><a href="/">Board</a> &raquo; <a href="/{topic}">{topic}</a></div>'
            f'<h1>{escape(opening.title)}</h1><div id="posts">{rows}</div>'
            '<div class="pagination">Page 1 of 1</div><a href="/register">Register to reply</a></body></html>'
        )
        text = "\n\n".join([*opening.paragraphs, *replies])
        pages.append(Page("forum", f"https://forum.example.org/{topic}/thread-{i}", body.encode(), text))
    return pages


def product_pages(writer: Writer, chance: Chance) -> list[Page]:
    """Describe two products a page, the second as a companion of the first, with prices and a table."""
    products = bank("other/products").passages
    pages = []
    for i in range(_PRODUCTS):
        here = chance.of("product", i)
        first, second = i % len(products), (i * 5 + 1 + i // len(products)) % len(products)
        known = names(here)
        (title, text), (other, other_text) = (
            fill(products[k], known, here.of(k)).split("\n", maxsplit=1) for k in (first, second)
        )
        advice = writer.passages(f"en/{here.of('topic').pick(TOPICS)}", 1, f"product {i}")[0]
        price = 9 + here.of("price").below(190)
        body = (
            f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>Buy {title}</title></head><body>'
            '<div class="menu"><a href="/cart">Cart (0)</a> <a href="/sale">Sale</a> <a href="/new">New</a></div>'
            f'<div class="product"><h1>{title}</h1><span class="price">EUR {price}.90</span> '
            f"<button>Add to cart</button>{paragraphs_html([text])}<table><tr><td>Item</td><td>{1000 + i}</td></tr>"
            f"<tr><td>In stock</td><td>{here.of('stock').below(80)}</td></tr></table></div>"
            f'<div class="companion"><h2>Goes well with: {other}</h2>{paragraphs_html([other_text])}</div>'
            f'<div class="advice"><h2>From our letter</h2>{paragraphs_html([advice])}</div>'
            '<div class="footer">Prices include tax. Delivery within three days.</div></body></html>'
        )
        content = f"{text}\n\n{other_text}\n\n{advice}"
        pages.append(
            Page("product", f"https://shop.example.com/{slug(title)}?item={1000 + i}", body.encode(), content)
        )
    return pages


def foreign_pages(writer: Writer, chance: Chance) -> list[Page]:
    """Write pages in seven other languages, all in UTF-8."""
    pages = []
    for language in LANGUAGES:
        for i in range(_PAGES_PER_LANGUAGE):
            article = foreign_article(writer, language, f"page {i}")
            here = chance.of(language, i)
            layout = here.of("layout").pick((blog, magazine, plain))
            page = article_page(article, layout, f"{language}.example.org", f"{i}/", here, kind="foreign")
            pages.append(replace(page, language=language))
    return pages


def foreign_article(writer: Writer, language: str, key: str) -> Article:
    """Write an article in another language: three passages, or two where six are all there are."""
    path = f"languages/{language}"
    return writer.article(path, 3 if len(bank(path).passages) > 6 else 2, f"{language} {key}")


def edited(article: Sequence[str], chance: Chance) -> tuple[str, ...]:
    """Return a copy as careless mirrors make them: a note above, the last sentence gone, two words changed."""
    paragraphs = list(article)
    shortest = min(range(len(paragraphs)), key=lambda i: len(paragraphs[i]))
    sentences = paragraphs[shortest].split(". ")
    paragraphs[shortest] = ". ".join(sentences[:-1]) + "." if len(sentences) > 1 else paragraphs[shortest]
    for old, new in (
        ("because", "since"),
        ("often", "frequently"),
        ("usually", "mostly"),
        ("about", "around"),
    ):
        paragraphs[-1] = paragraphs[-1].replace(f" {old} ", f" {new} ")
    note = chance.pick(("First seen elsewhere.", "Reprinted with small changes.", "From our collection."))
    return (note, *paragraphs)


def near_duplicates(originals: Sequence[Page], chance: Chance) -> list[Page]:
    """Copy the longer articles to other sites, edited and in other layouts."""
    long = [page for page in originals if page.text.count("\n\n") >= 5]
    pages = []
    for i, page in enumerate(chance.of("near").order(long)[:_EDITED]):
        here = chance.of("near", i)
        pages.append(copy_of(page.text, page.url, here, kind="near_duplicate", path=f"copy-{i}"))
    return pages


def exact_duplicates(originals: Sequence[Page], chance: Chance) -> list[Page]:
    """Copy pages byte for byte to other hosts."""
    pages = []
    for i, page in enumerate(chance.of("exact").order(originals)[:_EXACT]):
        mirror = chance.of("exact", i).pick(_MIRRORS)
        url = f"https://{mirror}/same/{i}/{page.url.rsplit('/', 1)[1]}"
        pages.append(Page("exact_duplicate", url, page.body, page.text, of=page.url))
    return pages


def webtext2_copies(documents: Sequence[dict[str, str]], chance: Chance) -> list[Page]:
    """Copy documents of webtext2 into the crawl, edited."""
    long = [document for document in documents if document["text"].count("\n\n") >= 5]
    pages = []
    for i, document in enumerate(chance.of("webtext2").order(long)[:_OF_WEBTEXT2]):
        here = chance.of("webtext2", i)
        kind = "near_duplicate_of_webtext2"
        pages.append(copy_of(document["text"], document["id"], here, kind=kind, path=f"linked-{i}"))
    return pages


def copy_of(text: str, of: str, chance: Chance, *, kind: str, path: str) -> Page:
    """Return an edited copy of a text on a mirror."""
    paragraphs = edited(text.split("\n\n"), chance)
    article = Article(f"Worth reading, part {path}", paragraphs)
    layout, mirror = chance.of("layout").pick(LAYOUTS), chance.of("mirror").pick(_MIRRORS)
    return replace(article_page(article, layout, mirror, path, chance, kind=kind), of=of)

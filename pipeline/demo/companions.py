"""The sample's other sources: webtext2, books, wikipedia."""

from html import escape

from pipeline.demo.chance import Chance
from pipeline.demo.crawl import slug
from pipeline.demo.prose import TOPICS, Writer, names

_BOOKS = ("The Ferryman's Ledger", "A House at the End of the Lane", "Letters from the Mill", "The Long Snow")
_NUMERALS = ("I", "II", "III", "IV", "V", "VI", "VII")
_WEBTEXT2, _WIKIPEDIA = 56, 28

Document = dict[str, str]


def webtext2(writer: Writer, chance: Chance) -> list[Document]:
    """Write pages that people recommended to each other: `id`, `url`, `title`, `text`."""
    documents = []
    for i in range(_WEBTEXT2):
        here = chance.of("webtext2", i)
        article = writer.article(
            f"en/{TOPICS[i % len(TOPICS)]}", 4 + here.of("length").below(5), f"webtext2 {i}"
        )
        url = f"https://recommended.example.com/{slug(article.title)}-{i}"
        documents.append({"id": f"webtext2-{i:04}", "url": url, "title": article.title, "text": article.text})
    return documents


def books(writer: Writer, chance: Chance) -> dict[str, str]:
    """Write four books of seven chapters; each chapter is a scene and what its people read or talk about.

    Returns:
        text by file name.
    """
    written = {}
    topics = chance.of("books").order(TOPICS)
    for i, title in enumerate(_BOOKS):
        author = names(chance.of("author", i))["person"]
        scenes = writer.passages("other/narrative", len(_NUMERALS), title)
        subjects = topics[3 * i : 3 * i + 3]
        talk = [passage for topic in subjects for passage in writer.passages(f"en/{topic}", 9, title)]
        chapters = []
        for k, (numeral, scene) in enumerate(zip(_NUMERALS, scenes, strict=True)):
            chapters.append("\n\n".join([f"CHAPTER {numeral}", scene, *talk[k :: len(_NUMERALS)]]))
        head = f"{title.upper()}\n\nby {author}\n\nWritten for this sample and given to the public domain."
        written[f"{slug(title)}.txt"] = "\n\n\n".join([head, *chapters, "THE END"]) + "\n"
    return written


def wikipedia(writer: Writer, chance: Chance) -> list[Document]:
    """Write encyclopedia entries: `id`, `url`, `title`, `text`."""
    documents = []
    for i in range(_WIKIPEDIA):
        here = chance.of("wikipedia", i)
        topic = TOPICS[i % len(TOPICS)]
        title = f"{topic.capitalize()} in {names(here)['town']} ({i})"
        text = "\n\n".join(writer.passages(f"en/{topic}", 4 + here.of("length").below(4), f"wikipedia {i}"))
        url = f"https://wiki.example.org/wiki/{title.replace(' ', '_')}"
        documents.append({"id": str(1000 + i), "url": url, "title": title, "text": text})
    return documents


def mediawiki_dump(documents: list[Document]) -> str:
    """Return the same entries as a MediaWiki XML dump (export 0.11), with mark-up, a redirect and a talk page."""
    pages = [_xml_page(document["title"], 0, document["id"], _wikitext(document)) for document in documents]
    first = documents[0]["title"]
    redirect = _xml_page("The first entry", 0, "2000", f"#REDIRECT [[{first}]]", redirect=first)
    talk = _xml_page(
        f"Talk:{first}", 1, "2001", "== Sources ==\nWhere does the second sentence come from? ~~~~"
    )
    template = _xml_page(
        "Template:Fact box", 10, "2002", '{| class="infobox"\n! {{{name}}}\n|-\n| {{{kind}}}\n|}'
    )
    return (
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">\n'
        "  <siteinfo><sitename>Sample</sitename><dbname>samplewiki</dbname><namespaces>"
        '<namespace key="0" case="first-letter" /><namespace key="1" case="first-letter">Talk</namespace>'
        '<namespace key="10" case="first-letter">Template</namespace></namespaces></siteinfo>\n'
        + "".join([*pages, redirect, talk, template])
        + "</mediawiki>\n"
    )


def _wikitext(document: Document) -> str:
    first, *rest = document["text"].split("\n\n")
    topic = document["title"].split()[0]
    middle = len(rest) // 2
    return "\n\n".join(
        [
            f"{{{{Fact box|name={document['title']}|kind={topic.lower()}}}}}",
            f"'''{document['title']}''' is the subject of this entry. {first}<ref>Local archive, box 7.</ref>",
            "== Background ==",
            *rest[:middle],
            "== Observations ==",
            *rest[middle:],
            f"* See also [[{topic}|other entries]] and [https://www.example.org the society's page]",
            f"[[Category:{topic}]]",
        ]
    )


def _xml_page(title: str, namespace: int, page_id: str, wikitext: str, *, redirect: str | None = None) -> str:
    target = f'    <redirect title="{escape(redirect)}" />\n' if redirect else ""
    return (
        f"  <page>\n    <title>{escape(title)}</title>\n    <ns>{namespace}</ns>\n    <id>{page_id}</id>\n{target}"
        f"    <revision>\n      <id>{page_id}1</id>\n      <timestamp>2024-05-18T00:00:00Z</timestamp>\n"
        "      <contributor><username>Sample</username><id>1</id></contributor>\n"
        "      <model>wikitext</model>\n      <format>text/x-wiki</format>\n"
        f'      <text bytes="{len(wikitext.encode())}" xml:space="preserve">{escape(wikitext, quote=False)}</text>\n'
        "    </revision>\n  </page>\n"
    )

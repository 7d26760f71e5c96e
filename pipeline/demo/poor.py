"""Pages of the sample's crawl that no reader would miss: spam, notices, stubs, lists, repetition."""

from pipeline.demo.chance import Chance
from pipeline.demo.layouts import blog, magazine, paragraphs_html, plain
from pipeline.demo.page import Page
from pipeline.demo.prose import TOPICS, Writer, bank, names

_LATIN = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore et dolore "
    "magna aliqua."
)


def poor_pages(writer: Writer, chance: Chance) -> list[Page]:
    """Make English pages that quality rules are there for.

    Six of each: stubs of one sentence, calendars without a full stop, one paragraph many times over; and two that
    still hold their designer's placeholder text.
    """
    pages = []
    for i in range(6):
        here = chance.of("poor", i)
        first, second, third = (
            writer.passages(f"en/{topic}", 1, f"poor {i}")[0] for topic in here.order(TOPICS)[:3]
        )
        stub = blog("Coming soon", [first.split(". ")[0] + "."], "soon.example", here)
        repeated = plain("Read this", [second] * 7, "again.example", here)
        pages.append(Page("stub", f"https://soon.example/{i}", stub.encode()))
        pages.append(Page("repetition", f"https://again.example/{i}", repeated.encode()))
        pages.append(Page("calendar", f"https://calendar.example/{i}", _calendar(here).encode()))
        if i < 2:
            unfinished = magazine("A fresh start", [third, _LATIN, first], "new.example", here)
            pages.append(Page("placeholder", f"https://new.example/{i}", unfinished.encode()))
    return pages


def _calendar(chance: Chance) -> str:
    known = [names(chance.of("day", k)) for k in range(24)]
    what = (
        "the choir meets",
        "talk with",
        "open day of",
        "walk to the mill with",
        "the market of",
        "chess and tea with",
    )
    rows = "\n".join(
        f"<p>{each['weekday']} at {7 + k % 5}: {chance.of('what', k).pick(what)} {each['person']} in {each['town']}</p>"
        for k, each in enumerate(known)
    )
    return f"<html><head><title>What is on</title></head><body><h1>What is on in {known[0]['month']}</h1>{rows}</body></html>"


def spam(chance: Chance) -> list[Page]:
    """Make link farms, stuffed pages and pages that hold nothing but a cookie notice."""
    words = bank("other/spam").passages[0].splitlines()
    pages = []
    for i in range(14):
        here = chance.of("farm", i)
        links = "\n".join(
            f'<li><a href="http://{here.of(k, "a").pick(words)}-{here.of(k, "b").pick(words)}-{k}.example/">'
            f"{here.of(k, 'c').pick(words)} {here.of(k, 'd').pick(words)}</a></li>"
            for k in range(60)
        )
        body = f"<html><head><title>Top links {i}</title></head><body><h1>Links</h1><ul>{links}</ul></body></html>"
        pages.append(Page("link_farm", f"http://links-{i}.example/", body.encode()))
    for i in range(10):
        here = chance.of("stuffed", i)
        first, second, third = here.order(words)[:3]
        line = f"{first} {second} {third} {second} {first} "
        body = (
            f"<html><head><title>{first} {second}</title></head><body><h1>{line}</h1>"
            + "".join(f"<p>{line * 6}{here.of(k).pick(words)}</p>" for k in range(8))
            + "</body></html>"
        )
        pages.append(Page("keyword_stuffing", f"http://{first}-{second}-{i}.example/{third}", body.encode()))
    for i in range(6):
        notice = (
            "We and our partners store cookies on your device. Choose which ones you accept.",
            "You can change your choice at any time in the settings.",
        )
        body = (
            f'<html><head><title>One moment</title></head><body><div id="consent">{paragraphs_html(notice)}'
            f"<button>Accept {i + 2} partners</button> <button>Reject</button></div></body></html>"
        )
        pages.append(Page("cookie_banner", f"https://gate-{i}.example/welcome", body.encode()))
    return pages

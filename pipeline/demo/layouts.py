"""Web pages around a text: six ways in which sites wrap what they have to say in what they always say."""

from collections.abc import Callable, Sequence
from html import escape

from pipeline.demo.chance import Chance

_MENU = (
    "Home", "About us", "Archive", "Contact", "Newsletter", "Imprint", "Events", "Gallery", "Shop", "Members",
    "Support", "Partners", "Jobs", "Press", "Search", "Log in",
)  # fmt: skip
_TEASERS = (
    "Ten photographs from last summer", "The calendar for next month", "Readers write: your best mistakes",
    "A map of every bench in the county", "Why we moved our office", "Interview with the new chair",
    "Five books on our desk", "Lost and found", "What the council decided", "A recipe for a grey day",
    "Our survey: the results", "How to become a member", "Old pictures, new captions", "The quiet week",
)  # fmt: skip
_SCRIPT = (
    "<script>window.dataLayer=window.dataLayer||[];function track(){dataLayer.push(arguments)}"
    "track('page',{consent:false,ads:[1,2,3]});</script>"
)
_STYLE = (
    "<style>body{font:16px/1.5 Georgia,serif;margin:0}nav li{display:inline}.hidden{display:none}</style>"
)
_COOKIES = (
    '<div class="cookie-banner" role="dialog"><p>This website uses cookies to improve your visit.</p>'
    "<button>Accept all</button><button>Settings</button></div>"
)

Layout = Callable[[str, Sequence[str], str, Chance], str]


def paragraphs_html(paragraphs: Sequence[str]) -> str:
    """Return one `<p>` per paragraph, with text escaped."""
    return "\n".join(f"<p>{escape(paragraph, quote=False)}</p>" for paragraph in paragraphs)


def _list(items: Sequence[str]) -> str:
    slugs = [item.lower().replace(" ", "-").replace(":", "").replace(",", "") for item in items]
    rows = (f'<li><a href="/{slug}">{item}</a></li>' for slug, item in zip(slugs, items, strict=True))
    return f"<ul>{''.join(rows)}</ul>"


def _menu(chance: Chance, count: int) -> str:
    return _list(chance.of("menu").order(_MENU)[:count])


def _teasers(chance: Chance, count: int) -> str:
    return _list(chance.of("teasers").order(_TEASERS)[:count])


def _head(title: str, site: str, extra: str = "") -> str:
    return (
        f'<head><meta charset="utf-8">{extra}<title>{escape(title)} | {site}</title>'
        f'<meta name="viewport" content="width=device-width">{_STYLE}</head>'
    )


def blog(title: str, paragraphs: Sequence[str], site: str, chance: Chance) -> str:
    """HTML5 elements: header, nav, main, article, aside, footer."""
    return f"""<!DOCTYPE html>
<html lang="en">{_head(title, site)}
<body>{_COOKIES}<header><a href="/">{site}</a><nav>{_menu(chance, 6)}</nav></header>
<main><article><h1>{escape(title)}</h1>
{paragraphs_html(paragraphs)}
</article></main>
<aside><h2>Read on</h2>{_teasers(chance, 5)}</aside>
<footer><p>&copy; 2024 {site} &middot; All rights reserved</p>{_menu(chance.of("footer"), 4)}</footer>
{_SCRIPT}</body></html>"""


def magazine(title: str, paragraphs: Sequence[str], site: str, chance: Chance) -> str:
    """Nested divisions with telling class names, and a teaser in the middle of the text."""
    middle = len(paragraphs) // 2
    return f"""<!DOCTYPE html>
<html>{_head(title, site)}
<body class="single"><div id="page"><div class="topbar navigation">{_menu(chance, 8)}</div>
<div class="content-wrapper"><div class="content"><h1 class="headline">{escape(title)}</h1>
<div class="meta">By our staff</div>
<div class="article-body">{paragraphs_html(paragraphs[:middle])}
<div class="related sidebar">{_teasers(chance, 3)}</div>
{paragraphs_html(paragraphs[middle:])}</div>
<div class="share social-share"><a href="/share?a">Share</a> <a href="/share?b">Send</a> <a href="/print">Print</a></div>
</div><div class="sidebar">{_teasers(chance.of("side"), 6)}</div></div>
<div class="footer" id="footer"><p>Powered by goodwill and coffee</p>{_menu(chance.of("footer"), 6)}</div></div>
{_SCRIPT}</body></html>"""


def table(title: str, paragraphs: Sequence[str], site: str, chance: Chance) -> str:
    """The web of 1999: a table for the layout, line breaks for paragraphs, upper case tags."""
    body = "<BR><BR>\n".join(escape(paragraph, quote=False) for paragraph in paragraphs)
    links = "<BR>".join(f'<A HREF="/{i}.htm">{name}</A>' for i, name in enumerate(chance.order(_MENU)[:7]))
    return f"""<HTML><HEAD><TITLE>{escape(title)}</TITLE><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=utf-8"></HEAD>
<BODY BGCOLOR="#ffffee"><TABLE WIDTH="100%"><TR><TD COLSPAN=2><FONT SIZE=5>{site}</FONT></TD></TR>
<TR><TD WIDTH=140 VALIGN=top>{links}</TD><TD><H2>{escape(title)}</H2>
{body}
</TD></TR><TR><TD COLSPAN=2><HR><SMALL>Best viewed at 800 by 600</SMALL></TD></TR></TABLE></BODY></HTML>"""


def handbook(title: str, paragraphs: Sequence[str], site: str, chance: Chance) -> str:
    """Documentation: a tree of chapters at the left, headings inside the text, pages before and after."""
    sections = "\n".join(
        f'<section id="s{i}"><h2>Section {i}</h2>{paragraphs_html(paragraphs[start : start + 2])}</section>'
        for i, start in enumerate(range(0, len(paragraphs), 2), start=1)
    )
    return f"""<!DOCTYPE html>
<html lang="en-GB">{_head(title, site)}
<body><nav class="toc" aria-label="Contents">{_teasers(chance, 8)}</nav>
<main role="main"><h1>{escape(title)}</h1>
{sections}
<nav class="pager"><a rel="prev" href="/p">Previous</a> <a rel="next" href="/n">Next</a></nav></main>
<footer>{site}, edition of 2024</footer></body></html>"""


def plain(title: str, paragraphs: Sequence[str], site: str, chance: Chance) -> str:
    """Hardly any mark-up, tags left open, as written by hand."""
    body = "\n<p>".join(escape(paragraph, quote=False) for paragraph in paragraphs)
    link = chance.pick(_MENU)
    return f"""<html><head><title>{escape(title)}</title></head>
<body><h1>{escape(title)}</h1>
<p>{body}
<hr><a href="/">{site}</a> | <a href="/x">{link}</a>
</body></html>"""


def portal(title: str, paragraphs: Sequence[str], site: str, chance: Chance) -> str:
    """Much around little: two menus, hidden text, comments below, structured data."""
    comments = "".join(
        f'<div class="comment"><b>visitor{chance.of("c", i).below(900)}</b><p>{remark}</p></div>'
        for i, remark in enumerate(("Thank you, this was helpful.", "First!", "I see it differently."))
    )
    return f"""<!DOCTYPE html>
<html lang="en">{_head(title, site)}
<body><!-- start of page --><ul class="skip"><li><a href="#main">Skip to content</a></li></ul>
<div class="mega-menu menu"><div>{_menu(chance, 10)}</div><div>{_menu(chance.of("second"), 6)}</div></div>
<div class="hidden" style="display:none">Please enable the newsletter popup.</div>
<div id="main"><h1>{escape(title)}</h1><div class="entry-content">
{paragraphs_html(paragraphs)}
</div></div><div class="comments" id="comments"><h3>Three comments</h3>{comments}</div>
<div class="sidebar widget">{_teasers(chance, 7)}</div>
<script type="application/ld+json">{{"@type":"WebPage","name":"portal"}}</script>
<div class="footer">{_menu(chance.of("footer"), 8)}<p>{site}</p></div></body></html>"""


LAYOUTS: tuple[Layout, ...] = (blog, magazine, table, handbook, plain, portal)

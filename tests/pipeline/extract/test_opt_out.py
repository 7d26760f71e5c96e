import pytest

from pipeline.extract.limits import Limits
from pipeline.extract.opt_out import opt_out_signals
from pipeline.extract.page import Page, extract_page


@pytest.mark.parametrize(
    ("header", "signals"),
    [
        ("X-Robots-Tag: noindex", ("noindex",)),
        ("x-robots-tag:NoIndex, NOFOLLOW", ("nofollow", "noindex")),
        ("X-Robots-Tag: googlebot: noindex, nofollow", ("nofollow", "noindex")),
        ("X-Robots-Tag: otherbot: none", ("nofollow", "noindex")),
        ("X-Robots-Tag: noai, noimageai", ("noai", "noimageai")),
        ("X-Robots-Tag: all", ()),
        ("X-Robots-Tag: max-snippet:20, unavailable_after: 25 Jun 2030 15:00:00 PST", ()),
        ("tdm-reservation: 1", ("tdm-reservation",)),
        ("TDM-Reservation: 0", ()),
        ("tdm-policy: https://example.org/policy.json", ("tdm-policy",)),
        ("server: noindex", ()),
        ("no header at all", ()),
    ],
)
def test_headers(header: str, signals: tuple[str, ...]) -> None:
    assert opt_out_signals([header], []) == signals


@pytest.mark.parametrize(
    ("html", "signals"),
    [
        ("<meta name=robots content=noindex>", ("noindex",)),
        ('<META CONTENT="NOINDEX,NoFollow" NAME="ROBOTS">', ("nofollow", "noindex")),
        ("<meta name='robots' content='index, follow, max-image-preview:large'>", ()),
        ("<meta name='robots' content='noai,noimageai'/>", ("noai", "noimageai")),
        ("<meta name='googlebot' content='noarchive'>", ("noarchive",)),
        ("<meta name='GPTBot' content='noindex'>", ("noindex",)),
        ("<meta name='slurp' content='nosnippet'>", ("nosnippet",)),
        (
            "<meta name=tdm-reservation content=1><meta name=tdm-policy content=/p>",
            ("tdm-policy", "tdm-reservation"),
        ),
        ("<meta name=robots>", ()),
        ("<meta name=description content='robots should noindex'>", ()),
        ("<meta name=keywords content=noindex>", ()),
        ("<!-- <meta name=robots content=noindex> -->", ()),
        ("<script>'<meta name=robots content=noindex>'</script>", ()),
        ("<textarea><meta name=robots content=noindex></textarea>", ()),
        ("&lt;meta name=robots content=noindex&gt;", ()),
        ("<p title='<meta name=robots content=noindex>'>", ()),
        ("write noindex into robots, says bot", ()),
    ],
)
def test_meta_tags(html: str, signals: tuple[str, ...]) -> None:
    page = Page(f"<html><head><title>t</title></head><body>{html}<p>Some text to be kept.</p>".encode())
    assert extract_page(page, extractor="all_text", limits=Limits()).opt_out == signals


def test_headers_and_tags_come_together_also_for_pages_without_text() -> None:
    page = Page(b"<meta name=robots content=noai>", robots=("X-Robots-Tag: noindex",))
    found = extract_page(page, extractor="resiliparse", limits=Limits())
    assert (found.fate, found.rule, found.opt_out) == ("removed", "no_text", ("noai", "noindex"))

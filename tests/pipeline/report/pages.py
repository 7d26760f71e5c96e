"""What a browser would make of a page."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br", "rect", "line", "path", "img", "link", "input"}


@dataclass
class Page:
    """Tags, attributes and texts of a page; fails on tags that do not close in order."""

    tags: set[str] = field(default_factory=set)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)  # tag, name, value
    style: str = ""
    text: str = ""
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)  # class of the line: rule: count
    cells: list[list[str]] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[str] = []
        self.kinds: list[str] = []
        self.line = ("", "")

    def handle_starttag(self, tag, attrs):
        self.page.tags.add(tag)
        self.page.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.page.cells.append([])
        if tag in {"td", "th"}:
            self.page.cells[-1].append("")
        if tag not in _VOID:
            self.open.append(tag)
            self.kinds.append(dict(attrs).get("class") or "")

    def handle_startendtag(self, tag, attrs):
        self.page.tags.add(tag)
        self.page.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()
        self.kinds.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.page.style += data
            return
        self.page.text += data
        if any(tag in {"td", "th"} for tag in self.open):
            self.page.cells[-1][-1] += data
        if "summary" in self.open and any(kind.split(" ")[0] == "reason" for kind in self.kinds):
            kind = next(kind for kind in self.kinds if kind.split(" ")[0] == "reason")
            if self.open[-1] == "code":
                self.line = (kind, data)
            if self.kinds[-1] == "count":
                self.page.reasons.setdefault(self.line[0], {})[self.line[1]] = int(data.replace(",", ""))


def read_page(html: str) -> Page:
    """Parse a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == [], f"{reader.open} stay open"
    return reader.page


def table_of(page: Page, first: str) -> list[list[str]]:
    """The rows of the table whose head begins with this cell, up to the next head."""
    begin = next(number for number, row in enumerate(page.cells) if row[0] == first)
    return page.cells[begin:]

import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.exclusions import Excluded, Exclusions
from pipeline.report import part_rows
from pipeline.report.html_parts import clean, foreign, shown, table
from pipeline.report_stage import write_report
from pipeline.workspace import Workspace
from tests.pipeline.report.pages import read_page, table_of

TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "div",
        "header",
        "nav",
        "main",
        "section",
        "h1",
        "h2",
        "h3",
        "p",
    ),
    *(
        "ul",
        "li",
        "a",
        "b",
        "i",
        "br",
        "span",
        "code",
        "bdi",
        "pre",
        "details",
        "summary",
        "figure",
        "figcaption",
    ),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "rect", "line", "path", "text"),
}
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=http://evil.example/x onerror='alert(1)'>",
    "' onmouseover=alert(1) x='",
    "</style></title></details></table><!--",
    "&lt;b&gt; &#x3c;script&#x3e;",
    "\u202etxt.exe\u2066\x00\x1b[31m\x9b",
    "x" * 20_000,
]
HUGE = ["<b>" * 350_000]


def page_of(workspace):
    write_report(str(workspace))
    return (workspace / "report.html").read_text(encoding="utf-8")


def assert_harmless(html):
    page = read_page(html)
    assert page.tags <= TAGS
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in {"src", "srcset", "xlink:href", "action", "data", "background"}, (tag, name)
        assert name != "href" or re.fullmatch("#[a-z]+", value), value
        assert name != "style" or re.fullmatch(r"width:[0-9.]+%", value), value
    assert not re.search(r"url\(|@import|expression|<", page.style)
    return page


def poison(workspace, source, strings=HOSTILE):
    """Put hostile strings in place of all that a page is free to choose."""
    for place, path in enumerate(sorted((workspace / "documents" / source).iterdir())):
        table = pq.read_table(path)
        for offset, name in enumerate(("url", "title", "text", "detail")):
            values = [
                None if name == "text" and old is None else strings[(row + offset + place) % len(strings)]
                for row, old in enumerate(table[name].to_pylist())
            ]
            column = table.schema.get_field_index(name)
            table = table.set_column(column, table.schema.field(name), pa.array(values, pa.string()))
        pq.write_table(table, path)


def test_the_page_loads_nothing_and_runs_nothing(built):
    html = (built / "report.html").read_text(encoding="utf-8")
    page = assert_harmless(html)
    policy = next(
        value for tag, name, value in page.attributes if name == "content" and "default-src" in value
    )
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    anchors = {value for _, name, value in page.attributes if name == "href"}
    assert anchors == {
        f"#{value}" for tag, name, value in page.attributes if (tag, name) == ("section", "id")
    }


def test_its_numbers_are_the_ledgers(built):
    page = read_page((built / "report.html").read_text(encoding="utf-8"))
    ledger = json.loads((built / "ledger.json").read_text())
    removed: dict[str, int] = {}
    for source in ledger["sources"].values():
        for rule, number in source["removed"].items():
            removed[rule] = removed.get(rule, 0) + number
    assert page.reasons["reason removed"] == removed
    assert page.reasons["reason"] == {name: source["kept"] for name, source in ledger["sources"].items()}
    rows = {row[0]: row for row in table_of(page, "source")[1 : 2 + len(ledger["sources"])]}
    for name, source in ledger["sources"].items():
        told = [
            int(cell.replace(",", ""))
            for cell in (*rows[name][1 : 2 + len(source["stages"])], *rows[name][-2:])
        ]
        left = [sums["kept"] for sums in source["stages"].values()]
        assert told == [
            source["records"],
            *left,
            sum(source["removed"].values()),
            sum(source["failed"].values()),
        ]


def test_three_examples_stand_at_every_reason(built):
    html = (built / "report.html").read_text(encoding="utf-8")
    ledger = json.loads((built / "ledger.json").read_text())
    for rule, number in ledger["sources"]["crawl"]["removed"].items():
        line = re.search(
            rf"<details class=\"reason removed\"><summary><code>{rule}</code>.*?</details>", html, re.DOTALL
        )
        assert line is not None
        assert line[0].count('class="example"') == min(3, number)


def test_the_page_of_the_build_is_that_of_the_command(built, copy):
    before = (built / "report.html").read_bytes(), (built / "README.md").read_bytes()
    write_report(str(copy))
    assert ((copy / "report.html").read_bytes(), (copy / "README.md").read_bytes()) == before


def test_only_the_times_depend_on_the_clock(built, copy):
    build = json.loads((copy / "build.json").read_text())
    for stage in build["stages"]:
        stage["seconds"] *= 3
        stage["cpu_seconds"] += 1
    (copy / "build.json").write_text(json.dumps(build))
    without = [
        re.sub(
            r"<section id=\"times\">.*?</section>|crawlmix-report\" content=\"[0-9a-f]+",
            "",
            page,
            flags=re.DOTALL,
        )
        for page in (page_of(copy), (built / "report.html").read_text(encoding="utf-8"))
    ]
    assert without[0] == without[1]


def test_hostile_pages_are_escaped_and_cut(copy):
    poison(copy, "crawl")
    poison(copy, "books", HUGE)
    html = page_of(copy)
    page = assert_harmless(html)
    assert len(html) < 500_000
    assert "<script>alert(1)</script>" in page.text  # shown, as text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)


def test_pages_taken_out_are_not_shown(copy):
    html = page_of(copy)
    shown_urls = [
        url for url in re.findall(r'class="url"><bdi>([^<]*)</bdi>', html) if url.startswith("http")
    ]
    rows = [
        row
        for part in sorted((copy / "documents/crawl").iterdir())
        for row in pq.read_table(part).to_pylist()
    ]
    named = [Excluded("crawl", row["id"], row["url"], "url") for row in rows if row["url"] in shown_urls[:40]]
    Exclusions.of(named).write(Workspace(str(copy)))
    after = page_of(copy)
    assert named
    assert all(one.url not in after for one in named)


def test_of_many_parts_some_are_read_always_the_same(copy, monkeypatch):
    whole = page_of(copy)
    monkeypatch.setattr(part_rows, "MAX_PARTS", 2)
    first, second = page_of(copy), page_of(copy)
    assert first == second
    page = read_page(first)
    assert "are of 5 of 8 parts, chosen by a hash of their names" in page.text
    assert page.reasons == read_page(whole).reasons  # counts are of everything


def test_a_report_leaves_no_password_in_a_url():
    from pipeline.report.facts import without_secrets

    text = "base_url: https://me:secret@data.example/crawl?signature=abc&x=1\npaths: [s3://bucket/a, a@b]"
    assert without_secrets(text) == "base_url: https://data.example/crawl?...\npaths: [s3://bucket/a, a@b]"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a <b> & \"c\" 'd'", "a &lt;b&gt; &amp; &quot;c&quot; &#x27;d&#x27;"),
        ("\ud800 lone \udfff", "\ufffd lone \ufffd"),
        ("two\n\n lines\t", "two lines"),
        ("a\x1b[31mb\x9b\u202ec", "a\ufffd[31mb\ufffd\ufffdc"),
        ("y" * 1_000_000, "y" * 300 + "\u2026"),
    ],
)
def test_texts_are_cleaned_escaped_and_cut(text, html):
    assert shown(text) == html
    assert foreign(text) == f"<bdi>{html}</bdi>"
    clean(text).encode()


def test_cells_are_escaped_once():
    assert '<td class="t">&lt;i&gt;</td><td>1,234</td>' in table(("a", "b"), [("<i>", 1234)])

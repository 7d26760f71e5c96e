import gzip
import re
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.annotate.blocklist import BlockList, ListFile, build_blocklist, host_of, hosts_of
from pipeline.annotate.url_rules import UrlRules, judge_urls
from pipeline.errors import UsageError

LABELS = st.text(alphabet="abc-1", min_size=1, max_size=3)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


def written(folder: Path, name: str, *lines: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(path)


def rules_broken(urls: list[str | None], rules: UrlRules) -> list[str | None]:
    found: list[str | None] = judge_urls(pa.array(urls, pa.string()), rules).column("rule").to_pylist()
    return found


@pytest.fixture
def blocklist(tmp_path: Path) -> Path:
    lists = [
        ListFile(written(tmp_path, "a.txt", "# comment", "Bad.com", "ads.good.org.", "", "0.0.0.0 tracker.net # ads", "bücher.de")),
        ListFile(written(tmp_path, "hosts.gz", "www.only.com"), kind="host"),
        ListFile(str(tmp_path / "ut1")),
        ListFile(written(tmp_path, "u.txt", "http://www.blog.com/~bad/", "blog.com/page?id=1"), kind="url"),
    ]  # fmt: skip
    written(tmp_path, "ut1/adult/domains", "adult.example")
    written(tmp_path, "ut1/warez/urls", "share.com/warez")
    written(tmp_path, "ut1/warez/usage", "black")
    assert build_blocklist(lists, tmp_path / "blocked") == 9
    return tmp_path / "blocked"


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://bad.com", "url_blocked_domain"),
        ("https://A.B.BAD.com.:8080/x?y#z", "url_blocked_domain"),
        ("//user:pw@bad.com/", "url_blocked_domain"),
        ("http://notbad.com/", None),
        ("http://bad.com.evil.org/", None),
        ("http://good.org/", None),
        ("http://x.ads.good.org/", "url_blocked_domain"),
        ("http://tracker.net", "url_blocked_domain"),
        ("http://www.bücher.de/", "url_blocked_domain"),
        ("http://xn--bcher-kva.de/", "url_blocked_domain"),
        ("http://adult.example/", "url_blocked_domain"),
        ("http://www.only.com/", "url_blocked_host"),
        ("http://only.com/", None),
        ("http://a.www.only.com/", None),
        ("https://blog.com/~bad", "url_blocked_url"),
        ("https://blog.com/~bad/2020/x.html", "url_blocked_url"),
        ("https://blog.com/~badly", None),
        ("https://blog.com:443/page?id=1#top", "url_blocked_url"),
        ("https://blog.com/page?id=12", None),
        ("https://www.share.com/warez/a", "url_blocked_url"),
        ("http://evil.org/?u=http://bad.com/", None),
        ("", None),
        (None, None),
        ("http://[2001:db8::1]:80/x", None),
    ],
)
def test_lists_block_names_and_what_is_under_them(blocklist: Path, url: str | None, rule: str | None) -> None:
    assert rules_broken([url], UrlRules(blocklist)) == [rule]


def test_a_decision_names_the_entry(blocklist: Path) -> None:
    found = judge_urls(pa.array(["http://x.bad.com/", "http://blog.com/~bad/1"]), UrlRules(blocklist))
    assert found.column("detail").to_pylist() == ["bad.com", "blog.com/~bad"]
    assert found.column("fate").to_pylist() == ["removed", "removed"]


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://a.com/Poker-night", "url_word"),
        ("http://a.com/pokers", None),
        ("http://a.com/adult/dating", "url_soft_words"),
        ("http://a.com/adult/adult", None),
        ("http://a.com/free-cas_ino.html", "url_substring"),
        ("http://a.com/other", None),
    ],
)
def test_words_of_urls(url: str, rule: str | None) -> None:
    rules = UrlRules(words=("poker",), soft_words=("Adult", "dating", "sexy"), substrings=("casino", "x.x(x"))
    assert rules_broken([url], rules) == [rule]


@given(
    st.sampled_from(["http://", "https://", "//", "ftp://"]),
    HOSTS,
    st.text(alphabet="ab/?#@:.é%", max_size=12),
)
@settings(max_examples=200)
def test_hosts_are_those_of_the_standard_library(scheme: str, host: str, rest: str) -> None:
    url = f"{scheme}{host}/{rest}"
    expected = (urlsplit(url).hostname or "").rstrip(".")
    assert host_of(url) == expected
    assert hosts_of(pa.array([url])).to_pylist() == [expected]


@given(st.lists(st.text(alphabet="aA.:/@[]?#\\é-1 \n", max_size=20) | st.text(max_size=8), max_size=5))
@example(["\u2024"])
@settings(max_examples=200, deadline=None)
def test_hosts_by_column_are_hosts_one_by_one(urls: list[str]) -> None:
    assert hosts_of(pa.array(urls, pa.string())).to_pylist() == [host_of(url) for url in urls]
    for url in urls:
        assert host_of(host_of(url)) == host_of(url)


@given(st.lists(HOSTS, min_size=1, max_size=8), st.lists(HOSTS, max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_list_blocks_exactly_its_domains(tmp_path: Path, listed: list[str], asked: list[str]) -> None:
    path = tmp_path / f"blocked-{zlib.crc32(repr(listed).encode())}"
    build_blocklist([ListFile(written(tmp_path, "list", *listed))], path)
    expected = [any(host == entry or host.endswith(f".{entry}") for entry in listed) for host in asked]
    found = rules_broken([f"http://{host}/" for host in asked], UrlRules(path))
    assert [rule is not None for rule in found] == expected


def test_the_file_does_not_depend_on_the_order_of_its_lists(tmp_path: Path) -> None:
    first, second = (
        ListFile(written(tmp_path, name, *lines))
        for name, lines in (("a", ["x.com", "y.com"]), ("b", ["y.com"]))
    )
    assert build_blocklist([first, second], tmp_path / "one") == 2
    assert build_blocklist([second, first], tmp_path / "two") == 2
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_five_million_domains_take_forty_megabytes(tmp_path: Path) -> None:
    count = 20_000
    path = tmp_path / "blocked"
    build_blocklist(
        [ListFile(written(tmp_path, "list", *(f"site{number}.example" for number in range(count))))], path
    )
    assert path.stat().st_size * (5_000_000 / count) < 50_000_000
    tables = BlockList.open(path).tables
    assert isinstance(tables["domain"].base, np.ndarray | np.memmap)
    assert len(tables["domain"]) == count


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the block list"),
        (b"bad.com\n", "not a block list; make one"),
        (b"", "not a block list; make one"),
        ("cut", "damaged block list"),
        ("version", "block list of another version"),
    ],
)
def test_a_foreign_or_damaged_list_is_one_clear_error(
    tmp_path: Path, blocklist: Path, content: bytes | str | None, message: str
) -> None:
    path = tmp_path / "other"
    whole = blocklist.read_bytes()
    if content == "cut":
        path.write_bytes(whole[:-3])
    elif content == "version":
        path.write_bytes(whole[:19] + b"\x09" + whole[20:])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(UsageError, match=f"{re.escape(str(path))}.*{message}"):
        judge_urls(pa.array(["http://a.com"]), UrlRules(path))


def test_lists_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UsageError, match="no-such-file"):
        build_blocklist([ListFile(str(tmp_path / "no-such-file"))], out)
    with pytest.raises(UsageError, match=r"empty: no entry to block; expected one domain a line"):
        build_blocklist([ListFile(written(tmp_path, "empty", "# nothing"))], out)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\0bad\n")
    with pytest.raises(UsageError, match=r"binary: not a list of names"):
        build_blocklist([ListFile(str(tmp_path / "binary"))], out)
    assert not out.exists()

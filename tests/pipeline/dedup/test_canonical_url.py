import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.canonical_url import MAX_CHARS, canonical_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://Example.COM:443/", "http://example.com/"),
        ("http://example.com", "http://example.com/"),
        ("http://example.com:8080/a/", "http://example.com:8080/a"),
        ("http://user:secret@example.com./a#part", "http://example.com/a"),
        ("http://example.com/index.html", "http://example.com/"),
        ("http://example.com/a/INDEX.HTM?x=1", "http://example.com/a?x=1"),
        ("http://example.com/a?utm_source=x&b=2&a=1&fbclid=y&UTM_Medium=z", "http://example.com/a?a=1&b=2"),
        ("http://example.com/a?", "http://example.com/a"),
        # RFC 3986, section 6.2.2: the escapes and the dot segments of its examples.
        ("http://example.com/%7euser/%c3%a9", "http://example.com/~user/%C3%A9"),
        ("http://example.com/\u00e9", "http://example.com/%C3%A9"),
        ("http://example.com/a/./b/../b/%63/%7bfoo%7d", "http://example.com/a/b/c/%7Bfoo%7D"),
        ("http://example.com/../../a/..", "http://example.com/"),
        ("http://example.com/a%2Fb", "http://example.com/a%2Fb"),
        ("http://example.com/100%", "http://example.com/100%25"),
        ("http://b\u00fccher.example/", "http://xn--bcher-kva.example/"),
        ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]/"),
        (" http://example.com/a b\n", "http://example.com/ab"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("http://[broken/", "http://[broken/"),
        ("http://example.com:port/", "http://example.com:port/"),
        ("", ""),
    ],
)
def test_spellings_of_one_address_become_one(url: str, expected: str) -> None:
    assert canonical_url(url) == expected


def test_an_endless_address_is_left_alone() -> None:
    url = "HTTP://example.com/" + "a" * MAX_CHARS
    assert canonical_url(url) == url


@given(st.text("aZ%2eEf./?&=#:@[]\u00e9 utm_", max_size=40))
def test_a_canonical_address_is_its_own(rest: str) -> None:
    once = canonical_url("http://example.com/" + rest)
    assert canonical_url(once) == once

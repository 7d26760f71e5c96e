import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.annotate.pii import EMAIL, IPV4, IPV6, PHONE, mask_pii
from pipeline.errors import UsageError

ALL = ("email", "ip", "phone")


def masked(text: str, kinds: tuple[str, ...] = ALL) -> str:
    found = mask_pii(pa.array([text]), kinds=kinds).texts.to_pylist()[0]
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jane.doe+news@mail.example.co.uk.", f"Write to {EMAIL}."),
        ("<a.b@c-d.org>, 'x_y@z.museum'", f"<{EMAIL}>, '{EMAIL}'"),
        ("mailto:me@site.de?subject=Hi", f"mailto:{EMAIL}?subject=Hi"),
        ("?mail=me@site.com&x=1", f"?mail={EMAIL}&x=1"),
        ("me@site.com-based", f"{EMAIL}-based"),
        ("a@b.xn--p1ai", EMAIL),
        (
            "@handle, a @ b.com, me@localhost, me@host.c, x@-y.com",
            "@handle, a @ b.com, me@localhost, me@host.c, x@-y.com",
        ),
        ("end.@b.com", "end.@b.com"),
        ("a@b.com a@b.com,c@d.net", f"{EMAIL} {EMAIL},{EMAIL}"),
    ],
)
def test_email_addresses(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "193.99.144.80", "223.255.255.254"])
def test_public_ipv4_addresses_go(address: str) -> None:
    assert masked(f"Host {address}:80, ({address}).") == f"Host {IPV4}:80, ({IPV4})."


@pytest.mark.parametrize(
    "address",
    # RFC 1918, loopback, link-local, carrier NAT, documentation, multicast, broadcast, unspecified, benchmarking
    ["10.0.0.1", "172.16.5.4", "192.168.1.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "192.0.2.7", "198.51.100.2",
     "203.0.113.9", "224.0.0.1", "255.255.255.255", "0.0.0.0", "198.18.0.1"],
)  # fmt: skip
def test_special_ipv4_addresses_stay(address: str) -> None:
    assert masked(f"Host {address} up") == f"Host {address} up"


@pytest.mark.parametrize(
    "text", ["1.2.3", "256.1.1.1", "1.2.3.4.5", "8.8.8.888", "08.8.8.8", "12.5.2021 10.30", "3.141592.6"]
)
def test_what_looks_like_an_ipv4_address_stays(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dns 2001:4860:4860::8888!", f"dns {IPV6}!"),
        ("[2a00:1450:4001:0829:0000:0000:0000:200e]:443", f"[{IPV6}]:443"),
        ("::1 fe80::1 fd00::1 2001:db8::7 std::add 12:30:45 2021:03:04 ab::cd", None),
    ],
)
def test_ipv6_addresses(text: str, expected: str | None) -> None:
    assert masked(text) == (expected or text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Call (212) 555-1234 or 415-555-2671.", f"Call {PHONE} or {PHONE}."),
        ("Tel. +49 30 901820, +44 20 7946 0958, +33 1.42.68.53.00", f"Tel. {PHONE}, {PHONE}, {PHONE}"),
        ("In 1999-2004, 10 000 000 people, 2020-12-31, ISBN 0306406152, 555-1234", None),
    ],
)
def test_phone_numbers_are_an_option(text: str, expected: str | None) -> None:
    assert masked(text) == (expected or text)
    assert masked(text, ("email", "ip")) == text


def test_counts_stand_beside_the_texts() -> None:
    texts = pa.array(
        ["a@b.com and c@d.org from 8.8.8.8 and 2001:4860::1", None, "nothing", ""], pa.large_string()
    )
    found = mask_pii(texts)
    assert found.texts.to_pylist() == [f"{EMAIL} and {EMAIL} from {IPV4} and {IPV6}", None, "nothing", ""]
    assert found.texts.type == pa.large_string()
    assert found.counts.to_pylist() == [
        {"email": 2, "ip": 2},
        {"email": None, "ip": None},
        {"email": 0, "ip": 0},
        {"email": 0, "ip": 0},
    ]


@given(
    st.lists(
        st.text(max_size=20)
        | st.text(alphabet="ab1.@-+': (8)", max_size=30)
        | st.sampled_from(["a@b.com", "8.8.8.8", "+49 30 901820"]),
        max_size=6,
    ),
    st.data(),
)
@settings(max_examples=100, deadline=None)
def test_masking_twice_or_in_parts_changes_nothing(texts: list[str], data: st.DataObject) -> None:
    array = pa.array(texts, pa.string())
    once = mask_pii(array, kinds=ALL)
    assert mask_pii(once.texts, kinds=ALL).texts == once.texts
    cut = data.draw(st.integers(0, len(texts)))
    parts = [mask_pii(part, kinds=ALL) for part in (array[:cut], array[cut:])]
    assert pa.concat_arrays([part.texts for part in parts]) == once.texts
    assert pa.Table.from_batches([part.counts for part in parts]).to_pylist() == once.counts.to_pylist()


@pytest.mark.parametrize(
    "unit",
    ["a@", "a@a.", "a.", "1.", "1.1.1.1.", "2001:", "+1", "1-", "(1", "212 ", "9" * 7, "a" * 70 + "@", "a-" * 40 + "@a.", "@a.b" * 9, "8.8.8.8 "],
)  # fmt: skip
def test_a_megabyte_of_near_misses_is_read_to_its_end(unit: str) -> None:
    text = (unit * ((1 << 20) // len(unit)))[: 1 << 20]
    last = mask_pii(pa.array([text, text + " a@b.com"]), kinds=ALL)
    counts = last.counts.to_pylist()
    assert counts[1]["email"] == counts[0]["email"] + 1
    assert last.texts[1].as_py().endswith(EMAIL)


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(
        UsageError, match=re.escape("unknown kind of personal data `name`; known: email, ip, phone")
    ):
        mask_pii(pa.array(["x"]), kinds=("name",))
    with pytest.raises(UsageError, match="no kind of personal data asked for"):
        mask_pii(pa.array(["x"]), kinds=())

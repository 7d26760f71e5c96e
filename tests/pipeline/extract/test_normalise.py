import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.extract.normalise import normalise_text

TEXT = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" \t\r\n\xa0\u0301\u0323e"))
)


@given(TEXT)
@settings(max_examples=300, deadline=None)
def test_the_form_is_nfc_with_clean_line_ends(text: str) -> None:
    found = normalise_text(text)
    assert unicodedata.is_normalized("NFC", found)
    assert "\r" not in found
    assert found == "\n".join(line.rstrip(" \t\xa0") for line in found.split("\n")).strip("\n")
    assert normalise_text(found) == found


@given(TEXT)
@settings(max_examples=200, deadline=None)
def test_nothing_but_space_and_form_changes(text: str) -> None:
    bare = "".join(unicodedata.normalize("NFC", text).replace("\xa0", " ").split())
    assert "".join(normalise_text(text).replace("\xa0", " ").split()) == bare


def test_marks_without_end_are_cut_to_thirty() -> None:
    # Bringing a million marks into canonical order takes Python hours.
    found = normalise_text("x" + "\u0301\u0323" * 500_000 + "y")
    assert found[0] == "x"
    assert found[-1] == "y"
    assert sum(unicodedata.combining(mark) != 0 for mark in found) == 30

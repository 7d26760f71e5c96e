"""Local files are plain files; what cannot be opened is one line."""

import re
import sys
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.storage.reading import exists, open_input, read_bytes, size


def test_a_local_file_is_a_plain_file(tmp_path: Path) -> None:
    path = tmp_path / "with space"
    path.write_bytes(b"content")
    for url in (str(path), path.as_uri()):
        with open_input(url) as file:
            assert (file.name, file.read()) == (str(path), b"content") or Path(file.name) == path
        assert size(url) == 7
        assert exists(url)
        assert read_bytes(url, 7) == b"content"


def test_what_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for url, text in [
        (tmp_path / "none", "there is no such file"),
        (tmp_path, "is a folder; name a file"),
        (tmp_path / "file/below", "cannot be read (Not a directory)"),
    ]:
        assert not exists(str(url))
        with pytest.raises(UsageError, match=re.escape(f"{url}: {text}")):
            open_input(str(url))


@pytest.mark.parametrize(
    ("url", "module", "text"),
    [
        ("s3://bucket/key", "s3fs", "reading s3:// needs the aws extra: pip install 'crawlmix[aws]'"),
        ("gs://bucket/key", "gcsfs", "reading gs:// needs the gcp extra: pip install 'crawlmix[gcp]'"),
    ],
)
def test_a_missing_extra_is_named(url: str, module: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for read in (open_input, size, exists):
        with pytest.raises(UsageError, match=re.escape(text)):
            read(url)

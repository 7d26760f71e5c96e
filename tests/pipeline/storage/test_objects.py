"""s3:// against moto's server on loopback, with a proxy before it that injects faults."""

import random
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import CrawlmixError, UsageError
from pipeline.storage import objects
from pipeline.storage.globs import expand
from pipeline.storage.listing import list_dir, remove
from pipeline.storage.manifest import read_manifest
from pipeline.storage.publish import publish, write_json, write_text
from pipeline.storage.reading import exists, open_input, read_bytes, size
from pipeline.storage.retry import NetworkPolicy
from tests.pipeline.storage.relay import Relay, relaying

s3fs = pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")

# botocore itself still asks for the time in a way that Python deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore.*")

CONTENT = random.Random(2).randbytes(400_003)
POLICY = NetworkPolicy(read_timeout=5.0, block_bytes=128 << 10, tries=4)


@pytest.fixture(name="store", scope="module")
def _store() -> Iterator[int]:
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture(name="shared_relay", scope="module")
def _shared_relay(store: int) -> Iterator[Relay]:
    s3fs.S3FileSystem.clear_instance_cache()
    with relaying(store) as relay, pytest.MonkeyPatch.context() as patch:
        for key, value in {
            "AWS_ENDPOINT_URL": relay.url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }.items():
            patch.setenv(key, value)
        yield relay
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(name="relay")
def _relay(shared_relay: Relay) -> Relay:
    shared_relay.faults.clear()
    shared_relay.headers.clear()
    return shared_relay


@pytest.fixture(name="bucket")
def _bucket(relay: Relay) -> str:
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    relay.ask("PUT", f"/{name}")
    return f"s3://{name}"


def test_what_is_published_is_read_back(bucket: str, tmp_path: Path) -> None:
    url = f"{bucket}/documents/part-00000.parquet"
    assert not exists(url, POLICY)
    with publish(url, POLICY) as temp:
        temp.write_bytes(CONTENT)
        assert not exists(url, POLICY)
    assert not temp.exists()
    assert exists(url, POLICY)
    assert size(url, POLICY) == len(CONTENT)
    assert read_bytes(url, len(CONTENT), POLICY) == CONTENT
    with open_input(url, POLICY) as file:
        assert file.seek(-10, 2) == len(CONTENT) - 10
        assert file.read() == CONTENT[-10:]
        file.seek(40_000)
        assert file.read(300_000) == CONTENT[40_000:340_000]


def test_a_failed_writer_stores_nothing(bucket: str) -> None:
    def fail() -> None:
        with publish(f"{bucket}/file", POLICY) as temp:
            temp.write_bytes(b"half")
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert list_dir(bucket, POLICY) == []


def test_globs_lists_and_manifests(bucket: str) -> None:
    for key in ("crawl/b.gz", "crawl/a.gz", "crawl/deep/c.gz", "crawl/d.txt", "other/e.gz"):
        write_text(f"{bucket}/{key}", key, POLICY)
    write_json(f"{bucket}/list", "crawl/a.gz", POLICY)
    assert expand([f"{bucket}/crawl/*.gz"], "/", POLICY) == [
        f"{bucket}/crawl/{key}" for key in ("a.gz", "b.gz")
    ]
    assert expand([f"{bucket}/**/*.gz"], "/", POLICY) == [
        f"{bucket}/{key}" for key in ("crawl/a.gz", "crawl/b.gz", "crawl/deep/c.gz", "other/e.gz")
    ]
    assert list_dir(f"{bucket}/crawl", POLICY) == ["a.gz", "b.gz", "d.txt", "deep"]
    assert list_dir(f"{bucket}/crawl/", POLICY) == ["a.gz", "b.gz", "d.txt", "deep"]
    assert list_dir(bucket, POLICY) == ["crawl", "list", "other"]
    assert list_dir(f"{bucket}/none", POLICY) == []
    with pytest.raises(
        UsageError, match=re.escape(f"{bucket}/none/*.gz: matches no object in {bucket}/none")
    ):
        expand([f"{bucket}/none/*.gz"], "/", POLICY)
    write_text(f"{bucket}/paths", "crawl/b.gz\ncrawl/a.gz\n", POLICY)
    files = read_manifest(f"{bucket}/paths", bucket, None, 0, policy=POLICY)
    assert [read_bytes(file, 99, POLICY) for file in files] == [b"crawl/b.gz", b"crawl/a.gz"]
    remove(f"{bucket}/list", POLICY)
    remove(f"{bucket}/list", POLICY)
    assert list_dir(bucket, POLICY) == ["crawl", "other", "paths"]


@pytest.mark.parametrize("fault", ["500", "503", "slow down", "cut"])
@pytest.mark.parametrize("before", [0, 2])
def test_faults_while_reading_change_no_byte(relay: Relay, bucket: str, fault: str, before: int) -> None:
    url = f"{bucket}/file"
    write_bytes(url, CONTENT)
    relay.faults.extend([None] * before + [fault])
    waits: list[float] = []
    with open_input(url, POLICY, waits.append) as file:
        assert file.read() == CONTENT
    # aiohttp itself asks again when a connection that it kept ends before an answer begins.
    assert len(waits) == (0 if (fault, before) == ("cut", 0) else 1)


@pytest.mark.parametrize("fault", ["500", "503", "slow down"])
def test_faults_while_writing_and_listing_are_tried_again(relay: Relay, bucket: str, fault: str) -> None:
    waits: list[float] = []
    relay.faults.extend([fault, fault])
    write_text(f"{bucket}/file", "content", POLICY, waits.append)
    assert len(waits) == 2
    relay.faults.append(fault)
    assert list_dir(bucket, POLICY, waits.append) == ["file"]
    relay.faults.append(fault)
    assert exists(f"{bucket}/file", POLICY, waits.append)
    assert len(waits) == 4


def test_the_last_try_names_object_offset_and_cause(relay: Relay, bucket: str) -> None:
    url = f"{bucket}/file"
    write_bytes(url, CONTENT)
    with open_input(url, POLICY, lambda _: None) as file:
        assert file.read(10) == CONTENT[:10]
        relay.faults.extend(["slow down"] * 4)
        with pytest.raises(
            CrawlmixError,
            match=re.escape(f"{url}: gave up at byte 131072 after 4 tries, the last: SlowDown 503"),
        ):
            file.read()
    assert not relay.faults


def test_an_object_that_changes_is_never_mixed(bucket: str) -> None:
    url = f"{bucket}/file"
    write_bytes(url, CONTENT)
    with open_input(url, POLICY) as file:
        file.read(10)
        write_bytes(url, CONTENT[::-1])
        with pytest.raises(CrawlmixError, match=f"{url}: the object changed while it was read"):
            file.read()


def test_missing_and_forbidden_objects_end_at_once(relay: Relay, bucket: str) -> None:
    with pytest.raises(UsageError, match=f"{bucket}/none: there is no such object or bucket"):
        read_bytes(f"{bucket}/none", 10, POLICY)
    with pytest.raises(UsageError, match=r"matches no object in s3://no-such-bucket-here$"):
        expand(["s3://no-such-bucket-here/*.gz"], "/", POLICY)
    write_text(f"{bucket}/file", "x", POLICY)
    relay.faults.append("403")
    with pytest.raises(UsageError, match=f"{bucket}/file: the store refuses access"):
        read_bytes(f"{bucket}/file", 10, POLICY)
    write_text(f"{bucket}/folder/file", "x", POLICY)
    with pytest.raises(UsageError, match="is a folder; name an object"):
        read_bytes(f"{bucket}/folder", 10, POLICY)


def test_without_credentials_a_public_bucket_is_read_anonymously(
    relay: Relay, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = {"x-amz-acl": "public-read"}
    name = f"public-{uuid.uuid4().hex[:12]}"
    relay.ask("PUT", f"/{name}", headers=public)
    relay.ask("PUT", f"/{name}/file", CONTENT, headers=public)
    write_text(f"{bucket}/private", "x", POLICY)
    assert read_bytes(f"s3://{name}/file", len(CONTENT), POLICY) == CONTENT
    assert "Authorization" in relay.headers[-1]
    relay.headers.clear()
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(key)
    monkeypatch.setattr(objects, "_without_credentials", set())
    s3fs.S3FileSystem.clear_instance_cache()
    assert read_bytes(f"s3://{name}/file", len(CONTENT), POLICY) == CONTENT
    assert expand([f"s3://{name}/f*"], "/", POLICY) == [f"s3://{name}/file"]
    assert relay.headers
    assert not any("Authorization" in headers for headers in relay.headers)
    with pytest.raises(UsageError, match="refuses access without credentials, since none were found"):
        read_bytes(f"{bucket}/private", 10, POLICY)
    s3fs.S3FileSystem.clear_instance_cache()


def write_bytes(url: str, content: bytes) -> None:
    with publish(url, POLICY) as temp:
        temp.write_bytes(content)

"""Verification holds on good files and fails on each kind of damage."""

from pathlib import Path

import numpy as np
import pytest

from mixtures import verify
from mixtures.verify import verify_mixture
from tests.mixtures.corpora import make_mixture


def test_every_promise_holds_on_a_good_mixture(tmp_path: Path) -> None:
    path, _ = make_mixture(tmp_path, {"web": 60, "wiki": 22, "books": 8})
    checks = verify_mixture(path)
    assert [check.promise for check in checks if not check.held] == []
    assert len(checks) == 10


def test_a_changed_token_is_found(tmp_path: Path) -> None:
    path, _ = make_mixture(tmp_path, {"web": 1, "wiki": 1})
    shard = tmp_path / "shards/wiki/shard-00001.bin"
    shard.write_bytes(shard.read_bytes()[:-4] + b"\0\0" + shard.read_bytes()[-2:])
    failed = [check for check in verify_mixture(path) if not check.held]
    assert [check.promise.split(":")[0] for check in failed] == ["wiki"]
    assert "shard-00001.bin: expected SHA-256" in failed[0].found


def test_a_shuffle_that_repeats_a_window_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = make_mixture(tmp_path, {"web": 1})
    monkeypatch.setattr(verify, "permute", lambda slots, *_: np.maximum(slots, 1))
    failed = [check for check in verify_mixture(path, checksums=False) if not check.held]
    assert [check.found for check in failed] == ["epoch 0 misses window 0"]

"""Two builds never share a workspace; a dead one holds nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import CrawlmixError
from pipeline.storage.lock import lock

HOLDER = """
import os, sys, time
from pipeline.storage.lock import lock
with lock(sys.argv[1]):
    worker = os.fork() if sys.argv[2] == "fork" else None
    if worker == 0:
        os.setsid()
        time.sleep(30)
        os._exit(0)
    print(worker, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["plain", "fork"])
def test_a_second_build_is_told_who_holds_it_until_that_dies(tmp_path: Path, kind: str) -> None:
    folder = str(tmp_path / "workspace")
    command = [sys.executable, "-c", HOLDER, folder, kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        worker = holder.stdout.readline().strip()
        expected = f"{folder}: another build is running in this workspace (process {holder.pid} on {socket.gethostname()});"
        with pytest.raises(CrawlmixError, match=re.escape(expected)), lock(folder):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        try:
            with lock(folder):  # also while a worker that the dead build forked still lives
                pass
        finally:
            if worker != "None":
                os.kill(int(worker), signal.SIGKILL)


def test_a_lock_is_free_after_its_block_and_excludes_within_a_process(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            lock(str(tmp_path)),
            pytest.raises(CrawlmixError, match="another build is running"),
            lock(str(tmp_path)),
        ):
            pass


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CrawlmixError, match="cannot be used as workspace"),
        lock(str(tmp_path / "file/workspace")),
    ):
        pass

"""The command line in this process, for tests of what it prints and how it ends."""

from pathlib import Path
from typing import NamedTuple

import pytest

from pipeline.cli.main import run


class Told(NamedTuple):
    """Exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str


class Commands:
    """Runs `crawlmix` in a folder."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture

    def __call__(self, *arguments: object) -> Told:
        self._capture.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self._capture.readouterr()
        return Told(code, out, err)

    def line(self, *arguments: object) -> tuple[int, str]:
        """Run a command that must fail with one line; returns its code and that line."""
        told = self(*arguments)
        assert told.out == ""
        lines = [line for line in told.err.splitlines() if line.startswith("crawlmix: ")]
        assert len(lines) == 1, told.err
        assert told.err.splitlines()[-1] == lines[0]
        assert "Traceback" not in told.err
        assert "WARNING" not in told.err
        return told.code, lines[0].removeprefix("crawlmix: ")

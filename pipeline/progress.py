"""Progress on stderr: one live line on a terminal, plain lines elsewhere."""

import shutil
import sys
import threading
import time
from typing import TextIO

_PLAIN_SECONDS = 15.0
_LIVE_SECONDS = 0.2


class Progress:
    """Shows how far a stage is; thread-safe, and silent when `quiet`."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._quiet = quiet
        self._lock = threading.Lock()
        self.begin("", 0)

    def say(self, line: str) -> None:
        """Print a line that stays."""
        if self._quiet:
            return
        with self._lock:
            self._wipe()
            self._stream.write(line + "\n")
            self._stream.flush()

    def begin(self, stage: str, parts: int, total_bytes: int = 0) -> None:
        """Start counting a stage of so many parts and, when known, input bytes."""
        self._stage, self._parts, self._total = stage, parts, total_bytes
        self._done = self._records = self._bytes = 0
        self._start = self._shown = time.monotonic()

    def add(self, records: int, size: int) -> None:
        """Count records and input bytes."""
        with self._lock:
            self._records += records
            self._bytes += size
            self._show()

    def part_done(self) -> None:
        """Count a finished part."""
        with self._lock:
            self._done += 1
            self._show()

    def end(self) -> None:
        """Wipe the live line."""
        with self._lock:
            self._wipe()

    def _wipe(self) -> None:
        if self._live and not self._quiet:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _show(self) -> None:
        now = time.monotonic()
        if self._quiet or now - self._shown < (_LIVE_SECONDS if self._live else _PLAIN_SECONDS):
            return
        self._shown = now
        seconds = now - self._start
        share = self._bytes / self._total if self._total else self._done / self._parts if self._parts else 0
        line = f"{self._stage:<11}{self._done}/{self._parts} parts"
        if self._records:
            line += f", {self._records:,} records, {self._records / seconds:,.0f}/s"
        if 0 < share <= 1:
            line += f", {share:.0%}, {_duration(seconds * (1 - share) / share)} left"
        if self._live:
            width = shutil.get_terminal_size().columns
            line = f"\r\x1b[K{line[: width - 1]}"  # a line that wraps could not be wiped
        self._stream.write(line if self._live else line + "\n")
        self._stream.flush()


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"

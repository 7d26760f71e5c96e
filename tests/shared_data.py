"""Where the real test data lies; tests that need it skip where it is absent."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def shared(path: str) -> Path:
    """Return a file or folder of the shared data, or skip the test."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"needs the shared test data: {path} is not beside this checkout (../shared/data)")
    return found

import pytest

pytest.importorskip("torch", reason="needs PyTorch: pip install 'crawlmix[train]'")

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Models this small are slower on several threads, most of all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)

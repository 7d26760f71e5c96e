import os
import signal
import threading
from dataclasses import replace

import pytest

from pipeline.errors import UsageError
from pipeline.extract.guard import Guard, GuardSettings
from pipeline.extract.limits import Limits
from pipeline.extract.page import Page, extract_page
from tests.pipeline.extract.pages import ARTICLE, ENDLESS_DEPTH, nested, small_crawl

# Without limits on nesting the main-content pass of the real extractor computes for hours on this page.
NO_LIMITS = Limits(
    max_depth=10**9,
    max_tags=10**9,
    max_attributes=10**9,
    max_unclosed_formatting=10**9,
    max_byte_levels=10**18,
)
ENDLESS = nested(ENDLESS_DEPTH)
# Unclosed formatting makes the parser build a number of elements that grows with the square of the page.
HUNGRY = Page(b"".join(b"<p><font size=%d>x</p>" % size for size in range(4000)))


def expected(page: Page) -> object:
    return extract_page(page, extractor="resiliparse", limits=Limits())


def article(number: int) -> Page:
    return replace(ARTICLE, body=ARTICLE.body.replace(b"Bread", b"Bread %d" % number))


def test_the_child_gives_what_this_process_gives() -> None:
    pages = list(small_crawl())
    with Guard() as guard:
        found = guard.extract(pages)
        assert found == [expected(page) for page in pages]
        assert guard.extract([]) == []
        assert guard.restarts == 0


@pytest.mark.parametrize("batch_bytes", [1, 2000, 1 << 30])
def test_batches_change_nothing(batch_bytes: int) -> None:
    pages = [article(number) for number in range(20)] + [Page(b""), Page(b"caf\xe9", "latin-1", "text/plain")]
    with Guard(settings=GuardSettings(batch_bytes=batch_bytes)) as guard:
        assert guard.extract(pages) == [expected(page) for page in pages]


def test_an_endless_page_fails_and_its_neighbours_do_not() -> None:
    pages = [article(1), article(2), ENDLESS, article(3), article(4)]
    with Guard(limits=NO_LIMITS, settings=GuardSettings(cpu_seconds=0.5)) as guard:
        found = guard.extract(pages)
        assert guard.restarts == 2  # in the batch, and alone
    assert [one.fate for one in found] == ["kept", "kept", "failed", "kept", "kept"]
    assert (found[2].rule, found[2].detail) == ("extractor_timeout", "more than 0.5 s of CPU time")
    assert [found[index] for index in (0, 1, 3, 4)] == [expected(pages[index]) for index in (0, 1, 3, 4)]


def test_a_page_that_asks_for_too_much_memory_fails() -> None:
    pages = [article(1), HUNGRY, article(2)]
    with Guard(limits=NO_LIMITS, settings=GuardSettings(memory_bytes=512 << 20)) as guard:
        found = guard.extract(pages)
    assert [one.fate for one in found] == ["kept", "failed", "kept"]
    assert (found[1].rule, found[1].detail) == ("extractor_memory", f"more than {512 << 20} bytes of memory")


def test_a_child_killed_from_outside_costs_no_page() -> None:
    pages = [article(number) for number in range(1000)]
    with Guard() as guard:
        assert guard.extract(pages[:1]) == [expected(pages[0])]
        assert guard.child_id is not None
        killer = threading.Timer(0.05, os.kill, [guard.child_id, signal.SIGKILL])
        killer.start()
        found = guard.extract(pages)
        killer.join()
        assert guard.extract(pages[:1]) == [expected(pages[0])]
        assert guard.restarts == 1
    assert found == [expected(page) for page in pages]


def test_a_child_that_hangs_without_computing_is_replaced() -> None:
    with Guard(settings=GuardSettings(wall_seconds=5)) as guard:
        guard.extract([ARTICLE])
        assert guard.child_id is not None
        os.kill(guard.child_id, signal.SIGSTOP)
        guard.settings = GuardSettings(wall_seconds=0.3)
        stopped = guard.child_id
        guard.extract([ARTICLE])
        assert guard.child_id != stopped


def test_the_child_ends_with_the_guard() -> None:
    guard = Guard()
    guard.extract([ARTICLE])
    child = guard.child_id
    guard.close()
    assert guard.child_id is None
    assert child is not None
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    guard.close()


def test_cpu_seconds_are_those_of_all_its_children() -> None:
    with Guard(limits=NO_LIMITS, settings=GuardSettings(cpu_seconds=0.5)) as guard:
        guard.extract([ARTICLE])
        alive = guard.cpu_seconds()
        guard.extract([ENDLESS])
        both = guard.cpu_seconds()
    assert 0 < alive < 5
    assert both >= alive + 2 * 0.4  # in the batch, and alone
    assert guard.cpu_seconds() >= both


def test_an_unknown_extractor_is_the_users_error() -> None:
    with pytest.raises(UsageError, match="extractor `resilparse`: unknown; known are resiliparse"):
        Guard("resilparse")

import errno
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.training.limits import no_file_larger_than
from training.errors import TrainingError
from training.metrics import Metrics, read_metrics
from training.plot import draw, read_curves, write_plot

RECORD = {
    "tokens": 512, "loss": 5.0, "lr": 1e-3, "grad_norm": 1.0, "tokens_per_second": 1000.0, "mfu": 0.4,
    "memory_bytes": 2**30, "eta_seconds": 3700.0,
}  # fmt: skip


def record(step: int, **more: object) -> dict[str, object]:
    return RECORD | {"step": step, "tokens": 512 * step, "loss": 5.0 - step / 10} | more


def test_the_console_shows_every_nth_step(tmp_path: Path) -> None:
    lines: list[str] = []
    with Metrics(tmp_path, resumed=0, log_every=2, say=lines.append) as metrics:
        for step in range(1, 5):
            metrics.record(record(step))
    assert [line.split("  ")[0] for line in lines] == ["step 1", "step 2", "step 4"]
    assert "MFU 40.0%" in lines[0]
    assert "ETA 1:01:40" in lines[0]


def test_steps_after_the_checkpoint_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(record(step)) + "\n" for step in range(1, 6)) + '{"step": 6, "lo')
    with Metrics(tmp_path, resumed=3, log_every=1, say=lambda _: None) as metrics:
        metrics.record(record(4, loss=1.0))
    assert [(one["step"], one["loss"]) for one in read_metrics(path)] == [
        (1, 4.9),
        (2, 4.8),
        (3, 4.7),
        (4, 1.0),
    ]


def test_lines_that_a_full_disk_refuses_are_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.metrics.find_spec", lambda _: None)  # TensorBoard's thread would die aloud
    said: list[str] = []
    with Metrics(tmp_path, resumed=0, log_every=100, say=said.append) as metrics:
        metrics.record(record(1))
        size = metrics.path.stat().st_size
        with no_file_larger_than(size + 10):  # the first bytes of a line fit: they must not stay
            metrics.record(record(2))
            metrics.record(record(3))
            assert metrics.path.stat().st_size == size
        metrics.record(record(4))
    assert [one["step"] for one in read_metrics(metrics.path)] == [1, 2, 3, 4]
    assert [line for line in said if line.startswith("warning")] == [
        f"warning: {metrics.path} cannot be written (the disk is full); its lines are kept for later"
    ]


def test_a_run_outlives_tensorboard(tmp_path: Path) -> None:
    class Full:
        def add_scalar(self, *_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    said: list[str] = []
    with Metrics(tmp_path, resumed=0, log_every=100, say=said.append) as metrics:
        metrics._board = Full()
        for step in (2, 3):
            metrics.record(record(step))
    assert said == ["warning: TensorBoard gets no more numbers of this session (No space left on device)"]
    assert len(read_metrics(metrics.path)) == 2


def test_tensorboard_shows_the_same_numbers_and_a_continued_run_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs TensorBoard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    scores = {"web": {"loss": 4.0, "bits_per_byte": 1.5}}
    with Metrics(tmp_path, resumed=0, log_every=1, say=lambda _: None) as metrics:
        for step in (1, 2, 3):
            metrics.record(record(step))
    with Metrics(tmp_path, resumed=2, log_every=1, say=lambda _: None) as metrics:
        metrics.record(record(3, loss=1.0, validation=scores))
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(one.step, round(one.value, 3)) for one in events.Scalars("loss")] == [
        (1, 4.9),
        (2, 4.8),
        (3, 1.0),
    ]
    assert events.Scalars("validation/web/bits_per_byte")[0].value == 1.5


def test_weights_and_biases_must_be_there_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.metrics.find_spec", lambda _: None)
    with pytest.raises(TrainingError, match="`wandb` is not installed"):
        Metrics(tmp_path, resumed=0, log_every=1, wandb="project", say=lambda _: None)


def test_the_plot_is_a_page_of_its_own(tmp_path: Path) -> None:
    assert write_plot(tmp_path, title="nothing yet") is None
    scores = {"<b>web</b>": {"loss": 4.0, "bits_per_byte": 1.5}}
    with (tmp_path / "metrics.jsonl").open("w") as stream:
        for step in range(1, 4001):
            more = {"validation": scores} if step % 1000 == 0 else {}
            stream.write(json.dumps(record(step, loss=1 + 9 / step, **more)) + "\n")
    page = write_plot(tmp_path, title="a & b")
    assert page is not None
    text = page.read_text()
    assert "<script" not in text
    assert "<b>web" not in text
    assert len(text) < 60_000  # curves are thinned
    svg = ET.fromstring(draw(read_curves(tmp_path / "metrics.jsonl"), title="a & b"))
    lines = svg.findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.attrib["points"].split()) > 1 for line in lines] == [True, True]

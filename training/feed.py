"""Reads the micro-batches of this process ahead of the training loop."""

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from mixtures.dataset import MixtureDataset, rank_samples
from training.schedule import Schedule

_AHEAD = 2  # steps; reading is hundreds of times faster than training


@dataclass(frozen=True, slots=True)
class Step:
    """What one optimiser step consumes."""

    number: int  # from 1
    first: int  # sample
    size: int  # samples of the whole batch, over all processes
    micro_batches: list[Tensor]  # of this process: (micro-batch, sequence length + 1) int64


class Feed:
    """Steps from a sample on, without end; a thread reads ahead.

    The samples of a step depend on the schedule alone: [first, first + size) over all processes together.

    Args:
        dataset: the mixture.
        schedule: how large the batches are.
        rank, world: this process among all.
        micro_batch: sequences that a process handles at once.
        step, first: number of the first step and its first sample.
    """

    def __init__(
        self,
        dataset: MixtureDataset,
        schedule: Schedule,
        *,
        rank: int,
        world: int,
        micro_batch: int,
        step: int,
        first: int,
        pin: bool = False,
    ) -> None:
        self.waited = 0.0  # seconds that the loop stood still for data
        self._plan = (dataset, schedule, rank, world, micro_batch, step, first, pin)
        self._ready: queue.Queue[Step | BaseException] = queue.Queue(maxsize=_AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name="feed", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._ready.get(timeout=0.05)
            except queue.Empty:
                continue

    def __iter__(self) -> Iterator[Step]:
        while True:
            begin = time.perf_counter()
            found = self._ready.get()
            self.waited += time.perf_counter() - begin
            if isinstance(found, BaseException):
                raise found
            yield found

    def _read(self) -> None:
        dataset, schedule, rank, world, micro_batch, number, first, pin = self._plan
        try:
            while not self._stop.is_set():
                size = schedule.batch_size(first * schedule.sequence_length)
                samples = rank_samples(first, size, rank=rank, world=world, micro_batch=micro_batch)
                tokens = torch.from_numpy(dataset.batch(samples.ravel()).astype(np.int64))
                if pin:
                    tokens = tokens.pin_memory()
                self._ready.put(Step(number, first, size, list(torch.split(tokens, micro_batch))))
                number, first = number + 1, first + size
        except Exception as error:  # noqa: BLE001  the loop raises it where it can be seen
            self._ready.put(error)

"""Training speed by model size: tokens/s, MFU with its convention, and which attention kernel won.

    python -m benchmarks.training                       what suits the machine: 125M to 1.3B on a GPU, tiny on a processor
    torchrun --nproc-per-node 8 -m benchmarks.training --parallel fsdp

Targets on one H200 (2,048 tokens, bf16, compiled): 125M 354k tokens/s, 350M 137k, 760M 69k, 1.3B 45.6k.
The data are random tokens in shards that the benchmark makes itself, read through the real loader.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
import torch

from mixtures.manifest import TokenizerId
from mixtures.mixture import build_mixture
from mixtures.shard_writer import ShardWriter
from mixtures.shards import ShardSet
from training.distributed import world
from training.feed import Feed
from training.machine import convention, memory_bytes, utilisation
from training.run import Language, Run
from training.settings import TrainSettings

FLOORS = {"gpt3-125m": 354e3, "gpt3-350m": 137e3, "gpt3-760m": 69e3, "gpt3-1.3b": 45.6e3}
MICRO_BATCH = {"gpt3-125m": 32, "gpt3-350m": 32, "gpt3-760m": 16, "gpt3-1.3b": 16}
BATCH = 64
EOS = 50_256
SKIPPED = 3  # steps that compile and warm up


def make_data(folder: Path, *, length: int, documents: int = 2_000) -> Path:
    """A mixture of random tokens."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(100, 4_000, documents)
    tokens = draw.integers(0, EOS, int(lengths.sum())).astype(np.uint16)
    tokens[np.cumsum(lengths) - 1] = EOS
    with ShardWriter(
        folder / "shards",
        source="noise",
        tokenizer=TokenizerId("gpt2", "0" * 64),
        vocabulary_size=EOS + 1,
        eos_id=EOS,
    ) as writer:
        writer.add(tokens, lengths)
    path = folder / "noise.json"
    build_mixture(
        "noise", {"noise": ShardSet(folder / "shards")}, relative_to=folder, weights={"noise": 1},
        sequence_length=length, tokens=300_000_000, seed=0,
    ).write(path)  # fmt: skip
    return path


def measure(preset: str, mixture: Path, arguments: argparse.Namespace) -> None:
    """Time steps of one size and print a row."""
    chosen = TrainSettings(
        mixture=mixture,
        out=mixture.parent / preset,
        preset=preset,
        batch=arguments.batch,
        ramp=False,
        micro_batch=arguments.micro_batch or MICRO_BATCH.get(preset),
        device=arguments.device,
        parallel=arguments.parallel,
        pattern=arguments.pattern,
        kernel=arguments.kernel,
        compile=arguments.compile,
        validate_every=0,
    )
    with world(chosen.device) as processes:
        if processes.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        run = Run(chosen, processes, Language())
        races = run.build()
        seconds = []
        events = processes.device.type == "cuda"
        with Feed(
            run.dataset, run.schedule, rank=processes.rank, world=processes.size, micro_batch=run.micro_batch, step=1,
            first=0, pin=events,
        ) as feed:  # fmt: skip
            for step in feed:
                begin = torch.cuda.Event(enable_timing=True) if events else None
                if begin is not None:
                    end = torch.cuda.Event(enable_timing=True)
                    begin.record()
                    run.take(step)
                    end.record()
                    end.synchronize()
                    seconds.append(begin.elapsed_time(end) / 1000)
                else:
                    import time

                    start = time.process_time()
                    run.take(step)
                    seconds.append((time.process_time() - start) / torch.get_num_threads())
                if step.number >= SKIPPED + arguments.steps:
                    break
        typical = statistics.median(seconds[SKIPPED:])
        tokens = run.schedule.batch * run.length
        speed = tokens / typical
        mfu = utilisation(
            run.config, sequence_length=run.length, tokens_per_second=speed, device=processes.device,
            devices=processes.size,
        )  # fmt: skip
        if not processes.first:
            return
        floor = FLOORS.get(preset)
        print(
            f"{preset:10}  {speed:>10,.0f} tokens/s  "
            f"MFU {'-' if mfu is None else f'{mfu:.1%}'}  "
            f"{'' if floor is None or not events else f'{speed / (floor * processes.size):.2f} x floor  '}"
            f"{typical * 1000:,.0f} ms/step of {tokens:,} tokens  {memory_bytes(processes.device) / 2**30:.1f} GiB  "
            f"first steps {', '.join(f'{one:.1f}' for one in seconds[:SKIPPED])} s"
        )
        for race in races:
            print(
                f"{'':10}  attention: {race}"
                + "".join(f"; {name}: {why}" for name, why in race.refused.items())
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    cuda = torch.cuda.is_available()
    parser.add_argument("--presets", nargs="*", default=list(FLOORS) if cuda else ["tiny"])
    parser.add_argument("--steps", type=int, default=20 if cuda else 5)
    parser.add_argument("--batch", type=int, default=BATCH if cuda else 2)
    parser.add_argument("--micro-batch", type=int)
    parser.add_argument("--length", type=int, default=2048 if cuda else 256)
    parser.add_argument("--device")
    parser.add_argument("--parallel", default="ddp")
    parser.add_argument("--pattern")
    parser.add_argument("--kernel")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=None)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mixture = make_data(Path(folder), length=arguments.length)
        device = torch.device(arguments.device or ("cuda" if cuda else "cpu"))
        print(f"MFU: {convention(device)}")
        for preset in arguments.presets:
            measure(preset, mixture, arguments)


if __name__ == "__main__":
    main()

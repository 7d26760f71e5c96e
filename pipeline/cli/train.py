"""`crawlmix train`: train GPT-3's architecture on a mixture, on one processor or many GPUs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipeline.cli.mixture_file import MIXTURE_FILE

_FOLDER = click.Path(path_type=Path, file_okay=False)
_COUNT = click.IntRange(min=1)
_EVERY = click.IntRange(min=0)


@click.command("train")
@click.option(
    "--mixture",
    required=True,
    type=MIXTURE_FILE,
    help="Mixture file of a build, mixtures/NAME.json; of one on s3:// or gs:// a copy is made.",
)
@click.option(
    "--out", required=True, type=_FOLDER, help="Folder of the run; a run that is in there continues."
)
@click.option(
    "--preset",
    default="tiny",
    show_default=True,
    help="tiny, gpt3-125m, -350m, -760m, -1.3b, -2.7b, -6.7b, -13b, -175b.",
)
@click.option("--steps", type=_COUNT, help="Stop after so many steps in all; does not change the steps.")
@click.option(
    "--tokens",
    type=_COUNT,
    help="Length of the run, which its schedule is planned for.  [default: the mixture's]",
)
@click.option("--pattern", help="Attention of the layers in turn: L dense, S banded.  [default: LS]")
@click.option("--window", type=_COUNT, help="Keys that a banded layer sees.  [default: 256, tiny 32]")
@click.option("--context", type=_COUNT, help="Positions of the model.  [default: 2048]")
@click.option("--learning-rate", type=float, help="Peak of the schedule.  [default: the preset's]")
@click.option("--weight-decay", type=float, default=0.1, show_default=True, help="On matrices.")
@click.option(
    "--schedule-scale",
    type=float,
    help="Factor on the paper's warm-up, decay and ramp, made for 300 B tokens.  [default: fits the run]",
)
@click.option("--batch", type=_COUNT, help="Sequences of a full batch.  [default: the preset's]")
@click.option("--ramp/--no-ramp", default=True, help="Let the batch grow as in the paper.")
@click.option("--micro-batch", type=_COUNT, help="Sequences that a process handles at once, at most.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the initial parameters.")
@click.option("--device", help="cpu, cuda or cuda:N.  [default: a GPU if there is one]")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="[default: bf16 on a GPU, else fp32]")
@click.option(
    "--parallel",
    type=click.Choice(["ddp", "fsdp"]),
    default="ddp",
    show_default=True,
    help="What processes share under torchrun.",
)
@click.option("--compile/--no-compile", default=None, help="torch.compile each block.  [default: on a GPU]")
@click.option("--activation-checkpointing", is_flag=True, help="Less memory for a third more work.")
@click.option(
    "--mask-documents", is_flag=True, help="No attention across documents; the paper does not do this."
)
@click.option(
    "--kernel",
    type=click.Choice(["sdpa", "flex", "varlen", "reference"]),
    help="Attention kernel.  [default: the fastest that is right]",
)
@click.option(
    "--checkpoint-every", type=_EVERY, default=500, show_default=True, help="Steps; 0 for the end only."
)
@click.option("--keep", type=_COUNT, default=3, show_default=True, help="Checkpoints that stay.")
@click.option("--validate-every", type=_EVERY, default=500, show_default=True, help="Steps; 0 for never.")
@click.option(
    "--validation-windows", type=_COUNT, default=64, show_default=True, help="Windows of each source."
)
@click.option(
    "--sample-every",
    type=_EVERY,
    default=0,
    show_default=True,
    help="Steps between generated samples; 0 for none.",
)
@click.option(
    "--log-every", type=_COUNT, default=10, show_default=True, help="Steps between lines on the console."
)
@click.option("--tokenizer", help="Of the build, if it is not gpt2: for samples and bits per byte.")
@click.option(
    "--verify/--no-verify",
    default=None,
    help="Compare the SHA-256 of all shards first.  [default: up to 1 GiB of them]",
)
@click.option("--wandb", metavar="PROJECT", help="Also log to Weights & Biases.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON for scripts.")
def command(tokenizer: str | None, as_json: bool, **options: Any) -> None:
    """Train a model on a mixture; the same command continues a run that was stopped.

    Many GPUs: torchrun --nproc-per-node 8 -m pipeline.cli.main train --mixture ... --preset gpt3-125m --out ...
    """
    from pipeline.cli.language import language_of, need_torch

    need_torch()
    from pipeline.errors import UsageError
    from training.distributed import find_device
    from training.errors import TrainingError
    from training.loop import train
    from training.presets import find_preset
    from training.settings import TrainSettings

    try:
        settings = TrainSettings(**options)
        find_preset(settings.preset)
        find_device(settings.device)
    except TrainingError as error:
        raise UsageError(str(error)) from None
    outcome = train(settings, language_of(settings.mixture, tokenizer))
    if as_json:
        click.echo(json.dumps(asdict(outcome)))

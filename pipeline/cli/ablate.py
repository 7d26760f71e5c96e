"""`crawlmix ablate`: compare mixtures by training the same small model on each."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.mixture_file import MIXTURE_FILE

if TYPE_CHECKING:
    from training.load import Trained


@click.command("ablate")
@click.argument("mixtures", nargs=-1, required=True, type=MIXTURE_FILE)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the runs and of ablation.json.",
)
@click.option("--preset", default="tiny", show_default=True)
@click.option(
    "--tokens", type=click.IntRange(min=1), help="Of each run.  [default: what the smallest mixture asks for]"
)
@click.option("--seeds", default="0,1,2", show_default=True, help="One run of each mixture for each.")
@click.option(
    "--task",
    "tasks",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file of a task; several are fine.",
)
@click.option("--shots", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--limit", type=click.IntRange(min=1), help="Examples of each task.")
@click.option(
    "--validation-windows",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Windows of each source.",
)
@click.option(
    "--batch", type=click.IntRange(min=1), help="Sequences of a full batch.  [default: the preset's]"
)
@click.option("--device", help="cpu, cuda or cuda:N.  [default: a GPU if there is one]")
@click.option("--tokenizer", help="Of the build, if it is not gpt2; for tasks.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(mixtures: tuple[Path, ...], out: Path, preset: str, tokens: int | None, seeds: str, tasks: tuple[Path, ...], shots: int, limit: int | None,
            validation_windows: int, batch: int | None, device: str | None, tokenizer: str | None, as_json: bool) -> None:  # fmt: skip
    """Train the same model on each of MIXTURES with the same seeds and tokens; show loss and scores side by side."""
    from pipeline.cli.language import need_torch
    from pipeline.errors import UsageError

    need_torch()
    from mixtures.mixture import Mixture
    from pipeline.cli.evaluate import read_task, reader_of
    from training.ablate import ablate
    from training.evaluation import evaluate
    from training.settings import TrainSettings

    try:
        numbers = [int(seed) for seed in seeds.split(",")]
    except ValueError:
        raise UsageError(f"--seeds {seeds}: expected numbers such as 0,1,2") from None
    names = [path.stem for path in mixtures]
    if len(set(names)) < len(names):
        names = [f"{number}-{path.stem}" for number, path in enumerate(mixtures, 1)]
    read = [read_task(path) for path in tasks]

    def examine(trained: "Trained") -> dict[str, float]:
        reader = reader_of(trained, tokenizer)
        found = [evaluate(reader, task, shots=shots, limit=limit) for task in read]
        return {one.task: one.all.accuracy or 0.0 for one in found}

    settings = TrainSettings(
        mixture=mixtures[0],
        out=out,
        preset=preset,
        tokens=tokens or min(Mixture.read(path).tokens for path in mixtures),
        batch=batch,
        device=device,
        checkpoint_every=0,
        keep=1,
        validation_windows=validation_windows,
    )
    told = ablate(
        dict(zip(names, mixtures, strict=True)),
        settings,
        seeds=numbers,
        examine=examine if read else None,
        say=lambda line: click.echo(line, err=True),
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / "ablation.json").write_text(json.dumps(told.to_dict(), indent=1) + "\n", encoding="utf-8")
    click.echo(json.dumps(told.to_dict(), indent=1) if as_json else told.to_text())

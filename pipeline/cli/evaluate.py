"""`crawlmix evaluate`: zero-, one- and few-shot scores on local tasks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from training.evaluation import Reader
    from training.load import Trained
    from training.tasks import Task


@click.command("evaluate")
@click.argument("run", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--task",
    "tasks",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file of a task; several are fine.",
)
@click.option(
    "--shots",
    default="0",
    show_default=True,
    help="Solved examples before a question: 0, or a list such as 0,1,32.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw of these.")
@click.option("--limit", type=click.IntRange(min=1), help="Examples of each task.")
@click.option(
    "--clean",
    type=click.Path(path_type=Path, dir_okay=False),
    help="clean_ids.json of a decontamination: also score clean examples alone.",
)
@click.option("--device", help="cpu, cuda or cuda:N.  [default: a GPU if there is one]")
@click.option("--tokenizer", help="Of the build, if it is not gpt2.")
@click.option(
    "--lm-eval",
    "harness",
    metavar="TASKS",
    help="Run these tasks of lm-evaluation-harness instead; RUN is an export then.",
)
@click.option(
    "--include-path", type=click.Path(path_type=Path), help="Folder of task files for lm-evaluation-harness."
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Also write the results here as JSON."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def command(run: Path, tasks: tuple[Path, ...], shots: str, seed: int, limit: int | None, clean: Path | None, device: str | None,
            tokenizer: str | None, harness: str | None, include_path: Path | None, out: Path | None, as_json: bool) -> None:  # fmt: skip
    """Score the model of RUN, a folder of `crawlmix train` or one of its checkpoints, as GPT-3's paper does."""
    from pipeline.cli.language import need_torch
    from pipeline.errors import UsageError

    need_torch()
    counts = _shots(shots)
    if harness is not None:
        _lm_eval(run, harness, counts, limit, include_path, out)
        return
    if not tasks:
        raise UsageError("no task: give --task FILE.yaml, or --lm-eval TASKS for an exported model")
    from training.distributed import find_device
    from training.evaluation import evaluate
    from training.load import load_model

    trained = load_model(run, device=find_device(device))
    reader = reader_of(trained, tokenizer)
    clean_ids = {} if clean is None else _read_clean(clean)
    results = []
    for path in tasks:
        task = read_task(path)
        mine = clean_ids.get(task.benchmark or task.name)
        if clean is not None and mine is None:
            click.echo(
                f"{path}: no clean examples for it, since {clean} does not name `{task.benchmark or task.name}`; name the "
                f"benchmark with the key `benchmark`: {', '.join(sorted(clean_ids))}",
                err=True,
            )
        for count in counts:
            found = evaluate(
                reader,
                task,
                shots=count,
                seed=seed,
                limit=limit,
                clean_ids=None if mine is None else set(mine),
            )
            results.append(found.to_dict())
            if not as_json:
                click.echo(_line(found.to_dict()))
    text = json.dumps(results, indent=1)
    if out is not None:
        out.write_text(text + "\n", encoding="utf-8")
    if as_json:
        click.echo(text)


def read_task(path: Path) -> "Task":
    """Read the YAML file of a task."""
    import yaml

    from pipeline.errors import UsageError
    from training.tasks import Task

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(raw, dict):
        raise UsageError(f"{path}: expected the keys of a task: kind, data, prompt, answer")
    return Task.from_dict(raw, file=path)


def reader_of(trained: "Trained", tokenizer: str | None) -> "Reader":
    """A trained model together with the tokenizer that its mixture names."""
    from pipeline.cli.language import tokenizer_named
    from training.evaluation import Reader

    found = tokenizer_named(trained.position.mixture, tokenizer)

    def encode(text: str) -> list[int]:
        ids: list[int] = found.base.encode(text, add_special_tokens=False).ids
        return ids

    return Reader(
        model=trained.model,
        context=trained.model.config.context,
        eos_id=found.eos_id,
        encode=encode,
        decode=found.decode,
    )


def _shots(text: str) -> list[int]:
    from pipeline.errors import UsageError

    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [-1]
    if min(counts) < 0:
        raise UsageError(f"--shots {text}: expected numbers such as 0 or 0,1,32")
    return counts


def _read_clean(path: Path) -> dict[str, list[str]]:
    from pipeline.errors import UsageError

    try:
        raw = json.loads(path.read_bytes())
        return {str(name): [str(one) for one in ids] for name, ids in raw.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"{path}: not the clean ids of a decontamination ({error})") from None


def _line(result: dict[str, Any]) -> str:
    parts = [f"{result['task']}  {result['shots']}-shot"]
    for name in ("all", "clean"):
        score = result[name]
        if score is not None and score["accuracy"] is None:
            parts.append(f"{name}: none of the examples")
        elif score is not None:
            error = "" if score["standard_error"] is None else f" ±{score['standard_error']:.2%}"
            parts.append(f"{name} {score['accuracy']:.2%}{error} of {score['examples']:,}")
    return "  ".join(parts)


def _lm_eval(
    run: Path, names: str, shots: list[int], limit: int | None, include: Path | None, out: Path | None
) -> None:
    import os
    import subprocess
    import sys
    from importlib.util import find_spec

    from pipeline.errors import CrawlmixError, UsageError

    if find_spec("lm_eval") is None:
        raise UsageError("lm-evaluation-harness is not installed: pip install 'crawlmix[eval]'")
    if not (run / "config.json").is_file():
        raise UsageError(f"{run}: no config.json; lm-evaluation-harness reads what `crawlmix export` writes")
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"), "1")
    for count in shots:
        # Eager attention: with FlashAttention 2 the banded layers of GPT-Neo silently become dense.
        options = [f"pretrained={run},dtype=float32,attn_implementation=eager"]
        arguments = ["--model", "hf", "--model_args", *options, "--tasks", names, "--num_fewshot", str(count)]
        arguments += [] if limit is None else ["--limit", str(limit)]
        arguments += [] if include is None else ["--include_path", str(include)]
        arguments += [] if out is None else ["--output_path", str(out)]
        done = subprocess.run(
            [sys.executable, "-m", "lm_eval", "run", *arguments], check=False, env=os.environ | offline
        )
        if done.returncode:
            raise CrawlmixError(
                f"lm-evaluation-harness ended with exit code {done.returncode}; its own words are above"
            )

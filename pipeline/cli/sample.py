"""`crawlmix sample`: let a trained model continue a text."""

from pathlib import Path

import click


@click.command("sample")
@click.argument("run", type=click.Path(path_type=Path, exists=True))
@click.option("--prompt", default="", help="Text to continue; a new document if empty.")
@click.option("--tokens", type=click.IntRange(min=1), default=100, show_default=True)
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="Continuations.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    default=0.8,
    show_default=True,
    help="0 always takes the likeliest token.",
)
@click.option("--top-k", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", help="cpu, cuda or cuda:N.  [default: a GPU if there is one]")
@click.option("--tokenizer", help="Of the build, if it is not gpt2.")
def command(
    run: Path,
    prompt: str,
    tokens: int,
    count: int,
    temperature: float,
    top_k: int,
    seed: int,
    device: str | None,
    tokenizer: str | None,
) -> None:
    """Continue a text with the model of RUN, a folder of `crawlmix train` or one of its checkpoints."""
    from pipeline.cli.language import need_torch, tokenizer_named

    need_torch()
    from training.distributed import find_device
    from training.generate import generate
    from training.load import load_model

    trained = load_model(run, device=find_device(device))
    found = tokenizer_named(trained.position.mixture, tokenizer)
    start = found.base.encode(prompt, add_special_tokens=False).ids if prompt else [found.eos_id]
    for number in range(count):
        ids = generate(
            trained.model,
            start,
            tokens=tokens,
            context=trained.model.config.context,
            seed=seed + number,
            temperature=temperature,
            top_k=top_k,
            eos_id=found.eos_id,
        )
        click.echo(prompt + found.decode(ids))
        if number + 1 < count:
            click.echo("---")

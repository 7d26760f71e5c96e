"""`crawlmix export`: a trained model as a Hugging Face folder."""

import json
from pathlib import Path

import click


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path, exists=True))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--dtype", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True, help="Of the weights."
)
@click.option(
    "--workspace",
    type=click.Path(path_type=Path),
    help="The build, for its dataset digest in the model card.",
)
@click.option("--tokenizer", help="Of the build, if it is not gpt2.")
def command(run: Path, out: Path, dtype: str, workspace: Path | None, tokenizer: str | None) -> None:
    """Write the model of RUN, a folder of `crawlmix train` or one of its checkpoints, to OUT for transformers.

    Models with banded layers take GPT-Neo's layout, dense ones GPT-2's. Tokenizer, generation config, mixture and
    model card lie beside the weights.
    """
    from pipeline.cli.language import need_torch, tokenizer_named

    need_torch()
    from training.export import export
    from training.load import load_model

    trained = load_model(run)
    found = tokenizer_named(trained.position.mixture, tokenizer)
    eos = found.base.id_to_token(found.eos_id)
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": eos,
        "eos_token": eos,
        "unk_token": eos,
        "pad_token": eos,
        "model_max_length": trained.model.config.context,
        "clean_up_tokenization_spaces": False,
    }
    files = {
        "tokenizer.json": found.base.to_str(),
        "tokenizer_config.json": json.dumps(about, indent=2) + "\n",
    }
    digest = None if workspace is None else _digest(workspace)
    export(trained, out, dtype=dtype, tokenizer_files=files, dataset_digest=digest)
    click.echo(f"{out}: step {trained.position.step:,} of {trained.checkpoint}")


def _digest(workspace: Path) -> str:
    from pipeline.errors import UsageError

    path = workspace / "build.json"
    try:
        return str(json.loads(path.read_bytes())["dataset_digest"])
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{path}: no dataset digest in it; is `{workspace}` a finished build?") from error

"""The `crawlmix` command: finds the subcommand, and turns the user's mistakes into one line and an exit code."""

import os
import signal
import sys
import traceback
from importlib import import_module

import click

from pipeline.errors import as_user_error

# name of the command: module and function, imported when it is used
_COMMANDS = {
    "demo": ("demo", "Build the embedded sample, end to end."),
    "init": ("init", "Write a commented recipe to start from."),
    "schema": ("schema", "Print the JSON Schema of recipes, for editors."),
    "check": ("check", "Find everything that can be wrong before work starts."),
    "build": ("build", "Build a recipe into a workspace."),
    "status": ("status", "Show what a workspace holds and what is done."),
    "report": ("report", "Write the report and the dataset card of a workspace anew."),
    "dedup-report": ("dedup_report", "Show what the search for copies found."),
    "decontaminate": ("decontaminate", "Cut benchmark text out of documents of your own."),
    "explain": ("explain", "Show what became of one page at every stage, and why."),
    "trace": ("trace", "Show the documents behind a training sample."),
    "exclude": ("exclude", "Take pages out; redo only the shards and mixtures that held them."),
    "classifier": ("classifier", "Train, evaluate and use quality classifiers."),
    "tokenizer": ("tokenizer", "Train a tokenizer on a build's own text."),
    "mixture": ("mixture", "Plan and verify mixtures."),
    "webtext": ("webtext", "Turn Reddit's submission dumps into a table of links."),
    "export-shards": ("export_shards", "Write token shards in the forms that other trainers read."),
    "train": ("train", "Train GPT-3's architecture on a mixture."),
    "sample": ("sample", "Let a trained model continue a text."),
    "export": ("export", "Write a trained model as a Hugging Face folder."),
    "evaluate": ("evaluate", "Score a trained model zero-, one- and few-shot."),
    "ablate": ("ablate", "Compare mixtures by training the same small model on each."),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"pipeline.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from difflib import get_close_matches

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = get_close_matches(args[0], list(_COMMANDS), n=1)
            if near:
                raise click.UsageError(f"no command `{args[0]}`; did you mean `{near[0]}`?", ctx) from error
            raise


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="crawlmix")
def cli() -> None:
    """Turn Common Crawl into a training set, and the training set into a model."""


class Interrupted(KeyboardInterrupt):
    """SIGINT or SIGTERM: ends the command with 128 plus the signal's number, as shells do."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def _interrupt(number: int, _frame: object) -> None:
    # Once is enough for an orderly end; whoever is in a greater hurry gets the system's own way.
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_DFL)
    raise Interrupted(number)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; exits 0 done, 1 failed, 2 wrong usage, 3 a bug (the only case with a traceback)."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    code = run(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads any more; the interpreter would complain about it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or 1
    sys.exit(code)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        cli.main(arguments, prog_name="crawlmix", standalone_mode=False)
    except click.ClickException as error:
        click.echo(_usage_line(error), err=True)
        return 2
    except (click.Abort, KeyboardInterrupt) as error:
        stop = error if isinstance(error, Interrupted) else error.__cause__ or error.__context__
        click.echo("crawlmix: interrupted; the same command continues where it stopped", err=True)
        return stop.exit_code if isinstance(stop, Interrupted) else 130
    except BrokenPipeError:
        return 1
    except Exception as error:  # noqa: BLE001  the one place where a bug's traceback is shown
        if (told := as_user_error(error)) is not None:
            click.echo(f"crawlmix: {told}", err=True)
            return told.exit_code
        traceback.print_exc()
        click.echo("crawlmix: this is a bug, please report it with the lines above", err=True)
        return 3
    return 0


def _usage_line(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    help_line = f"; see `{context.command_path} --help`" if context is not None else ""
    message = " ".join(error.format_message().split())
    return f"crawlmix: {message.rstrip('.')}{help_line}"


if __name__ == "__main__":
    main()

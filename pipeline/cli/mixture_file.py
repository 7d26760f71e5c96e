"""The mixture file of a command line: a local path, or an address of which a copy is made."""

from pathlib import Path

import click

from pipeline.errors import UsageError


class MixtureFile(click.ParamType):  # type: ignore[type-arg]  # generic in new releases alone
    """Gives commands a local path; shards on an object store come to this machine first.

    It converts when the command line is read, so that commands and what they call know local files alone.
    """

    name = "mixture"

    def convert(
        self,
        value: str | Path,
        param: click.Parameter | None,  # noqa: ARG002  of click's interface
        ctx: click.Context | None,  # noqa: ARG002
    ) -> Path:
        """Return the path of the file itself, or of its copy with all its shards.

        Raises:
            UsageError: there is no such file.
            CrawlmixError: it cannot be fetched.
        """
        if isinstance(value, Path) or "://" not in value:
            if not Path(value).is_file():
                raise UsageError(
                    f"{value}: there is no such file; give the mixture file of a build, mixtures/NAME.json"
                )
            return Path(value)
        from pipeline.mixture_files import local_mixture

        return local_mixture(value)


MIXTURE_FILE = MixtureFile()

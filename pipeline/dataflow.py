"""What a job on Dataflow needs, looked at before any work starts."""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec

from pipeline.errors import UsageError
from pipeline.storage.paths import is_remote

RUNNER = "dataflowrunner"
_PLACES = ("temp_location", "staging_location")


def check_dataflow(
    options: Sequence[str], workspace: str, find_credentials: Callable[[], object] | None = None
) -> None:
    """See that a Dataflow job can be sent off and its workers find the workspace.

    Beam itself would ask for credentials for up to a minute, and make a bucket of its own where none is named.

    Args:
        options: Beam's, as on the command line.
        workspace: of the build.
        find_credentials: raises when there are none; Google's own search by default.

    Raises:
        UsageError: an option, the extra or credentials are missing, or the workspace is on this machine; one line.
    """
    if find_spec("google") is None or find_spec("google.auth") is None or find_spec("gcsfs") is None:
        raise UsageError("DataflowRunner needs the gcp extra: pip install 'crawlmix[gcp]'")
    if not is_remote(workspace):
        raise UsageError(
            f"{workspace}: Dataflow's workers cannot see a folder of this machine; give --workspace gs://BUCKET/PATH"
        )
    given = _given(options)
    for name, example in (("project", "my-project"), ("region", "europe-west4")):
        if not given.get(name):
            raise UsageError(f"DataflowRunner needs --{name}, such as `--{name}={example}`")
    for name in _PLACES:
        if not given.get(name, "" if name == "temp_location" else "gs://").startswith("gs://"):
            raise UsageError(f"DataflowRunner needs --{name}=gs://BUCKET/PATH, where its files wait")
    if not given.get("sdk_container_image"):
        raise UsageError(
            "DataflowRunner needs --sdk_container_image, the image of docker/worker.Dockerfile in a registry that the"
            " project can read"
        )
    try:
        (find_credentials or _find_credentials)()
    except Exception as error:
        raise UsageError(
            "DataflowRunner finds no credentials: run `gcloud auth application-default login`, or set"
            f" GOOGLE_APPLICATION_CREDENTIALS ({type(error).__name__})"
        ) from error


def _given(options: Sequence[str]) -> dict[str, str]:
    """Read `--name=value` and `--name value`."""
    given: dict[str, str] = {}
    for option, following in zip(options, [*options[1:], ""], strict=True):
        if option.startswith("--"):
            name, equals, value = option[2:].partition("=")
            given[name] = value if equals else following
    return given


def _find_credentials() -> object:
    return import_module("google.auth").default()

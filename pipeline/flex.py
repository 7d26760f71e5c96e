"""One Beam job over a list of waiting jobs: what a Dataflow flex template launches.

A template starts exactly one Beam job, a build is one after the other. So a build runs on any machine that can reach
Dataflow, and this makes what a stopped one left undone in the stage that it was in.
"""

import argparse
import re
import sys
from collections.abc import Sequence

from pipeline.errors import UsageError
from pipeline.runner import import_beam, make_pipeline
from pipeline.storage.reading import exists

_LIST = re.compile(r".*/(?P<stage>[a-z-]+)\.jobs\.jsonl")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the parts of a list; Beam's options stand beside `--jobs`.

    Raises:
        UsageError: there is no such list.
    """
    parser = argparse.ArgumentParser(prog="crawlmix-flex", description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", required=True, help="STAGE.jobs.jsonl in .work/ of a workspace")
    chosen, options = parser.parse_known_args(arguments)
    found = _LIST.fullmatch(chosen.jobs)
    if found is None or not exists(chosen.jobs):
        raise UsageError(
            f"{chosen.jobs}: no list of jobs; expected .work/STAGE.jobs.jsonl of a stopped build"
        )
    import_beam(options)
    from pipeline.stage import add_jobs

    pipeline = make_pipeline(options)
    add_jobs(pipeline, found["stage"], chosen.jobs)
    pipeline.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())

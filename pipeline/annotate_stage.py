"""The annotate stage: one `annotations` file beside each part of `documents`."""

import time
from dataclasses import asdict

from pipeline.context import Context, PartPlan
from pipeline.dedup.settings import minhash_scheme
from pipeline.pool import Job
from pipeline.workspace import PartState, fingerprint

VERSION = 1

States = dict[str, list[PartState]]


def run(context: Context, documents: States) -> States:
    """Annotate every part; returns the states of the parts by source."""
    record, start = context.begin("annotate")
    root = context.recipe.root
    scheme = asdict(found) if (found := minhash_scheme(root.dedup)) else None
    plans = []
    for name, parts in documents.items():
        source = root.sources[name]
        rules = root.filters[source.filter].model_dump(mode="json") if source.filter != "none" else None
        settings = {"filter": rules, "language_model": context.recipe.language_model, "scheme": scheme}
        for index, part in enumerate(parts):
            own = fingerprint(VERSION, part.fingerprint, part.more, settings, context.language_model_digest)
            task = {
                "kind": "annotate_part",
                "name": f"annotate {name} part {index}",
                "documents": context.workspace.part("documents", name, index),
                "output": context.workspace.part("annotations", name, index),
                "fingerprint": own,
                **settings,
            }
            plans.append(PartPlan(name, index, task["output"], own, Job(task)))
    record.fingerprint = fingerprint([plan.fingerprint for plan in plans])
    context.clean("annotations", {name: len(parts) for name, parts in documents.items()})
    states = context.make_parts("annotate", plans, record)
    record.seconds = time.monotonic() - start
    return context.by_source(plans, states)

"""The annotate stage: one `annotations` file beside each part of `documents`."""

import time
from dataclasses import asdict
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from classifiers.keep import top_percent_cut
from pipeline.annotate.blocklist import Kind, ListFile, build_blocklist
from pipeline.annotate.judge import check_rules, keep_rule, signals_needed
from pipeline.context import Context, PartPlan
from pipeline.dedup.settings import minhash_scheme
from pipeline.pool import Job
from pipeline.sections.filter import Filter
from pipeline.storage.globs import expand
from pipeline.storage.paths import is_remote, local_path
from pipeline.storage.publish import publish
from pipeline.storage.reading import open_input
from pipeline.tasks import Task
from pipeline.worker_files import worker_file
from pipeline.workspace import PartState, fingerprint

VERSION = 2

States = dict[str, list[PartState]]


def run(context: Context, documents: States, models: dict[str, "Model"]) -> States:
    """Annotate every part; returns the states of the parts by source.

    Args:
        context: of the build.
        documents: states of the `documents` parts by source.
        models: trained classifiers: name to (folder, fingerprint).
    """
    record, start = context.begin("annotate")
    context.clean("annotations", {name: len(parts) for name, parts in documents.items()})
    blocklists = {
        name: _blocklist(context, name, rules) for name, rules in context.recipe.root.filters.items()
    }
    plans = _plans(context, documents, models, blocklists, {})
    states = context.make_parts("annotate", plans, record)
    cuts = _cuts(context, documents)
    if cuts:
        plans = _plans(context, documents, models, blocklists, cuts)
        states = context.make_parts("annotate", plans, record)
    record.fingerprint = fingerprint([plan.fingerprint for plan in plans])
    record.seconds = time.monotonic() - start
    return context.by_source(plans, states)


Model = tuple[str, str]  # folder, fingerprint
_Blocklist = tuple[str | None, Any]  # file, fingerprint of what it was made of


def _plans(
    context: Context,
    documents: States,
    models: dict[str, Model],
    blocklists: dict[str, _Blocklist],
    cuts: dict[str, dict[str, Any]],
) -> list[PartPlan]:
    root = context.recipe.root
    scheme = asdict(found) if (found := minhash_scheme(root.dedup)) else None
    given = context.recipe.language_model
    language_model = None if given is None else worker_file(context.workspace, given)
    plans = []
    for name, parts in documents.items():
        source = root.sources[name]
        rules = root.filters[source.filter] if source.filter != "none" else None
        quality = models[rules.quality.model] if rules and rules.quality else None
        measures = {
            "language_model": language_model,
            "language_engine": root.language_engine,
            "scheme": scheme,
            "sets": signals_needed(rules),
            "quality_model": quality[0] if quality else None,
            "pii": list(source.pii),
        }
        if rules:
            check_rules(rules)  # says what is wrong before work starts
        judged_by = rules.model_dump(mode="json") if rules else None
        blocklist = blocklists[source.filter] if rules else (None, None)
        for index, part in enumerate(parts):
            measured = fingerprint(
                VERSION,
                part.fingerprint,
                part.more,
                {**measures, "language_model": given, "quality_model": quality[1] if quality else None},
                context.language_model_digest,
            )
            own = fingerprint(measured, judged_by, root.seed, blocklist[1], cuts.get(name))
            task: Task = {
                "kind": "annotate_part",
                "name": f"annotate {name} part {index}",
                "documents": context.workspace.part("documents", name, index),
                "output": context.workspace.part("annotations", name, index),
                "measures": measures,
                "measures_fingerprint": measured,
                "filter": judged_by,
                "seed": root.seed,
                "blocklist": blocklist[0],
                "cut": cuts.get(name),
                "fingerprint": own,
            }
            plans.append(PartPlan(name, index, task["output"], own, Job(task)))
    return plans


def _cuts(context: Context, documents: States) -> dict[str, dict[str, Any]]:
    """Find the border of every `top_percent` rule, over all scored documents of its source."""
    cuts = {}
    root = context.recipe.root
    for name, parts in documents.items():
        source = root.sources[name]
        rule = keep_rule(root.filters[source.filter] if source.filter != "none" else Filter())
        if rule.kind != "top_percent" or rule.value is None:
            continue
        ids, scores = [], []
        for index in range(len(parts)):
            found = _columns(context.workspace.part("annotations", name, index), ["quality"])["quality"]
            named = _columns(context.workspace.part("documents", name, index), ["id"])["id"]
            scored = pc.is_valid(found)
            scores.append(found.filter(scored).to_numpy())
            ids.append(named.filter(scored).combine_chunks())
        everything = pa.chunked_array(ids, pa.string())
        cuts[name] = asdict(
            top_percent_cut(np.concatenate(scores), everything, percent=rule.value, seed=root.seed)
        )
    return cuts


def _columns(path: str, names: list[str]) -> pa.Table:
    with open_input(path) as stream:
        return pq.read_table(pa.PythonFile(stream), columns=names)


def _blocklist(context: Context, name: str, rules: Filter) -> _Blocklist:
    """Put a filter's lists into one file that workers map."""
    urls = rules.urls
    if urls is None:
        return None, None
    base = str(context.recipe.base)
    by_kind: tuple[tuple[Kind, list[str]], ...] = (
        ("domain", urls.blocked_domains),
        ("host", urls.blocked_hosts),
        ("url", urls.blocked_urls),
    )
    lists = [ListFile(_place(path, base), kind) for kind, paths in by_kind for path in paths]
    if not lists:
        return None, None
    out = context.workspace.work("blocklists", f"{name}.bin")
    with publish(out) as temporary:
        build_blocklist(lists, temporary)
        digest = sha256(temporary.read_bytes()).hexdigest()
    return out, digest


def _place(path: str, base: str) -> str:
    if is_remote(path):
        return path
    folder = local_path(path) if path.startswith("/") else local_path(base) / path
    return str(folder) if folder.is_dir() else expand([path], base)[0]

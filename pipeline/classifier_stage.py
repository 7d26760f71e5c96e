"""The quality classifiers of a recipe: trained on samples of its own sources, or read from a folder."""

import time
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq

from classifiers.fasttext_model import FastTextOptions
from classifiers.model_file import MODEL_FILE, load_model
from classifiers.sampling import merge_samples
from classifiers.train import TrainOptions, train_on_samples
from pipeline.context import Context, PartPlan
from pipeline.errors import CrawlmixError, as_user_error
from pipeline.pool import Job
from pipeline.sections.classifier import Classifier
from pipeline.sections.root import Root
from pipeline.storage.cache import local_folder
from pipeline.storage.listing import remove
from pipeline.storage.paths import join
from pipeline.storage.publish import folder_to_write, write_json
from pipeline.storage.reading import open_input
from pipeline.tasks import Task
from pipeline.worker_files import worker_folder
from pipeline.workspace import PartState, fingerprint

VERSION = 1

_NOTE = "inputs.json"  # what a model was trained on; written last

States = dict[str, list[PartState]]
Model = tuple[str, str]  # folder, fingerprint


def used_classifiers(root: Root) -> list[str]:
    """Names of the classifiers that some source's filter asks for."""
    used = {
        root.filters[source.filter].quality for source in root.sources.values() if source.filter != "none"
    }
    wanted = {quality.model for quality in used if quality is not None}
    return [name for name in root.classifiers if name in wanted]


def training_sources(root: Root, name: str) -> tuple[list[str], list[str]]:
    """Sources of the positives and of the negatives of a classifier.

    Raises:
        CrawlmixError: a class has no source, or one source is in both.
    """
    wanted = root.classifiers[name]
    positives = wanted.positives or [key for key, source in root.sources.items() if source.role == "positive"]
    negatives = wanted.negatives or [
        key
        for key, source in root.sources.items()
        if source.role == "negative" or (source.role is None and source.format in {"warc", "arc", "wet"})
    ]
    for kind, sources in (("positives", positives), ("negatives", negatives)):
        if not sources:
            raise CrawlmixError(f"no source gives {kind}; name them, or mark sources with `role`")
    if both := set(positives) & set(negatives):
        raise CrawlmixError(f"source `{min(both)}` is among the positives and the negatives")
    return positives, negatives


def run(context: Context, documents: States) -> dict[str, Model]:
    """Train, or find, every classifier that the recipe's filters use; returns folder and fingerprint by name."""
    names = used_classifiers(context.recipe.root)
    if not names:
        return {}
    record, start = context.begin("classifiers")
    models = {}
    for name in names:
        wanted = context.recipe.root.classifiers[name]
        if wanted.path is not None:
            folder = worker_folder(context.workspace, context.recipe.located(wanted.path), MODEL_FILE)
            models[name] = folder, load_model(local_folder(folder)).fingerprint
        else:
            models[name] = _train(context, name, wanted, documents)
    record.parts = len(models)
    record.done = min(record.done, record.parts)
    record.fingerprint = fingerprint({name: told for name, (_, told) in models.items()})
    record.seconds = time.monotonic() - start
    return models


def _train(context: Context, name: str, wanted: Classifier, documents: States) -> Model:
    root, record = context.recipe.root, context.records[-1]
    classes = training_sources(root, name)
    options = TrainOptions(
        kind=wanted.kind,
        features=wanted.features,
        documents_per_class=wanted.documents_per_class,
        max_chars=wanted.max_chars,
        seed=root.seed,
        fasttext=FastTextOptions(quantise=wanted.quantise),
    )
    folder = context.workspace.path("models", name)
    plans: dict[str, list[PartPlan]] = {}
    sampling = {
        "documents_per_class": options.documents_per_class,
        "max_chars": options.max_chars,
        "seed": options.seed,
    }
    for source in sorted({*classes[0], *classes[1]}):
        for index, part in enumerate(documents[source]):
            own = fingerprint(VERSION, part.fingerprint, part.more, sampling)
            stem = context.workspace.work("samples", name, source, f"part-{index:05d}")
            task: Task = {
                "kind": "sample_part",
                "name": f"sample {source} part {index}",
                "source": source,
                "documents": context.workspace.part("documents", source, index),
                "options": sampling,
                "sample": f"{stem}.parquet",
                "output": f"{stem}.json",
                "fingerprint": own,
            }
            plans.setdefault(source, []).append(PartPlan(source, index, task["output"], own, Job(task)))
    everything = [plan for parts in plans.values() for plan in parts]
    trained_on = fingerprint(VERSION, asdict(options), classes, [plan.fingerprint for plan in everything])
    record.parts += 1
    note = context.workspace.read_json("models", name, _NOTE)
    if note is not None and note["fingerprint"] == trained_on:
        return folder, load_model(local_folder(folder)).fingerprint
    context.make_files("samples", everything, record)
    limit = options.documents_per_class
    positives, negatives = (
        merge_samples([_read(plan) for source in sources for plan in plans[source]], limit=limit)
        for sources in classes
    )
    begun = time.process_time()
    remove(join(folder, _NOTE))  # it vouches for the model, which is about to change
    with folder_to_write(folder) as out:
        try:
            train_on_samples(
                positives, negatives, out, options, positive_sources=classes[0], negative_sources=classes[1]
            )
        except ValueError as error:
            told = as_user_error(error)
            if told is None:
                raise
            raise CrawlmixError(f"classifiers.{name}: {told}") from error
    write_json(join(folder, _NOTE), {"fingerprint": trained_on})
    record.done += 1
    record.cpu_seconds += time.process_time() - begun
    return folder, load_model(local_folder(folder)).fingerprint


def _read(plan: PartPlan) -> pa.Table:
    with open_input(plan.output.removesuffix(".json") + ".parquet") as stream:
        return pq.read_table(pa.PythonFile(stream))

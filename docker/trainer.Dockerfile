# Trains, exports and evaluates models; wants the NVIDIA container toolkit on the host.
#
#   docker build -f docker/trainer.Dockerfile -t crawlmix-trainer:0.1.0 .
#   mkdir run-125m && sudo chown 10001 run-125m
#   docker run --gpus all --ipc host -v "$PWD/workspace:/workspace:ro" -v "$PWD/run-125m:/run-125m" crawlmix-trainer:0.1.0 \
#     torchrun --standalone --nproc-per-node gpu --shutdown-timeout 300 -m pipeline.cli.main train \
#     --mixture /workspace/mixtures/gpt3.json --preset gpt3-125m --out /run-125m
FROM python:3.11.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/crawlmix
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY pipeline pipeline
COPY text text
COPY classifiers classifiers
COPY mixtures mixtures
COPY training training
COPY recipes recipes
# PyTorch brings CUDA's libraries with it.
RUN /opt/crawlmix/bin/pip install --constraint constraints.txt '.[train,eval]' lm-eval==0.4.13

FROM python:3.11.13-slim-bookworm
# torch.compile builds its kernels with a C compiler when a model starts. The base image fixes the Debian release.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gcc g++ libc6-dev && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin crawlmix
COPY --from=build /opt/crawlmix /opt/crawlmix
# It is no token that TOKENIZERS_PARALLELISM holds.
# hadolint ignore=DL3064
ENV PATH=/opt/crawlmix/bin:$PATH TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/crawlmix
# Preemption: SIGTERM makes a checkpoint; give it the time (docker stop --time 300).
STOPSIGNAL SIGTERM
CMD ["crawlmix", "train", "--help"]

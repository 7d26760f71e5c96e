# Trains and exports models; wants the NVIDIA container toolkit on the host.
#
#   docker build -f docker/trainer.Dockerfile -t crawlmix-trainer .
#   docker run --gpus all --ipc host -v "$PWD/workspace:/workspace" -v "$PWD/run:/run-125m" crawlmix-trainer \
#     torchrun --standalone --nproc-per-node gpu -m pipeline.cli.main train \
#     --mixture /workspace/mixtures/gpt3.json --preset gpt3-125m --out /run-125m
FROM python:3.12-slim

# torch.compile builds its kernels with a C compiler when a model starts.
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/crawlmix
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY pipeline pipeline
COPY text text
COPY classifiers classifiers
COPY mixtures mixtures
COPY training training
COPY recipes recipes
# PyTorch brings the CUDA libraries with it.
RUN pip install --no-cache-dir --constraint constraints.txt '.[train]'

# Preemption: SIGTERM makes a checkpoint; give it the time (docker stop --time 120).
STOPSIGNAL SIGTERM
CMD ["crawlmix", "train", "--help"]

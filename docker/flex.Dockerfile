# Launches one stage's waiting jobs as a Dataflow flex template; docker/flex-template.json describes its parameters.
#
#   docker build -f docker/flex.Dockerfile --build-arg WORKER=REGISTRY/crawlmix-worker:TAG -t REGISTRY/crawlmix-flex:TAG .
ARG WORKER=crawlmix-worker:0.1.0

FROM gcr.io/dataflow-templates-base/python311-template-launcher-base:20230622_RC00 AS launcher

# hadolint ignore=DL3006
FROM ${WORKER}
USER 0
COPY --from=launcher /opt/google/dataflow/python_template_launcher /opt/google/dataflow/python_template_launcher
COPY constraints.txt docker/gcp.constraints.txt /opt/constraints/
RUN python -m ensurepip \
    && python -m pip install --no-cache-dir --constraint /opt/constraints/constraints.txt \
      --constraint /opt/constraints/gcp.constraints.txt 'apache-beam[gcp]==2.77.0'
ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/opt/crawlmix/lib/python3.11/site-packages/pipeline/flex.py
USER 10001
ENTRYPOINT ["/opt/google/dataflow/python_template_launcher"]

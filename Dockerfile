# One image for every process; docker-compose.yml gives each its command. For CPUs; for GPUs: --build-arg EXTRAS=gpu
FROM python:3.11-slim-bookworm

ARG EXTRAS=demo
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1 XDG_CACHE_HOME=/opt/cache
WORKDIR /opt/clawstream

COPY requirements requirements
RUN pip install --require-hashes -r requirements/uv.txt \
    && uv pip install --system --require-hashes -r requirements/${EXTRAS}.txt -r requirements/dataset.txt -r requirements/console.txt
COPY . .
RUN uv pip install --system --no-deps --no-build-isolation . \
    && python -m clawstream.streams.broker \
    && useradd --create-home clawstream \
    && mkdir -p /data && chown -R clawstream /data /opt/cache

USER clawstream
WORKDIR /data
VOLUME /data
ENTRYPOINT ["clawstream"]

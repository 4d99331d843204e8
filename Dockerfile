# Usher's one image: web, worker, beat, the realtime gateway and the migrations are the same code with another command (docker-compose.yml).
FROM python:3.13-slim AS packages
COPY requirements.txt .
# Only pinned packages get into the environment, each checked against its hash.
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.13-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent usher
COPY --from=packages /opt/venv /opt/venv
WORKDIR /srv/usher
COPY config.py gunicorn.conf.py manage.py celery_worker.py ./
COPY migrations migrations
COPY app app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# The files belong to root: the process can read its code and change none of it.
USER 10001:10001
EXPOSE 5000 5001
# No control socket: it would be a file in a home that this user does not have.
CMD ["gunicorn", "manage:app", "--preload", "--bind", "0.0.0.0:5000", "--workers", "2", "--threads", "4", "--no-control-socket"]

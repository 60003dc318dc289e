# One image for the web server and both workers; with ENGINE=gpu models compute on an NVIDIA card.
ARG ENGINE=cpu

FROM python:3.11-slim AS build-cpu
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
COPY requirements.lock /tmp/requirements.lock
RUN /opt/venv/bin/pip install --no-cache-dir --require-hashes -r /tmp/requirements.lock

# The CPU and the GPU package of ONNX Runtime hold the same modules: never both. The same holds for OpenCV with and
# without windows, of which insightface brings the former. The versions stay the locked ones.
FROM build-cpu AS build-gpu
COPY pyproject.toml README.md requirements-engines.lock /tmp/heirloom/
RUN runtime="$(/opt/venv/bin/python -c 'from importlib.metadata import version; print(version("onnxruntime"))')" \
    && opencv="$(/opt/venv/bin/python -c 'from importlib.metadata import version; print(version("opencv-python-headless"))')" \
    && /opt/venv/bin/pip install --no-cache-dir --constraint /tmp/heirloom/requirements-engines.lock '/tmp/heirloom[gpu]' \
    && /opt/venv/bin/pip uninstall --yes onnxruntime opencv-python \
    && /opt/venv/bin/pip install --no-cache-dir "onnxruntime-gpu[cuda,cudnn]==$runtime" \
    && /opt/venv/bin/pip install --no-cache-dir --no-deps --force-reinstall "opencv-python-headless==$opencv"

FROM build-${ENGINE} AS packages

FROM python:3.11-slim
RUN useradd --create-home --uid 1000 heirloom && install -d -o heirloom -g heirloom /data
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY . .
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_WAIT_POLICY=PASSIVE \
    GOMP_SPINCOUNT=0 \
    DATA_DIR=/data \
    STATIC_DIR=/opt/static \
    HOST=0.0.0.0 \
    PORT=8000
# The secret key of this step is thrown away; the real one comes at run time.
RUN SECRET_KEY=only-for-this-step DATABASE_URL=postgres://unused/unused python manage.py collectstatic --no-input
USER heirloom
VOLUME /data
EXPOSE 8000
CMD ["gunicorn", "-c", "gunicorn.conf.py"]

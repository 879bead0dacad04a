# Lambda:                docker build -t classifier .
# Web server:            docker build -t classifier-web --target web .
# Another model:         --build-arg MODEL=efficientnet-lite2
ARG BASE_IMAGE=public.ecr.aws/lambda/python:3.13
# `make base-digest` writes the digest, sha256:…; if it is empty, an image of this tag is used.
ARG BASE_DIGEST=

FROM ${BASE_IMAGE}${BASE_DIGEST:+@$BASE_DIGEST} AS build
COPY function/requirements.txt /tmp/
RUN pip install --no-cache-dir --no-compile --only-binary=:all: --require-hashes --target /packages \
    -r /tmp/requirements.txt
# Of the AWS SDK, only S3 and credentials are used. Tests and tools of all packages are removed. This
# is Python because the minimal base image has no `find`.
RUN cd /packages && python -c "import pathlib as p, shutil; \
    used = {'s3', 'sts', 'sso', 'sso-oidc'}; \
    apis = [d for d in p.Path('botocore/data').iterdir() if d.is_dir() and d.name not in used]; \
    tests = [d for d in p.Path().rglob('tests') if d.is_dir()]; \
    [shutil.rmtree(d) for d in apis + tests if d.exists()]; \
    [f.unlink() for f in p.Path().rglob('*.pyi')]" && \
    rm -r bin onnxruntime/transformers onnxruntime/tools onnxruntime/quantization onnxruntime/datasets \
      numpy/f2py
# A read-only container cannot write bytecode: without it each start compiles, 1.2 s against 0.34 s.
# unchecked-hash: valid for any time stamps of the copied sources.
RUN python -m compileall -q --invalidation-mode unchecked-hash /packages && chmod -R a+rX /packages
COPY function/ /function/
# Only the chosen model is in the image.
ARG MODEL=efficientnet-lite0
RUN cd /function && mkdir -p models && mv model models/efficientnet-lite0 && \
    { test -f "models/$MODEL/model.onnx" || \
      { echo "error: there is no model '$MODEL'. MODEL is one of:" $(ls models) >&2; exit 1; }; } && \
    mv "models/$MODEL" model && rm -r models
RUN rm /function/requirements* && chmod -R a+rX /function && \
    python -m compileall -q --invalidation-mode unchecked-hash /function/main.py /function/classifier && \
    mkdir /code && mv /function/main.py /function/classifier /function/__pycache__ /code/

FROM ${BASE_IMAGE}${BASE_DIGEST:+@$BASE_DIGEST} AS runtime
ENV ORT_DISABLE_TELEMETRY=1
COPY --from=build /packages/ /var/task/
# Bytecode for the modules of the base image, where it has none.
RUN PYTHONPATH=/var/runtime python -c "import awslambdaric.bootstrap, boto3, fastapi, mangum, numpy, \
    onnxruntime, PIL.Image, python_multipart"
COPY --from=build /function/ /var/task/
COPY --from=build /code/ /var/task/
# https://github.com/opencontainers/image-spec/blob/main/annotations.md; a value may be empty.
ARG VERSION=1.1.0
ARG REVISION=
ARG SOURCE=
ARG BASE_IMAGE
ARG BASE_DIGEST
LABEL org.opencontainers.image.title="Image classifier" \
      org.opencontainers.image.description="Send a photo, get the most probable ImageNet classes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.base.name="$BASE_IMAGE" \
      org.opencontainers.image.base.digest="$BASE_DIGEST"

# A separate stage: in the folder with the other packages, chmod would copy all of them into another layer.
FROM ${BASE_IMAGE}${BASE_DIGEST:+@$BASE_DIGEST} AS web-packages
COPY function/requirements-web.txt /tmp/
RUN pip install --no-cache-dir --no-compile --only-binary=:all: --no-deps --require-hashes --target /packages \
    -r /tmp/requirements-web.txt && rm -r /packages/bin && \
    python -m compileall -q --invalidation-mode unchecked-hash /packages && chmod -R a+rX /packages

FROM runtime AS web
COPY --from=web-packages /packages/ /var/task/
# Bytecode for the modules of the base image, again.
RUN python -c "import classifier.server.__main__, classifier.server.health, uvicorn, uvloop, httptools"
# The server and its health check read both.
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
USER 65534:65534
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["python", "-m", "classifier.server.health"]
ENTRYPOINT ["python", "-m", "classifier.server"]

FROM runtime AS lambda
CMD ["main.handler"]

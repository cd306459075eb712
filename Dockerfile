# Auto-DeepLab in a container; docs/cluster.md says how it is built and run.
# A GPU needs the same base and EXTRAS=[gpu]: CUDA and cuDNN come as wheels, in
# the versions that TensorFlow wants, and the driver is the host's. An image of
# NVIDIA's would bring a second CUDA, and another Python.
ARG BASE=python:3.13-slim
FROM ${BASE}
ARG LOCK=locks/tensorflow-2.20.txt EXTRAS=
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir -c ${LOCK} pip \
    && pip install --no-cache-dir -c ${LOCK} --build-constraint ${LOCK} ".${EXTRAS}"
# Whoever it is run as may have no home.
ENV HOME=/tmp
USER 1000
WORKDIR /work
ENTRYPOINT ["auto-deeplab"]

# The image that `make image` makes without a container engine, made by one:
#   docker build --build-arg VERSION=v1 -t registry.example/emco-chaos:v1 .
FROM golang:1.26.8 AS build
ARG VERSION=dev
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY experiments experiments
COPY plugin plugin
COPY probes probes
RUN mkdir -p /image/usr/local/bin /image/etc/ssl/certs /image/plugins /image/tmp && chmod 1777 /image/tmp
RUN CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /image/usr/local/bin/ \
    ./plugin/cmd/emco-chaos ./plugin/cmd/emco-chaos-plugin-emco ./probes/cmd/emco-probe
RUN cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/
RUN chown 65532:65532 /image/plugins

FROM scratch
ARG VERSION=dev
COPY --from=build /image/ /
ENV PATH=/usr/local/bin:/plugins
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/emco-chaos"]
LABEL org.opencontainers.image.title="emco-chaos" \
      org.opencontainers.image.description="Chaos experiments for EMCO, the Edge Multi-Cluster Orchestrator" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"

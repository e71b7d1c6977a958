# syntax=docker/dockerfile:1
# Framewire with ffmpeg, as an unprivileged user, on a root file system that can
# be read-only:
#
#   docker build --build-arg VERSION="$(git describe --tags --always)" -t framewire .
#   docker run --read-only --tmpfs /tmp -p 8080:8080 -p 1935:1935 -p 8189:8189/udp framewire

FROM node:22-bookworm-slim AS pages
WORKDIR /src
COPY gen/ts gen/ts
COPY frontend frontend
RUN cd frontend && npm ci --no-audit --no-fund && npm run build

FROM golang:1.26-bookworm AS program
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY gen gen
COPY server server
COPY frontend/embed.go frontend/embed.go
COPY --from=pages /src/frontend/dist frontend/dist
ARG VERSION=container
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /framewire ./server/cmd/framewire

# ffmpeg is needed for cameras, other containers and still pictures only. With
# nothing but files, the demo and publishers, "FROM scratch" does as well.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates ffmpeg \
 && rm -rf /var/lib/apt/lists/*
COPY --from=program /framewire /usr/local/bin/framewire
USER 65532:65532
EXPOSE 8080 1935 8189/udp
ENTRYPOINT ["framewire"]
CMD ["serve"]

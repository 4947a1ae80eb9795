# The image that images/build makes without a container engine, for people who have one:
#   docker build -t stagelink .
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN images/root "$(dpkg --print-architecture)" /image

FROM scratch
COPY --from=build /image/programs /
COPY --from=build /image/git /
ENV PATH=/usr/local/bin:/usr/bin STAGELINK_GIT_ASKPASS=/usr/local/bin/stagelink-askpass
USER 999:999
WORKDIR /tmp
ENTRYPOINT ["/usr/local/bin/stagelink"]

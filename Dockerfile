# The image that images/build makes without a container engine, for people who have one:
#   docker build -t stagelink .
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
    && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target "$target" -p stagelink -p stagelink-cmp --bins \
    && mkdir -p /image/usr/local/bin /image/etc/ssl/certs /image/tmp \
    && cp "target/$target/release/stagelink" "target/$target/release/stagelink-cmp" /image/usr/local/bin/ \
    && for program in stagelink-presync stagelink-postsync stagelink-syncfail stagelink-task stagelink-askpass demo-service; do \
         ln -s stagelink "/image/usr/local/bin/$program"; done \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && cp plugin.yaml LICENSE NOTICE /image/etc/ \
    && printf 'stagelink:x:999:999::/tmp:/usr/local/bin/stagelink\n' >/image/etc/passwd \
    && printf 'stagelink:x:999:\n' >/image/etc/group \
    && printf 'hosts: files dns\n' >/image/etc/nsswitch.conf \
    && chmod 1777 /image/tmp

FROM scratch
COPY --from=build /image /
ENV PATH=/usr/local/bin
USER 999:999
WORKDIR /tmp
ENTRYPOINT ["/usr/local/bin/stagelink"]

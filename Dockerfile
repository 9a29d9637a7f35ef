# The AppStore as a small static image: one program, no shell, not root.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/appstore ./cmd/appstore \
 && mkdir -p /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/appstore /appstore
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build /src/testdata/catalogue /catalogue
USER 65532:65532
ENV APPSTORE_ADDR=0.0.0.0:8080 APPSTORE_DATA=/data APPSTORE_URL=http://127.0.0.1:8080
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/appstore", "health"]
ENTRYPOINT ["/appstore"]
CMD ["serve"]

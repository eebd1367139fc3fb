"""What the texts of the engine mean, how image references are read, and what config/images.yaml says."""

from pathlib import Path

import pytest

from images import bundle, catalogue, faults, puller, reference
from images.dockerfile import base_images

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout', "TLS handshake timeout"),
        ('Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io on 10.0.0.2:53: no such host', "no such host"),
        (
            'Get "https://quay.io/v2/": dial tcp: lookup quay.io: Temporary failure in name resolution',
            "name service failing",
        ),
        (
            'Get "https://quay.io/v2/": dial tcp: lookup quay.io on 10.0.0.2:53: server misbehaving',
            "name service failing",
        ),
        (
            "dial tcp: lookup quay.io on 8.8.8.8:53: read udp 10.0.0.5:4242->8.8.8.8:53: i/o timeout",
            "name service failing",
        ),
        (
            "dial tcp: lookup quay.io on 127.0.0.53:53: read udp 127.0.0.1:42->127.0.0.53:53: read: connection refused",
            "name service failing",
        ),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", "unreachable"),
        ("dial tcp 10.1.2.3:443: connect: no route to host", "unreachable"),
        ("proxyconnect tcp: dial tcp 10.0.0.9:3128: connect: network is unreachable", "unreachable"),
        ("x509: certificate signed by unknown authority", "TLS"),
        ("tls: failed to verify certificate: x509: certificate has expired or is not yet valid", "TLS"),
        ("http: server gave HTTP response to HTTPS client", "TLS"),
        ("tls: first record does not look like a TLS handshake", "TLS"),
        (
            "net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
            "timeout",
        ),
        ("dial tcp 10.1.2.3:443: i/o timeout", "timeout"),
        ("context deadline exceeded", "timeout"),
        ("read tcp 10.0.0.5:4242->10.1.2.3:443: read: connection reset by peer", "connection lost"),
        ("unexpected EOF", "connection lost"),
        ('Get "https://ghcr.io/v2/": EOF', "connection lost"),
        ("filesystem layer verification failed for digest sha256:abc", "connection lost"),
        ("stream error: stream ID 3; INTERNAL_ERROR; received from peer", "connection lost"),
        ("received unexpected HTTP status: 503 Service Unavailable", "server error"),
        ("error parsing HTTP 502 response body: invalid character '<' looking for beginning of value", "server error"),
        ("unexpected status from GET request to https://ghcr.io/v2/x/blobs/y: 504 Gateway Timeout", "server error"),
        ("toomanyrequests: You have reached your pull rate limit.", "rate limit"),
        ("error parsing HTTP 429 response body: invalid character 'T'", "rate limit"),
        (
            "pull access denied for nobody/has, repository does not exist or may require 'docker login'",
            "denied",
        ),
        ("denied: requested access to the resource is denied", "denied"),
        ("unauthorized: authentication required", "denied"),
        ("unexpected status: 403 Forbidden", "denied"),
        ("manifest for redis:0.0.1 not found: manifest unknown: manifest unknown", "not found"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "not found"),
        ("invalid reference format: repository name must be lowercase", "invalid reference"),
        ("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", "disk full"),
        ("Credentials store error: StoreError('docker-credential-x not installed')", "credentials"),
        ("something that nobody has seen before", "other"),
    ],
)
def test_the_texts_of_the_engine_are_understood(text: str, name: str) -> None:
    assert faults.classify(text).name == name


def test_lasting_faults_are_not_tried_again_and_passing_ones_are() -> None:
    attempts = {fault.name: fault.attempts for fault in faults.FAULTS}
    lasting = (
        "not found",
        "denied",
        "invalid reference",
        "disk full",
        "credentials",
        "no such host",
        "unreachable",
        "TLS",
    )
    for name in lasting:
        assert attempts.pop(name) == 1
    assert min(attempts.values()) >= 3


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("toomanyrequests: retry-after: 412.5µs, allowed: 44000/minute", 412.5e-6),
        ("toomanyrequests: retry-after: 250ms, allowed: 1/minute", 0.25),
        ("Rate exceeded. Retry after 30 s", 30),
        ("Retry-After: 12", 12),
        ("retry after 2m", 120),
        ("toomanyrequests: You have reached your pull rate limit.", 0),
    ],
)
def test_a_registry_that_says_how_long_to_wait_is_heard(text: str, seconds: float) -> None:
    assert puller.retry_after(text) == pytest.approx(seconds)


# What is written -> the whole reference, and its name as Docker shows it.
REFERENCES = {
    "redis": ("docker.io/library/redis:latest", "redis"),
    "redis:7.0.15": ("docker.io/library/redis:7.0.15", "redis"),
    "docker.io/library/redis:7.0.15": ("docker.io/library/redis:7.0.15", "redis"),
    "docker.io/redis:7": ("docker.io/library/redis:7", "redis"),
    "prom/prometheus:v3.5.1": ("docker.io/prom/prometheus:v3.5.1", "prom/prometheus"),
    "localhost/x:1": ("localhost/x:1", "localhost/x"),
    "127.0.0.1:5000/team/x:1": ("127.0.0.1:5000/team/x:1", "127.0.0.1:5000/team/x"),
    "127.0.0.1:5000/team/x": ("127.0.0.1:5000/team/x:latest", "127.0.0.1:5000/team/x"),
    f"ghcr.io/a/b_c:1@{DIGEST}": (f"ghcr.io/a/b_c:1@{DIGEST}", "ghcr.io/a/b_c"),
    f"ghcr.io/a/b@{DIGEST}": (f"ghcr.io/a/b@{DIGEST}", "ghcr.io/a/b"),
}


@pytest.mark.parametrize(("text", "whole", "familiar"), [(text, *read) for text, read in REFERENCES.items()])
def test_a_reference_is_read_as_docker_reads_it(text: str, whole: str, familiar: str) -> None:
    found = reference.parse(text)
    assert str(found) == whole
    assert found.familiar == familiar
    assert reference.parse(whole) == found


@pytest.mark.parametrize(
    "text",
    ["", " ", "Redis", "redis:", "redis:a b", "redis@sha256:12", "redis@", "a//b", "-x/y:1", "x:1:2", "https://x/y"],
)
def test_a_malformed_reference_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an image reference"):
        reference.parse(text)


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        ("mirror.example/dockerhub", "mirror.example/dockerhub/library/redis:7"),
        ("mirror.example:5000/", "mirror.example:5000/library/redis:7"),
    ],
)
def test_a_mirror_prefix_goes_before_the_path(mirror: str, expected: str) -> None:
    assert str(reference.parse("redis:7").mirrored(mirror)) == expected


def test_a_host_that_gave_data_is_not_given_up_for_an_error_that_passes() -> None:
    hosts = puller.Hosts()
    name = reference.parse("ghcr.io/a/b:1")
    reset = faults.PullError(name, faults.classify("connection reset by peer"), "connection reset by peer")
    hosts.works("ghcr.io")
    hosts.failed(reset)
    assert hosts.why_lost("ghcr.io") is None
    hosts.failed(faults.PullError(name, faults.classify("connection refused"), "connection refused"))
    assert hosts.why_lost("ghcr.io") == faults.classify("connection refused")


def test_every_image_is_pinned_to_an_exact_version() -> None:
    found = catalogue.catalogue()
    assert set(found) == set(catalogue.image_keys())
    for key, image in found.items():
        if key != "demo":
            assert any(character.isdigit() for character in image.reference.tag), key
            assert "." in image.reference.tag, key


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{repository: a/b}", "one.*tag"),
        ("{repository: a/b, tag: '1', digest: sha256:12}", "one.*digest"),
        ("{repository: a/b, tag: '1', version: 2}", "one.*version"),
        ("{repository: a/b, tag: 1.0}", "one.*tag"),
        ("{build: x, tag: '1'}", "one.*tag"),
        ("{repository: A/b, tag: '1'}", "not an image reference"),
    ],
)
def test_a_malformed_entry_names_its_key(tmp_path: Path, entry: str, problem: str) -> None:
    path = tmp_path / "images.yaml"
    path.write_text(f"one: {entry}\n")
    with pytest.raises(ValueError, match=problem):
        catalogue.catalogue(path)


def test_the_base_images_of_a_dockerfile_are_found() -> None:
    dockerfile = """
        FROM --platform=$BUILDPLATFORM golang:1.24 AS build
        RUN true
        from scratch as empty
        FROM build AS second
        FROM docker.io/library/python:3.12-slim
        COPY --from=build /x /x
    """
    assert base_images(dockerfile) == ["golang:1.24", "docker.io/library/python:3.12-slim"]


def entry(
    wanted: str, digest: str = "", image_id: str = "sha256:1", layers: tuple[str, ...] = ("sha256:l",)
) -> bundle.Entry:
    """An entry of a bundle."""
    return bundle.Entry("one", wanted, "docker.io/a/b:1", image_id, digest, 1, layers)


@pytest.mark.parametrize(
    ("wanted", "saved", "expected"),
    [
        ("docker.io/a/b:1", entry("docker.io/a/b:1"), True),
        ("docker.io/a/b:1", entry(f"docker.io/a/b:1@{DIGEST}"), True),
        ("docker.io/a/b:2", entry("docker.io/a/b:1"), False),
        (f"docker.io/a/b:1@{DIGEST}", entry("docker.io/a/b:1"), False),
        (f"docker.io/a/b:1@{DIGEST}", entry("docker.io/a/b:1", digest=DIGEST), True),
        (f"docker.io/a/b:1@{DIGEST}", entry(f"docker.io/a/b:1@{DIGEST}"), True),
        (f"docker.io/a/b:1@{DIGEST}", entry(f"docker.io/a/b:1@sha256:{'b' * 64}"), False),
    ],
)
def test_a_bundle_serves_what_it_was_saved_for(wanted: str, saved: bundle.Entry, expected: bool) -> None:
    assert bundle.fits(catalogue.Wanted("one", reference.parse(wanted)), saved) is expected


def test_an_image_is_the_same_by_its_id_or_by_its_contents() -> None:
    saved = entry("docker.io/a/b:1")
    assert bundle.same_image(saved, "sha256:1", ("sha256:x",))
    assert bundle.same_image(saved, "sha256:2", ("sha256:l",))
    assert not bundle.same_image(saved, "sha256:2", ("sha256:x",))
    assert not bundle.same_image(entry("x", layers=()), "sha256:2", ())

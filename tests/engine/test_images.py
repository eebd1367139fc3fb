"""Images come to a real engine from a real registry, and from elsewhere when it fails in the ways registries fail."""

import base64
import io
import ipaddress
import json
import os
import re
import resource
import secrets
import signal
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker.errors import ImageNotFound

from config.errors import SettingsError
from config.settings import Images
from images import bundle
from images.bring import bring, load_bundle
from images.catalogue import wanted
from images.errors import ImagesError
from images.pin import pin as pin_digests
from images.reference import parse
from lab.cache import cache as lab_cache
from tests.engine import registries
from tests.engine.registries import Front, Registry

pytestmark = pytest.mark.timeout(180, func_only=True)

LAYER = 300_000  # bytes: enough to be cut in the middle


@dataclass
class World:
    """What one test works with: an engine, a registry, an images.yaml, a cache and the lines that were reported."""

    engine: docker.DockerClient
    registry: Registry
    directory: Path
    lines: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    images: Images = field(
        default_factory=lambda: Images(mirror="", bundle=None, source="registry", pull_timeout=60, overrides={})
    )

    @property
    def catalogue(self) -> Path:
        """The images.yaml of this test."""
        return self.directory / "config/images.yaml"

    def push(self, path: str, tag: str = "1.0", registry: Registry | None = None) -> str:
        """Make an image with new random content, push it, and remove it from the engine; gives its ID."""
        registry = registry or self.registry
        repository = f"{registry.host}/{path}"
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            info = tarfile.TarInfo("content")
            info.size = LAYER
            tar.addfile(info, io.BytesIO(os.urandom(LAYER)))
        self.engine.api.import_image_from_data(content.getvalue(), repository=repository, tag=tag)
        for record in self.engine.api.push(repository, tag, stream=True, decode=True):
            assert "error" not in record, record
        image_id = str(self.engine.images.get(f"{repository}:{tag}").id)
        self.engine.images.remove(image_id, force=True)
        return image_id

    def want(self, **repositories: str) -> None:
        """Write an images.yaml: key to repository; the tag is 1.0 unless the value has one."""
        entries: dict[str, Any] = {}
        for key, repository in repositories.items():
            name = parse(repository if ":" in repository.rpartition("/")[2] else f"{repository}:1.0")
            entries[key.replace("_", "-")] = {"repository": name.repository, "tag": name.tag, "digest": None}
        self.catalogue.parent.mkdir(exist_ok=True)
        self.catalogue.write_text(yaml.safe_dump(entries))

    def settings(self, **changes: Any) -> None:
        """Change the stack's settings."""
        self.images = replace(self.images, **changes)

    def bring(self, *keys: str, optional: tuple[str, ...] = ()) -> dict[str, str]:
        """Bring these images as `ops up` does."""
        cache = self.directory / "cache"
        found = bring(keys, self, self.engine, cache, self.lines.append, optional=optional, path=self.catalogue)
        self.made.update(found.values())
        return found

    def id_of(self, reference: str) -> str:
        """The ID of an image on the engine."""
        return str(self.engine.images.get(reference).id)

    def remove(self, *references: str) -> None:
        """Remove images and all their names from the engine."""
        for reference in references:
            try:
                self.engine.images.remove(self.id_of(reference), force=True)
            except ImageNotFound:
                continue

    def told(self, text: str) -> int:
        """How many of the reported lines contain `text`."""
        return sum(text in line for line in self.lines)


@pytest.fixture
def world(engine: docker.DockerClient, tmp_path: Path) -> Iterator[World]:
    """A world of its own for each test, without a trace on the engine afterwards."""
    registry = Registry(tmp_path / "registry")
    found = World(engine, registry, tmp_path)
    yield found
    registry.stop()
    found.remove(*(name for name in found.made if not name.startswith("lab/")))


@pytest.fixture
def front(world: World) -> Iterator[Front]:
    """A front before the world's registry."""
    found = Front(world.registry)
    yield found
    found.stop()


@pytest.fixture
def outside(engine: docker.DockerClient) -> str:
    """An address of this machine that the engine does not exempt from TLS, as it does 127.0.0.0/8."""
    return str(next(ipaddress.ip_network(engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Subnet"]).hosts()))


def failure(world: World, *keys: str) -> ImagesError:
    """The error that bringing these images ends with."""
    with pytest.raises(ImagesError) as caught:
        world.bring(*keys)
    return caught.value


def test_an_image_is_pulled_once_and_local_from_then_on(world: World) -> None:
    pushed = world.push("team/one")
    world.want(one=f"{world.registry.host}/team/one")

    found = world.bring("one")
    assert found == {"one": f"{world.registry.host}/team/one:1.0"}
    assert world.id_of(found["one"]) == pushed

    before = len(world.registry.requests())
    assert before > 0
    world.lines.clear()
    assert world.bring("one") == found
    assert len(world.registry.requests()) == before
    assert world.lines == []


def test_fourteen_local_images_take_less_than_a_second(world: World) -> None:
    keys = [f"image-{number}" for number in range(14)]
    world.push("team/one")
    repository = f"{world.registry.host}/team/one"
    world.want(**dict.fromkeys(keys, repository))
    world.bring(*keys)
    world.registry.stop()

    started = time.monotonic()
    assert len(world.bring(*keys)) == 14
    assert time.monotonic() - started < 1


def test_several_images_come_at_the_same_time_and_in_the_order_asked_for(world: World, front: Front) -> None:
    keys = ["a", "b", "c", "d", "e", "f"]
    for key in keys:
        world.push(f"team/{key}")
    world.want(**{key: f"{front.host}/team/{key}" for key in keys})
    front.use(registries.drip(world.registry.host, 2), of="/blobs/", times=12)  # six configurations, six layers

    started = time.monotonic()
    assert sorted(world.bring(*keys)) == keys
    assert time.monotonic() - started < 6 * 2


def test_a_stopped_registry_is_told_once_and_not_asked_again(world: World) -> None:
    world.registry.stop()
    keys = [f"image-{number}" for number in range(12)]
    world.want(**{key: f"{world.registry.host}/team/{key}" for key in keys})

    started = time.monotonic()
    error = failure(world, *keys)
    assert time.monotonic() - started < 5
    assert list(error.tried) == keys
    assert all("unreachable" in " ".join(error.tried[key]) for key in keys)
    assert world.told(": pulling ") <= 3
    assert "imageMirror" in str(error)
    assert "ops bundle save" in str(error)
    assert "imageOverrides.image-0" in str(error)


def test_a_name_that_does_not_resolve_is_recognised_at_once(world: World) -> None:
    world.want(one="registry.invalid/team/one", two="registry.invalid/team/two")
    started = time.monotonic()
    error = failure(world, "one", "two")
    assert time.monotonic() - started < 15
    assert "registry.invalid" in str(error)
    # "server misbehaving" where the name service itself is unreachable.
    assert "no such host" in str(error) or "name service failing" in str(error)


@pytest.mark.parametrize(
    ("fault", "of", "times", "told"),
    [
        pytest.param(lambda host: registries.reset, "/manifests/", 3, "connection lost", id="reset"),
        pytest.param(registries.cut, "/blobs/", 2, "", id="a layer that breaks off"),
        # The engine has begun to report progress, so the error is a record of the stream, not a status.
        pytest.param(registries.damage, "/blobs/", 2, "verification failed", id="a damaged layer"),
    ],
)
def test_a_connection_that_fails_is_tried_again_and_the_image_arrives_whole(
    world: World, front: Front, fault: Callable[[str], Any], of: str, times: int, told: str
) -> None:
    pushed = world.push("team/one")
    world.want(one=f"{front.host}/team/one")
    front.use(fault(world.registry.host), of=of, times=times)

    assert world.id_of(world.bring("one")["one"]) == pushed
    assert not told or world.told(told) >= 1
    assert not front.faults


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_tried_again(world: World, front: Front, status: int) -> None:
    pushed = world.push("team/one")
    world.want(one=f"{front.host}/team/one")
    front.use(registries.answer(status), of="/manifests/", times=2)  # the engine asks with HEAD, and then with GET

    assert world.id_of(world.bring("one")["one"]) == pushed
    assert world.told("server error") == 1


def test_a_rate_limit_waits_longer_than_other_errors(world: World, front: Front) -> None:
    pushed = world.push("team/one")
    world.want(one=f"{front.host}/team/one")
    front.use(registries.answer(429, "TOOMANYREQUESTS", "pull rate limit reached"), of="/manifests/", times=2)

    started = time.monotonic()
    assert world.id_of(world.bring("one")["one"]) == pushed
    assert time.monotonic() - started >= 15
    assert world.told("rate limit") == 1


def test_a_rate_limit_longer_than_the_time_limit_ends_at_once(world: World, front: Front) -> None:
    world.push("team/one")
    world.want(one=f"{front.host}/team/one")
    front.use(
        registries.answer(429, "TOOMANYREQUESTS", "retry-after: 90s, allowed: 1/minute"), of="/manifests/", times=99
    )
    world.settings(pull_timeout=20)

    started = time.monotonic()
    error = failure(world, "one")
    assert time.monotonic() - started < 5
    assert "rate limit" in str(error)


def test_a_missing_tag_is_not_tried_again_and_named(world: World, front: Front) -> None:
    world.push("team/one", tag="1.0")
    world.want(one=f"{front.host}/team/one:9.9", two=f"{front.host}/team/one:1.0")

    started = time.monotonic()
    error = failure(world, "one", "two")
    assert time.monotonic() - started < 5
    assert "one" in error.tried
    assert f"{front.host}/team/one:9.9" in str(error)
    assert "not found" in error.tried["one"][0]
    assert front.count("/manifests/9.9") <= 2  # the engine asks once with each scheme it knows
    # The other image came all the same: a missing tag says nothing about the host.
    assert error.references == {"two": f"{front.host}/team/one:1.0"}
    world.made.update(error.references.values())


def test_a_refusal_is_not_tried_again(world: World, front: Front) -> None:
    world.want(one=f"{front.host}/team/one")
    front.use(registries.answer(401, "UNAUTHORIZED", "authentication required"), of="/manifests/", times=99)
    error = failure(world, "one")
    assert "denied" in error.tried["one"][0]
    assert "docker login" in str(error)
    assert front.count("/manifests/") <= 2


def test_credentials_of_docker_login_are_used(
    world: World, front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = world.push("team/one")
    world.want(one=f"{front.host}/team/one")
    token = base64.b64encode(b"somebody:something").decode()
    front.require(f"Basic {token}")
    assert "denied" in failure(world, "one").tried["one"][0]

    (tmp_path / "config.json").write_text(json.dumps({"auths": {front.host: {"auth": token}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    world.engine = docker.from_env()
    assert world.id_of(world.bring("one")["one"]) == pushed


@pytest.mark.filterwarnings("ignore:docker-credential-nobody-has-this")
def test_a_broken_credential_helper_is_named(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world.want(one=f"{world.registry.host}/team/one")
    (tmp_path / "config.json").write_text(json.dumps({"credsStore": "nobody-has-this"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    world.engine = docker.from_env()
    error = failure(world, "one")
    assert "credentials (" in error.tried["one"][0]
    assert "docker-credential-nobody-has-this" in error.tried["one"][0]


def test_an_interrupted_run_ends_at_once(world: World, front: Front) -> None:
    world.push("team/one")
    world.want(one=f"{front.host}/team/one")
    front.use(registries.drip(world.registry.host, 60), of="/blobs/", times=99)
    # A signal of our own with the effect of Ctrl-C, which test runners in the background ignore.
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    threading.Timer(3, os.kill, (os.getpid(), signal.SIGUSR1)).start()

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        world.bring("one")
    signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - started < 8


def test_a_certificate_that_is_not_trusted_is_one_clear_error(world: World, outside: str) -> None:
    front = Front(world.registry, outside, registries.self_signed(world.directory, outside))
    world.want(one=f"{front.host}/team/one", two=f"{front.host}/team/two")
    error = failure(world, "one", "two")
    front.stop()
    assert "TLS" in error.tried["one"][0]
    assert "x509" in error.tried["one"][0]
    assert all(line.count("attempt") == 0 for line in world.lines)


def test_a_port_that_does_not_speak_tls_is_one_clear_error(world: World, outside: str) -> None:
    front = Front(world.registry, outside)
    world.want(one=f"{front.host}/team/one")
    error = failure(world, "one")
    front.stop()
    assert "TLS" in error.tried["one"][0]


def test_a_tls_handshake_that_is_never_answered_costs_its_time_once(world: World, outside: str) -> None:
    with registries.silent_port(outside) as host:
        keys = [f"image-{number}" for number in range(9)]
        world.want(**{key: f"{host}/team/{key}" for key in keys})
        world.settings(pull_timeout=12)
        started = time.monotonic()
        error = failure(world, *keys)
        seconds = time.monotonic() - started
    # Which of the two limits comes first, the engine's or ours, depends on how busy the machine is.
    assert re.search("time limit|TLS handshake timeout", error.tried["image-0"][0])
    assert "TLS handshake timeout" in error.tried["image-0"][0]
    # One attempt takes the engine 10 s; nine images, three at a time, would take it 30 s even without another attempt.
    assert seconds < 27
    assert "seen before and not tried again" in error.tried["image-8"][0]


def test_the_time_limit_holds_for_a_pull_that_crawls(world: World, front: Front) -> None:
    world.push("team/one")
    world.want(one=f"{front.host}/team/one")
    front.use(registries.drip(world.registry.host, 60), of="/blobs/", times=99)
    world.settings(pull_timeout=4)

    started = time.monotonic()
    error = failure(world, "one")
    assert 3 < time.monotonic() - started < 10
    assert "time limit" in error.tried["one"][0]


def test_a_mirror_is_asked_first(world: World) -> None:
    pushed = world.push("hub/team/one")
    world.want(one="registry.invalid/team/one")
    world.settings(mirror=f"{world.registry.host}/hub")

    found = world.bring("one")
    assert found == {"one": "registry.invalid/team/one:1.0"}
    assert world.id_of(found["one"]) == pushed
    assert world.told("registry.invalid: ") == 0


def comes_from_its_registry(world: World, mirror: str) -> bool:
    """Whether an image that this mirror cannot give is had from its own registry."""
    pushed = world.push("team/one")
    world.want(one=f"{world.registry.host}/team/one")
    world.settings(mirror=mirror)
    return world.id_of(world.bring("one")["one"]) == pushed


def test_an_image_that_the_mirror_lacks_comes_from_its_registry(world: World) -> None:
    assert comes_from_its_registry(world, f"{world.registry.host}/hub")
    assert world.told("not found") == 1


def test_a_mirror_that_is_down_costs_nothing_but_a_line(world: World) -> None:
    assert comes_from_its_registry(world, f"127.0.0.1:{registries.free_port()}")
    assert world.told("unreachable") == 1


def pin(world: World, **arguments: Any) -> dict[str, str]:
    """Pin the images of this test's images.yaml."""
    return pin_digests(world, world.engine, world.lines.append, path=world.catalogue, **arguments)


def test_a_pinned_image_is_the_pinned_one_even_when_the_tag_moved(world: World) -> None:
    first = world.push("team/one")
    world.want(one=f"{world.registry.host}/team/one")
    digest = pin(world)["one"]
    second = world.push("team/one")
    assert first != second

    reference = world.bring("one")["one"]
    assert reference == f"{world.registry.host}/team/one:1.0@{digest}"
    assert world.id_of(reference) == first
    # And a container starts from exactly this reference.
    container = world.engine.containers.create(reference, command="/content")
    assert container.image is not None
    assert container.image.id == first
    container.remove(v=True)

    before = len(world.registry.requests())
    assert world.bring("one")["one"] == reference
    assert len(world.registry.requests()) == before


def test_a_local_image_with_the_pinned_tag_but_another_digest_is_not_taken(world: World) -> None:
    world.push("team/one")
    world.want(one=f"{world.registry.host}/team/one")
    old = world.id_of(world.bring("one")["one"])
    new = world.push("team/one")
    world.engine.images.get(old).tag(f"{world.registry.host}/team/one", tag="1.0")
    pin(world)
    found = world.bring("one")["one"]
    assert world.id_of(found) == new != old
    # People and bundles go by the tag, so it follows.
    assert world.id_of(f"{world.registry.host}/team/one:1.0") == new
    world.remove(old)


def test_a_pinned_image_through_a_mirror_keeps_its_digest(world: World) -> None:
    pushed = world.push("hub/team/one")
    world.want(one="registry.invalid/team/one")
    world.settings(mirror=f"{world.registry.host}/hub")
    digest = pin(world)["one"]
    reference = world.bring("one")["one"]
    assert reference == f"{world.registry.host}/hub/team/one:1.0@{digest}"
    assert world.id_of(reference) == pushed


def test_pinning_keeps_the_rest_of_the_file(world: World) -> None:
    world.push("team/one")
    host = world.registry.host
    world.catalogue.parent.mkdir()
    world.catalogue.write_text(
        "# the head\n"
        "one:\n"
        "  # why\n"
        f"  repository: {host}/team/one\n"
        '  tag: "1.0" # exactly this\n'
        "  digest: null\n"
        "\n"
        "two:\n"
        f"  repository: {host}/team/two\n"
        "  tag: 1.0.0\n"
        "  digest: null\n"
    )
    before = world.catalogue.read_text()
    with pytest.raises(ImagesError, match="two: .*not found"):
        pin(world)
    digest = yaml.safe_load(world.catalogue.read_text())["one"]["digest"]
    assert digest.startswith("sha256:")
    assert world.catalogue.read_text() == before.replace("digest: null", f"digest: {digest}", 1)


@pytest.mark.parametrize("pinned", [False, True])
def test_a_bundle_replaces_the_registry(world: World, pinned: bool) -> None:
    ids = {"one": world.push("team/one"), "two": world.push("team/two")}
    world.want(one=f"{world.registry.host}/team/one", two=f"{world.registry.host}/team/two")
    if pinned:
        pin(world)
    path = world.directory / "images.bundle"
    names = {key: image.name for key, image in wanted(ids, {}, world.catalogue).items()}
    bundle.save(path, world.bring(*ids), names, world.engine, world.lines.append)
    world.remove(*ids.values())
    world.registry.stop()

    error = failure(world, "one", "two")
    assert "unreachable" in str(error)

    world.settings(bundle=path, source="auto")
    found = world.bring("one", "two")
    assert {key: world.id_of(reference) for key, reference in found.items()} == ids
    # No registry's digest survives `docker load`, so the tag alone is the reference.
    assert found == {key: f"{world.registry.host}/team/{key}:1.0" for key in ids}
    assert world.told("unreachable") >= 1

    world.lines.clear()
    assert world.bring("one", "two") == found
    assert world.lines == []


def test_a_loaded_bundle_serves_later_runs(world: World) -> None:
    pushed = world.push("team/one")
    world.want(one=f"{world.registry.host}/team/one")
    pin(world)
    path = world.directory / "images.bundle"
    names = {"one": wanted(["one"], {}, world.catalogue)["one"].name}
    bundle.save(path, world.bring("one"), names, world.engine, world.lines.append)
    world.remove(pushed)
    world.registry.stop()

    load_bundle(path, world.engine, world.directory / "cache", world.lines.append)
    world.settings(source="bundle")
    assert world.id_of(world.bring("one")["one"]) == pushed


def test_a_bundle_of_another_version_is_not_taken(world: World) -> None:
    pushed = world.push("team/one")
    world.want(one=f"{world.registry.host}/team/one")
    path = world.directory / "images.bundle"
    bundle.save(path, world.bring("one"), {"one": "somewhere/team/one:0.9"}, world.engine, world.lines.append)
    world.remove(pushed)
    world.settings(bundle=path, source="bundle")
    error = failure(world, "one")
    assert "somewhere/team/one:0.9" in str(error)
    assert "imageSource" in str(error)


def _flip(content: bytearray) -> None:
    content[len(content) // 2] ^= 1


def _halve(content: bytearray) -> None:
    del content[len(content) // 2 :]


def _lose_the_end(content: bytearray) -> None:
    del content[-4096:]


def _replace(content: bytearray) -> None:
    content[:] = b"this is not a bundle"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (_flip, "is damaged"),
        (_halve, "is cut off"),
        (_lose_the_end, "is cut off"),
        (_replace, "is not a bundle"),
        (bytearray.clear, "is not a bundle"),
    ],
)
def test_a_damaged_bundle_never_reaches_the_engine(
    world: World, harm: Callable[[bytearray], None], message: str
) -> None:
    pushed = world.push("team/one")
    world.want(one=f"{world.registry.host}/team/one")
    path = world.directory / "images.bundle"
    name = f"{world.registry.host}/team/one:1.0"
    bundle.save(path, world.bring("one"), {"one": name}, world.engine, world.lines.append)
    world.remove(pushed)
    content = bytearray(path.read_bytes())
    harm(content)
    path.write_bytes(content)

    world.settings(bundle=path, source="bundle")
    error = failure(world, "one")
    assert len(error.tried["one"]) == 1
    assert f"{path} {message}" in error.tried["one"][0]
    with pytest.raises(ImageNotFound):
        world.engine.images.get(name)


def test_a_bundle_that_is_not_there_is_named(world: World) -> None:
    world.want(one="registry.invalid/team/one")
    world.settings(bundle=world.directory / "nowhere", source="bundle")
    assert "there is no bundle at" in str(failure(world, "one"))


def test_a_bundle_is_written_whole_or_not_at_all(world: World) -> None:
    path = world.directory / "images.bundle"
    path.write_text("the old one")
    with pytest.raises(bundle.BundleError, match="is not on the Docker engine"):
        bundle.save(path, {"one": "nobody/has:1"}, {"one": "nobody/has:1"}, world.engine, world.lines.append)
    assert path.read_text() == "the old one"
    assert not list(world.directory.glob("*.partial"))


def test_a_full_disk_leaves_no_half_bundle(world: World) -> None:
    world.push("team/one")
    world.want(one=f"{world.registry.host}/team/one")
    path = world.directory / "images.bundle"
    found = world.bring("one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LAYER // 2, before[1]))
    try:
        with pytest.raises(bundle.BundleError, match="cannot be written"):
            bundle.save(path, found, found, world.engine, world.lines.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(world.directory.glob("images.bundle*"))


def test_an_override_takes_the_place_of_the_image(world: World) -> None:
    pushed = world.push("other/one", tag="2.0")
    world.want(one="registry.invalid/team/one")
    reference = f"{world.registry.host}/other/one:2.0"
    world.settings(overrides={"one": reference})
    assert world.bring("one") == {"one": reference}
    assert world.id_of(reference) == pushed


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"prometheus2": "a:1"}, "prometheus2.*one, two"),
        ({"one": "UPPER case"}, "imageOverrides.one"),
        ({"one": "team/one@sha256:123"}, "imageOverrides.one"),
    ],
)
def test_a_wrong_override_is_named(world: World, overrides: Mapping[str, str], message: str) -> None:
    world.want(one="registry.invalid/team/one", two="registry.invalid/team/two")
    world.settings(overrides=overrides)
    with pytest.raises(SettingsError, match=message):
        world.bring("one")


def test_an_optional_image_is_reported_and_left_out(world: World) -> None:
    world.push("team/one")
    world.want(one=f"{world.registry.host}/team/one", grafana="registry.invalid/team/grafana")
    assert list(world.bring("one", "grafana", optional=("grafana",))) == ["one"]
    assert world.told("grafana: cannot be had, going on without it") == 1


def test_an_image_of_ours_is_built_anew_when_its_files_change(world: World) -> None:
    world.push("team/base")
    base = f"{world.registry.host}/team/base:1.0"
    name = f"demo-{secrets.token_hex(4)}"
    directory = world.directory / "source"
    directory.mkdir()
    (directory / "Dockerfile").write_text(f"FROM {base}\nCOPY program /program\n")
    (directory / "program").write_text("one")
    world.catalogue.parent.mkdir()
    world.catalogue.write_text(f"{name}: {{build: source}}\n")

    first = world.bring(name)
    assert world.bring(name) == first
    (directory / "program").write_text("two")
    second = world.bring(name)
    assert world.id_of(first[name]) != world.id_of(second[name])
    assert world.told("building from") == 2

    world.registry.stop()
    world.remove(*first.values(), *second.values(), base)
    assert f"its base image {base} cannot be had" in str(failure(world, name))


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/etc/debian_version").exists(), reason="the lab needs root on Debian"
)
@pytest.mark.timeout(900, func_only=True)
def test_the_lab_builds_what_no_registry_gives(world: World) -> None:
    world.want(redis="registry.invalid/library/redis", grafana="registry.invalid/grafana/grafana")
    world.settings(source="auto")
    found = bring(
        ["redis", "grafana"],
        world,
        world.engine,
        lab_cache(),
        world.lines.append,
        optional=("grafana",),
        path=world.catalogue,
    )
    assert found["redis"].startswith("lab/redis:")
    assert world.id_of(found["redis"])
    assert "grafana" not in found


def test_the_registry_setting_never_falls_back(world: World) -> None:
    world.want(redis="registry.invalid/library/redis")
    world.settings(source="registry", bundle=world.directory / "nowhere")
    error = failure(world, "redis")
    assert len(error.tried["redis"]) == 1
    assert "registry.invalid" in error.tried["redis"][0]

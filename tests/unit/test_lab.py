"""The lab: when it builds, what it says when it cannot, and that its versions are those of config/images.yaml."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
import uuid
import zipfile
from pathlib import Path

import docker
import pytest

from config.versions import version_of
from images.catalogue import catalogue
from lab import base, debian, images, modules, pages, plan, process, toolchain
from lab import engine as lab_engine
from lab.cache import cache
from lab.errors import LabError
from lab.modules import Module

ROOT = Path(__file__).resolve().parents[2]
GOOD = 'package main\n\nfunc main() { println("hello") }\n'
BROKEN = "package main\n\nfunc main() { undefinedThing() }\n"


def nothing(line: str) -> None:
    """Take a line of progress where none matters."""


def module(directory: Path, source: str = GOOD, name: str = "tiny") -> Module:
    """Write a Go module that needs nothing but the standard library."""
    library = directory / name / "library"
    library.mkdir(parents=True)
    (library / "go.mod").write_text("module example.test/library\n\ngo 1.24\n")
    lines = [
        "module tiny",
        "go 1.24",
        "require example.test/library v1.2.3",
        "replace example.test/library => ./library",
    ]
    (directory / name / "go.mod").write_text("\n\n".join(lines))
    (directory / name / "main.go").write_text(source)
    return Module(name, {name: "."}, source="example.test/library", minutes="a second", parent=directory)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    """A module that the lab knows, besides its own."""
    made = module(tmp_path / "go")
    monkeypatch.setattr(modules, "MODULES", (*modules.MODULES, made))
    return made


def test_an_executable_is_built_once_and_again_when_its_sources_change(tiny: Module, tmp_path: Path) -> None:
    lines: list[str] = []
    first = toolchain.build("tiny", tmp_path / "cache", lines.append)
    assert subprocess.run([first], capture_output=True, text=True, check=True).stderr == "hello\n"
    assert lines == ["building tiny v1.2.3 from source (about a second) …"]

    assert toolchain.build("tiny", tmp_path / "cache", lines.append) == first
    assert len(lines) == 1

    (tiny.path / "main.go").write_text(GOOD.replace("hello", "goodbye"))
    second = toolchain.build("tiny", tmp_path / "cache", lines.append)
    assert second != first
    assert first.exists()
    assert subprocess.run([second], capture_output=True, text=True, check=True).stderr == "goodbye\n"


def test_the_key_follows_everything_that_decides_what_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = module(tmp_path)
    keys = [toolchain.key(made), toolchain.key(Module(**{**vars(made), "tags": "netgo"}))]
    assert toolchain.key(made) == keys[0]
    (made.path / "inner").mkdir()
    (made.path / "inner" / "more.go").write_text("package inner\n")
    keys.append(toolchain.key(made))
    monkeypatch.setattr(toolchain, "_go_identity", lambda: "go9.9 plan9 mips")
    keys.append(toolchain.key(made))
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch("[0-9a-f]{12}", key) for key in keys)


def test_what_one_shared_module_requires_counts_for_all() -> None:
    shared = [made for made in modules.MODULES if made.shared]
    for made in shared:
        sources = toolchain.sources(made)
        assert {other.path / "go.mod" for other in shared} <= set(sources)
        assert toolchain.WORKSPACE in sources


@pytest.fixture
def embedding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that requires one which lacks the page that it embeds, as Alertmanager does; from a proxy of files."""
    proxy = tmp_path / "proxy/example.test/library/@v"
    proxy.mkdir(parents=True)
    (proxy / "list").write_text("v1.2.3\n")
    (proxy / "v1.2.3.info").write_text('{"Version": "v1.2.3"}')
    (proxy / "v1.2.3.mod").write_text("module example.test/library\n\ngo 1.24\n")
    library = 'package library\n\nimport _ "embed"\n\n//go:embed page.html\nvar Page string\n'
    with zipfile.ZipFile(proxy / "v1.2.3.zip", "w") as archive:
        archive.writestr("example.test/library@v1.2.3/go.mod", (proxy / "v1.2.3.mod").read_text())
        archive.writestr("example.test/library@v1.2.3/library.go", library)
    go = {"GOPROXY": f"file://{tmp_path}/proxy", "GONOSUMDB": "example.test", "GOMODCACHE": f"{tmp_path}/modules"}
    for name, value in {**go, "GOFLAGS": "-modcacherw"}.items():
        monkeypatch.setenv(name, value)
    directory = tmp_path / "go/embedding"
    directory.mkdir(parents=True)
    program = 'package main\n\nimport "example.test/library"\n\nfunc main() { print(library.Page) }\n'
    (directory / "main.go").write_text(program)
    (directory / "go.mod").write_text("module embedding\n\ngo 1.24\n\nrequire example.test/library v1.2.3\n")
    subprocess.run(["go", "mod", "download", "-json", "example.test/library"], cwd=directory, check=True)
    return directory.parent


def with_pages(parent: Path, text: str, npm: bool = False) -> Module:
    """The module of `embedding`, and how it gets its page."""

    def prepare(module: Path, sources: Path, cache: Path, report: process.Report) -> Path:
        (cache / "page.html").write_text(f"{text} for {sources.name}")
        return cache

    def add(made: Path, copy: Path) -> None:
        (copy / "page.html").write_text((made / "page.html").read_text())

    brings = pages.Pages(prepare, add, npm=npm)
    return Module("embedding", {"embedding": "."}, "example.test/library", "a second", pages=brings, parent=parent)


def test_web_pages_are_compiled_in_from_a_copy_of_the_module(embedding: Path, tmp_path: Path) -> None:
    made = with_pages(embedding, "a page")
    built = toolchain.build_module(made, tmp_path, nothing) / "embedding"
    assert subprocess.run([built], capture_output=True, text=True, check=True).stderr == "a page for library@v1.2.3"
    # What Go keeps has not changed, nor has the lab's own module.
    assert not (tmp_path / "modules/example.test/library@v1.2.3/page.html").exists()
    assert "replace" not in (made.path / "go.mod").read_text()


def test_without_npm_a_program_is_built_without_its_pages_and_has_another_key(
    embedding: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = with_pages(embedding, "a page", npm=True)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    key = toolchain.key(made)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert toolchain.key(made) != key
    lines: list[str] = []
    with pytest.raises(LabError, match=r"page\.html"):  # this one cannot do without
        toolchain.build_module(made, tmp_path, lines.append)
    assert "no npm here: embedding is built without its web pages" in lines


def test_a_stored_brotli_stream_has_the_content_as_it_is() -> None:
    stream = pages.stored_brotli(b"ab")
    # The window (1 bit), not the last block (1), 4 nibbles of length (2), the length less one (16), uncompressed (1).
    assert int.from_bytes(stream[:3], "little") == 0b1_0000000000000001_00_0_0
    assert stream[3:] == b"ab\x03"
    for length in (0, 65537):
        with pytest.raises(ValueError, match=f"{length} bytes"):
            pages.stored_brotli(bytes(length))


def test_a_build_that_fails_says_so_in_the_compilers_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = module(tmp_path / "go", BROKEN, "broken")
    monkeypatch.setattr(modules, "MODULES", (broken,))
    with pytest.raises(LabError) as caught:
        toolchain.build("broken", tmp_path / "cache", nothing)
    assert "building broken failed (exit code 1)" in str(caught.value)
    assert "undefined: undefinedThing" in str(caught.value)
    assert str(caught.value).endswith(toolchain.GO_REMEDY)
    left = [path.name for path in (tmp_path / "cache" / "toolchain").iterdir() if not path.name.endswith(".lock")]
    assert left == []


def test_two_at_once_build_it_once(tiny: Module, tmp_path: Path) -> None:
    lines: list[str] = []
    built: list[Path] = []
    threads = [
        threading.Thread(target=lambda: built.append(toolchain.build("tiny", tmp_path, lines.append))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 3
    assert len(set(built)) == 1
    assert sum("from source" in line for line in lines) == 1


def test_a_machine_without_go_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    toolchain._go_identity.cache_clear()
    with pytest.raises(LabError, match=r"There is no `go`.*Install Go"):
        toolchain.build("promtool", tmp_path, nothing)


def test_an_unknown_name_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"'promtol'.*promtool"):
        toolchain.build("promtol", tmp_path, nothing)
    with pytest.raises(LabError, match=r"'promtol'.*promtool"):
        plan.prepare(["promtol"], [], tmp_path, nothing)
    with pytest.raises(LabError, match=r"'grafana'.*prometheus, alertmanager"):
        images.reference("grafana")


# Image -> how many of the numbers of its version are the lab's too.
LESS_EXACT = {
    "promtail": 2,  # its last image is older than its last source
    "postgres": 1,  # Debian follows the smallest versions by itself
    "redis": 2,
}


def test_the_versions_are_those_of_the_images() -> None:
    """The tests run what production runs, where the same version is to be had; images.yaml says why where it is not."""
    pinned = {key: image for key, image in catalogue().items() if not image.build}
    assert set(pinned) - set(images.KEYS) == {"grafana"}
    assert set(images.KEYS) - set(pinned) == {"demo"}
    for key, image in pinned.items():
        wanted = version_of(image.reference.tag)
        assert wanted, key
        if key in images.KEYS:
            exact = LESS_EXACT.get(key, len(wanted.numbers))
            ours = images.version(key).removeprefix("v").split(".")
            assert list(map(str, wanted.numbers))[:exact] == ours[:exact], key
            assert key in LESS_EXACT or len(ours) == exact, key


def test_pulumi_and_its_plugin_are_what_their_sdks_ask_for() -> None:
    """The command line may be newer than its SDK, and not older; the plugin is of its SDK's version."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    asked = {package["name"]: package["version"] for package in lock["package"]}
    ours, sdk = version_of(toolchain.version(toolchain.module_of("pulumi"))), version_of(asked["pulumi"])
    assert ours
    assert sdk
    assert ours.order >= sdk.order
    assert toolchain.version(toolchain.module_of("pulumi-resource-docker")) == f"v{asked['pulumi-docker']}"


def test_a_failed_command_shows_its_last_words_and_a_remedy() -> None:
    script = (
        "import sys; print('\\n'.join(f'line {n}' for n in range(99))); print('the reason'); "
        "print('\\n'.join(['some/package'] * 99)); sys.exit(1)"
    )
    with pytest.raises(LabError) as caught:
        process.run([sys.executable, "-c", script], "trying", "Try harder.", nothing)
    message = str(caught.value).splitlines()
    assert message[0] == "trying failed (exit code 1):"
    assert "the reason" in message
    assert message[-1] == "Try harder."
    assert len(message) == process.TAIL + 2


def test_a_missing_command_is_named() -> None:
    with pytest.raises(LabError, match="there is no `no-such-command` on this machine"):
        process.run(["no-such-command"], "trying", "Install it.", nothing)


def test_long_work_keeps_saying_that_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "HEARTBEAT", 0.2)
    lines: list[str] = []
    script = "import time; print('step one', flush=True); time.sleep(1.1)"
    process.run([sys.executable, "-c", script], "trying", "", lines.append)
    assert len(lines) >= 3
    assert all(re.fullmatch(r"trying: \d+ s so far \(step one\)", line) for line in lines[1:])


def test_an_interrupted_command_leaves_no_process(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    child = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    outer = (
        "import functools, sys; from lab import process; process.HEARTBEAT = 0.2; "
        f"process.run([sys.executable, '-c', {child!r}], 'a', 'b', functools.partial(print, flush=True))"
    )
    # The signal reaches this one process alone, not the whole group as it would from a terminal.
    running = subprocess.Popen(
        [sys.executable, "-c", outer], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    with running:
        assert running.stdout is not None
        while not (running.stdout.readline() and pid.exists() and pid.read_text()):
            assert running.poll() is None
        os.kill(running.pid, signal.SIGINT)
    assert not Path(f"/proc/{pid.read_text()}").exists()


def test_the_base_image_changes_with_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    before = base.reference(), images.reference("redis")
    monkeypatch.setattr(base, "PACKAGES", (*base.PACKAGES, "less"))
    assert base.reference() != before[0]
    assert images.reference("redis") != before[1]


def test_a_machine_that_names_no_debian_archive_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "SOURCES", (tmp_path / "sources.list",))
    monkeypatch.setattr(debian, "install", lambda packages, report: None)
    with pytest.raises(LabError, match=r"sources\.list names Debian's archive"):
        debian.bootstrap([], "", "", tmp_path / "base.tar", nothing)


def test_nothing_happens_where_an_engine_answers(engine: docker.DockerClient) -> None:
    lines: list[str] = []
    started = time.monotonic()
    lab_engine.ensure(lines.append)
    assert time.monotonic() - started < 2
    assert lines == []
    assert engine.ping()


def test_a_docker_host_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with pytest.raises(LabError, match=r"DOCKER_HOST=tcp://127\.0\.0\.1:9.*unset DOCKER_HOST"):
        lab_engine.ensure(nothing)


def test_a_stale_process_number_is_not_taken_for_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "docker.pid"
    monkeypatch.setattr(lab_engine, "PIDS", {"dockerd": file})
    assert not lab_engine.alive("dockerd")
    file.write_text("not a number")
    assert not lab_engine.alive("dockerd")
    file.write_text(str(os.getpid()))
    assert not lab_engine.alive("dockerd")


def test_an_image_is_built_again_only_when_its_inputs_change(
    engine: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "DEMO", tmp_path)
    (tmp_path / "__init__.py").write_text(f"# {uuid.uuid4()}: another run of this test has images of its own\n")
    (tmp_path / "__main__.py").write_text("print('first')\n")
    lines: list[str] = []
    references = []
    try:
        references.append(images.build("demo", engine, cache(), lines.append))
        made, told = engine.images.get(references[0]).id, len(lines)
        assert engine.containers.run(references[0], remove=True) == b"first\n"
        assert images.build("demo", engine, cache(), lines.append) == references[0]
        assert engine.images.get(references[0]).id == made
        assert len(lines) == told

        (tmp_path / "__main__.py").write_text("print('second')\n")
        references.append(images.build("demo", engine, cache(), lines.append))
        assert references[1] != references[0]
        assert engine.containers.run(references[1], remove=True) == b"second\n"
    finally:
        for reference in references:
            engine.images.remove(reference, force=True)


def test_an_image_has_what_health_checks_and_the_config_writer_call(engine: docker.DockerClient) -> None:
    wanted = base.build(engine, cache(), nothing)
    programs = ["sh", "bash", "wget", "grep", "sed", "find", "redis-cli", "python3"]
    found = engine.containers.run(
        wanted, ["sh", "-c", f"for p in {' '.join(programs)}; do command -v $p; done"], remove=True
    )
    assert len(found.split()) == len(programs)
    # The release is the lab's, whichever runs here.
    release = engine.containers.run(wanted, ["sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME"], remove=True)
    assert release == f"{debian.SUITE}\n".encode()
    # The mirror that this machine happens to use stays here.
    search = ["sh", "-c", "find /etc/apt /var/lib/apt/lists -name '*sources*' -o -name '*Packages*' -o -name '*mmdeb*'"]
    assert engine.containers.run(wanted, search, remove=True) == b""

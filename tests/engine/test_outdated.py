"""`ops images outdated` against a real registry, and a server that speaks as endoflife.date does."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import yaml

from config.support import Support
from images import registry as client
from images.catalogue import catalogue
from images.outdated import Finding, outdated
from images.reference import parse
from images.registry import RegistryError
from tests.engine.deployment import copy_project
from tests.engine.endoflife import EndOfLife, push
from tests.engine.registries import Front, Registry, _Handler, answer, free_port

TODAY = date(2026, 11, 24)
SOON = timedelta(days=60)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry for the tests of this file; each pushes to a repository of its own."""
    found = Registry(tmp_path_factory.mktemp("registry"))
    yield found
    found.stop()


@pytest.fixture
def endoflife() -> Iterator[EndOfLife]:
    """A stand-in of its own for each test."""
    found = EndOfLife()
    yield found
    found.stop()


def support(**fields: Any) -> Support:
    return Support.model_validate({"source": "https://example.org/policy", "read": TODAY, **fields})


def look(tmp_path: Path, pinned: str, known: Support | None, address: str = "http://127.0.0.1:9") -> Finding:
    """The finding for one image, `repository:tag`, called `one`."""
    file = tmp_path / "config/images.yaml"
    file.parent.mkdir(exist_ok=True)
    repository, _, tag = pinned.rpartition(":")
    file.write_text(yaml.safe_dump({"one": {"repository": repository, "tag": tag, "digest": None}}))
    table = {"one": known} if known else {}
    (found,) = outdated(catalogue(file).values(), table, TODAY, address, timeout=5)
    return found


def shown(finding: Finding) -> tuple[str, str, str, str]:
    """State, newest patch, newest, and until when."""
    return finding.state(TODAY, SOON), str(finding.patch), str(finding.newest), str(finding.until)


def test_what_is_the_newest_of_a_mended_line_is_current(registry: Registry, tmp_path: Path) -> None:
    here = push(registry, "current", "v3.13.4", "v3.13.5", "v3.14.0")
    found = look(tmp_path, f"{here}:v3.13.5", support(lines={"3.13": "2027-07-31"}))
    assert shown(found) == ("current", "3.13.5", "3.14.0", "2027-07-31")
    assert found.problems == []


def test_a_newer_patch_release_is_told(registry: Registry, tmp_path: Path) -> None:
    here = push(registry, "patch", "v3.13.2", "v3.13.5", "v3.13.10")
    found = look(tmp_path, f"{here}:v3.13.2", support(lines={"3.13": "2027-07-31"}))
    assert shown(found) == ("patch", "3.13.10", "3.13.10", "2027-07-31")


@pytest.mark.parametrize(
    ("ends", "state"), [("2026-11-23", "ended"), ("2026-11-24", "ends soon"), ("2027-01-23", "ends soon")]
)
def test_a_line_that_ends_is_told_before_and_after_its_last_day(
    registry: Registry, tmp_path: Path, ends: str, state: str
) -> None:
    here = push(registry, "ending", "v3.13.5")
    assert look(tmp_path, f"{here}:v3.13.5", support(lines={"3.13": ends})).state(TODAY, SOON) == state


def test_a_line_with_more_days_left_than_that_is_current(registry: Registry, tmp_path: Path) -> None:
    here = push(registry, "lasting", "v3.13.5")
    found = look(tmp_path, f"{here}:v3.13.5", support(lines={"3.13": "2027-01-24"}))
    assert found.state(TODAY, SOON) == "current"


def test_a_tag_that_was_never_published_is_told(registry: Registry, tmp_path: Path) -> None:
    here = push(registry, "promtail", "3.6.10", "3.6.11")
    assert shown(look(tmp_path, f"{here}:3.6.15", support(lines={"3.6": "2027-01-31"})))[0] == "unpublished"


@pytest.mark.parametrize(("newest", "state"), [(1, "ended"), (2, "current")])
def test_where_only_the_newest_lines_are_mended_the_registry_decides(
    registry: Registry, tmp_path: Path, newest: int, state: str
) -> None:
    here = push(registry, "newest", "v0.9.3", "v0.33.1", "v0.34.2")
    found = look(tmp_path, f"{here}:v0.33.1", support(newest=newest))
    assert shown(found) == (state, "0.33.1", "0.34.2", "None")


def test_candidates_variants_nightly_builds_and_moving_tags_are_no_releases(registry: Registry, tmp_path: Path) -> None:
    others = ["v1.87.0-rc.0", "v1.87.0-beta", "v1.88.0", "v1.88.0-debian", "1.88.0-alpine", "v1.89-alpine", "latest"]
    here = push(registry, "variants", "v1.86.0-alpine", *others)
    found = look(tmp_path, f"{here}:v1.86.0-alpine", support(newest=1))
    assert shown(found) == ("current", "1.86.0", "1.86.0", "None")
    plain = push(registry, "nightly", "12.4.0", "12.4.0-21093783", "12.5.0-21093784", "12.4", "main")
    assert shown(look(tmp_path, f"{plain}:12.4.0", support(newest=1)))[:3] == ("current", "12.4.0", "12.4.0")


def test_a_security_release_of_grafana_is_newer_than_what_it_mends(registry: Registry, tmp_path: Path) -> None:
    here = push(registry, "grafana", "12.4.9", "12.4.9-security-01", "12.4.8-security-03")
    found = look(tmp_path, f"{here}:12.4.9", support(lines={"12.4": "2027-05-24"}))
    assert shown(found)[:2] == ("patch", "12.4.9-security-01")


def test_a_line_of_postgresql_is_its_major_version(registry: Registry, tmp_path: Path) -> None:
    here = push(registry, "postgres", "15.14", "15.19", "15", "18.6", "18.6-alpine")
    found = look(tmp_path, f"{here}:15.14", support(lines={"15": "2027-11-11"}))
    assert shown(found) == ("patch", "15.19", "18.6", "2027-11-11")


def test_endoflife_is_asked_first_and_a_table_that_differs_is_told(
    registry: Registry, endoflife: EndOfLife, tmp_path: Path
) -> None:
    here = push(registry, "first", "v3.13.5")
    endoflife.products["prometheus"] = {"3.13": "2027-08-31"}
    known = support(product="prometheus", lines={"3.13": "2026-07-31"})
    found = look(tmp_path, f"{here}:v3.13.5", known, endoflife.address)
    assert (found.supported, found.until, found.source) == (
        True,
        date(2027, 8, 31),
        "https://endoflife.date/prometheus",
    )
    assert found.problems == ["config/support.yaml has 2026-07-31 for 3.13, endoflife.date 2027-08-31"]


@pytest.mark.parametrize(("ends", "state"), [(False, "current"), (True, "ended")])
def test_endoflife_may_know_that_a_line_has_ended_and_no_day(
    registry: Registry, endoflife: EndOfLife, tmp_path: Path, ends: bool, state: str
) -> None:
    here = push(registry, "loki", "3.6.15", "3.7.8")
    endoflife.products["grafana-loki"] = {"3.6": ends}
    found = look(tmp_path, f"{here}:3.6.15", support(product="grafana-loki", newest=1), endoflife.address)
    assert shown(found) == (state, "3.6.15", "3.7.8", "None")


def test_what_endoflife_does_not_know_the_table_does(registry: Registry, endoflife: EndOfLife, tmp_path: Path) -> None:
    here = push(registry, "unknown-line", "v3.13.5")
    known = support(product="prometheus", lines={"3.13": "2027-07-31"})
    found = look(tmp_path, f"{here}:v3.13.5", known, endoflife.address)
    assert (found.until, found.problems) == (date(2027, 7, 31), [f"{endoflife.address}: HTTP 404 for prometheus"])
    endoflife.products["prometheus"] = {"3.12": True}
    found = look(tmp_path, f"{here}:v3.13.5", known, endoflife.address)
    assert (found.until, found.problems) == (date(2027, 7, 31), ["endoflife.date does not know prometheus 3.13"])


def test_what_cannot_be_asked_is_said_and_not_taken_for_nothing_new(tmp_path: Path) -> None:
    silent = f"127.0.0.1:{free_port()}"
    found = look(tmp_path, f"{silent}/one:v0.34.2", support(newest=1))
    assert shown(found) == ("unknown", "None", "None", "None")
    assert [silent in problem and "ConnectError" in problem for problem in found.problems] == [True]
    found = look(tmp_path, f"{silent}/one:v3.13.5", support(product="prometheus", lines={"3.13": "2027-07-31"}))
    assert shown(found) == ("unknown", "None", "None", "2027-07-31")
    assert len(found.problems) == 2
    # What the table alone proves is told all the same.
    assert shown(look(tmp_path, f"{silent}/one:v3.5.1", support(lines={"3.5": "2026-07-31"})))[0] == "ended"


def test_an_image_that_the_table_lacks_or_whose_tag_names_no_version_is_unknown(
    registry: Registry, tmp_path: Path
) -> None:
    here = push(registry, "lacking", "v3.13.5", "main")
    found = look(tmp_path, f"{here}:v3.13.5", None)
    assert (found.state(TODAY, SOON), found.problems) == ("unknown", ["config/support.yaml has no one"])
    found = look(tmp_path, f"{here}:main", support(newest=1))
    assert (found.state(TODAY, SOON), found.problems) == ("unknown", ["the tag 'main' names no version"])
    found = look(tmp_path, f"{here}:v3.13.5", support(lines={"3.12": "2027-07-31"}))
    assert found.problems == ["config/support.yaml does not know the line 3.13"]


@pytest.fixture
def hub(registry: Registry) -> Iterator[Front]:
    """A front that does what Docker Hub does: it wants a token, and gives its list in pages of three tags."""
    front = Front(registry)

    def fault(handler: _Handler) -> bool:
        url = urlsplit(handler.path)
        asked = parse_qs(url.query)
        headers: dict[str, str] = {}
        if url.path == "/token":
            right = asked == {"service": ["hub"], "scope": ["repository:pages:pull"]}
            document: Mapping[str, Any] = {"token": "secret"} if right else {}
        elif handler.headers["Authorization"] != "Bearer secret":
            realm = f'Bearer realm="http://{front.host}/token",service="hub",scope="repository:pages:pull"'
            answer(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": realm})(handler)
            return True
        else:
            every = sorted(json.loads(handler.fetch(registry.host)[2])["tags"])
            left = [tag for tag in every if tag > asked.get("last", [""])[0]]
            document = {"name": "pages", "tags": left[:3]}
            if left[3:]:
                headers["Link"] = f'<{url.path}?last={left[2]}&n=3>; rel="next"'
        body = json.dumps(document).encode()
        handler.head(200, [("Content-Length", str(len(body))), *headers.items()])
        handler.wfile.write(body)
        return True

    front.faults.append(fault)
    yield front
    front.stop()


def test_a_long_list_is_read_to_its_end_with_an_anonymous_token(registry: Registry, hub: Front) -> None:
    pushed = [f"v1.{minor}.0" for minor in range(8)]
    push(registry, "pages", *pushed)
    with httpx.Client() as session:
        assert client.tags(parse(f"{hub.host}/pages:v1.0.0"), session) == pushed
    assert hub.count("/v2/pages/tags/list") == 4  # once without the token, and three pages
    assert hub.count("/token") == 1


@pytest.mark.parametrize(
    ("reply", "complaint"),
    [
        (answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'}), "it wants a log-in (Basic)"),
        (answer(429, "TOOMANYREQUESTS", "slow down"), "HTTP 429 Too Many Requests"),
        (answer(200), "its answer is no list of tags"),
    ],
)
def test_a_registry_that_gives_no_list_is_named_with_the_reason(registry: Registry, reply: Any, complaint: str) -> None:
    front = Front(registry)
    front.use(reply, of="/tags/list", times=9)
    with httpx.Client() as session, pytest.raises(RegistryError) as caught:
        client.tags(parse(f"{front.host}/anything:1.0"), session)
    front.stop()
    assert str(caught.value).startswith(f"{front.host}: {complaint}")


def test_the_command_shows_every_state_and_ends_with_the_worst(
    registry: Registry, endoflife: EndOfLife, tmp_path: Path
) -> None:
    """The whole way: the table, JSON, and the exit code that a workflow goes by."""
    root = copy_project(tmp_path / "monitoring")
    here = push(registry, "whole", "v3.5.1", "v3.13.4", "v3.13.5")
    far, past = date(2999, 1, 1), date(2020, 1, 1)

    def run(pins: dict[str, str], table: dict[str, Any], *options: str) -> tuple[int, str]:
        images = {
            key: {"repository": pin.rpartition(":")[0], "tag": pin.rpartition(":")[2]} for key, pin in pins.items()
        }
        (root / "config/images.yaml").write_text(yaml.safe_dump(images))
        rows = {key: {"source": "https://example.org", "read": TODAY, **row} for key, row in table.items()}
        (root / "config/support.yaml").write_text(yaml.safe_dump(rows))
        command = [sys.executable, "-m", "ops", "images", "outdated", "--endoflife", endoflife.address, *options]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
        assert done.stderr == ""
        return done.returncode, done.stdout

    silent = f"127.0.0.1:{free_port()}/one"
    pins = {
        "current": f"{here}:v3.13.5",
        "unknown": f"{silent}:v3.13.5",
        "patch": f"{here}:v3.13.4",
        "ended": f"{here}:v3.5.1",
    }
    mended = {"lines": {"3.13": far}}
    table = {"current": mended, "unknown": mended, "patch": mended, "ended": {"lines": {"3.5": past}}}
    codes = {}
    for state, pin in pins.items():
        codes[state], text = run({state: pin}, table)
        assert text.splitlines()[1].endswith(f" {state}"), text
    assert codes == {"current": 0, "unknown": 5, "patch": 3, "ended": 4}
    assert run({"current": pins["current"], "unknown": pins["unknown"]}, table)[0] == 5
    assert run({key: pins[key] for key in ("unknown", "patch")}, table)[0] == 3
    code, text = run(pins, table)
    assert code == 4
    assert f"unknown: {silent.partition('/')[0]}: ConnectError" in text
    code, text = run(pins, table, "--json")
    assert code == 4
    rows = {row["key"]: row for row in json.loads(text)}
    assert {key: row["state"] for key, row in rows.items()} == {key: key for key in pins}
    assert rows["patch"] == {
        "key": "patch",
        "image": pins["patch"],
        "state": "patch",
        "pinned": "3.13.4",
        "newest_patch": "3.13.5",
        "newest": "3.13.5",
        "line": "3.13",
        "supported": True,
        "supported_until": "2999-01-01",
        "source": "https://example.org",
        "problems": [],
    }

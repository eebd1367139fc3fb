"""A stack with Grafana's container, where the image and the provider's plugin can be had.

MONITORING_GRAFANA_IMAGE names another image to try it on; the plugin is on PATH or can be downloaded. Without an
image or a plugin, these tests say so and are skipped.
"""

import os
from collections.abc import Callable, Iterator

import docker
import httpx
import pytest

from dashboards.sources import FOLDER, NAMES
from images.bring import bring
from images.errors import ImageError
from lab.cache import cache
from ops.errors import OpsError
from ops.stack import toolchain
from tests.engine.deployment import Deployment, edited
from tests.rules.reading import dev
from tests.unit.drawn import UIDS

IMAGE = os.environ.get("MONITORING_GRAFANA_IMAGE", "")


class Trial:
    """The stack, brought up with the administrator's password `password`, which may be changed."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.password = "the-first-password-1"

    def ops(self, command: str, *arguments: str, ok: bool = True) -> str:
        """Run `ops` with the image and the password."""
        image = ["-c", f'imageOverrides={{"grafana": "{IMAGE}"}}'] if IMAGE else []
        password = ["-c", f"grafanaAdminPassword={self.password}"]
        return self.deployment.ops(command, *arguments, *image, *password, ok=ok)

    def api(self, password: str = "") -> httpx.Client:
        """Grafana's API, as the administrator."""
        return httpx.Client(
            base_url=self.deployment.url("grafana"), auth=("admin", password or self.password), timeout=30
        )

    def title(self, uid: str) -> str:
        """The title of a dashboard as Grafana has it."""
        return str(self.api().get(f"/api/dashboards/uid/{uid}").raise_for_status().json()["dashboard"]["title"])

    def uids(self) -> set[str]:
        """The dashboards in our folder."""
        found = self.api().get("/api/search", params={"type": "dash-db"}).raise_for_status().json()
        return {each["uid"] for each in found if each.get("folderUid") == FOLDER}


@pytest.fixture(scope="module")
def trial(
    engine: docker.DockerClient,
    make_deployment: Callable[[str], Deployment],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Trial]:
    try:
        if not IMAGE:
            bring(["grafana"], dev(), engine, cache(), print)
        command = toolchain.pulumi(cache(), print)
        toolchain.plugin("grafana", command, tmp_path_factory.mktemp("pulumi"), cache(), print)
    except (ImageError, OpsError) as error:
        pytest.skip(f"no Grafana to try this on: {' '.join(str(error).split()[:20])} …")
    trial = Trial(make_deployment("pr-4420"))
    trial.ops("up")
    yield trial
    trial.deployment.ops("destroy")
    assert trial.deployment.leftovers() == []


def test_up_ends_with_everything_in_grafana(trial: Trial) -> None:
    sources = trial.api().get("/api/datasources").raise_for_status().json()
    assert {source["uid"] for source in sources} >= set(NAMES)
    assert trial.uids() == set(UIDS)
    assert trial.password not in str(trial.deployment.container("grafana").attrs)


def test_a_second_look_finds_nothing_to_change(trial: Trial) -> None:
    trial.ops("preview", "--expect-no-changes")
    assert "changes: none" in trial.ops("up")


def test_what_is_changed_by_hand_shows_in_the_preview_and_comes_back(trial: Trial) -> None:
    edited = trial.api().get("/api/dashboards/uid/websocket").json()["dashboard"]
    edited["title"] = "Edited by hand"
    body = {"dashboard": edited, "folderUid": FOLDER, "overwrite": True}
    trial.api().post("/api/dashboards/db", json=body).raise_for_status()
    trial.api().delete("/api/dashboards/uid/database").raise_for_status()
    shown = trial.ops("preview")
    assert "Edited by hand" in shown
    trial.ops("up")
    assert trial.title("websocket") == "WebSocket"
    assert trial.uids() == set(UIDS)
    trial.ops("preview", "--expect-no-changes")


def test_what_is_removed_from_the_code_is_removed_from_grafana(trial: Trial) -> None:
    code = trial.deployment.root / "dashboards/__init__.py"
    validation = trial.deployment.root / "ops/validation/grafana.py"
    with edited(code, (", business_metrics)]", ")]")), edited(validation, (', "business-metrics"', "")):
        trial.ops("up")
        assert trial.uids() == set(UIDS) - {"business-metrics"}
    trial.ops("up")
    assert trial.uids() == set(UIDS)


def test_a_rotated_password_is_the_one_that_counts(trial: Trial) -> None:
    """On a Grafana that has a database already; with a failure in between, too."""
    old = trial.password
    started = trial.deployment.started("prometheus")
    trial.password = "the-second-password-2"
    trial.ops("up")
    assert trial.api().get("/api/org").status_code == 200
    assert trial.api(old).get("/api/org").status_code == 401
    assert trial.uids() == set(UIDS)
    assert trial.deployment.started("prometheus") == started
    trial.ops("preview", "--expect-no-changes")


def test_a_password_that_was_changed_by_hand_is_said_and_put_back(trial: Trial) -> None:
    """Somebody changed it in the interface: what Pulumi knows is refused, and `up` makes it the right one again."""
    body = {"oldPassword": trial.password, "newPassword": "by-hand-3", "confirmNew": "by-hand-3"}
    trial.api().put("/api/user/password", json=body).raise_for_status()
    trial.password = "the-third-password-3"
    trial.ops("up")
    assert trial.api().get("/api/org").status_code == 200
    trial.ops("preview", "--expect-no-changes")


def test_a_dead_grafana_does_not_keep_the_stack_alive(trial: Trial) -> None:
    trial.deployment.container("grafana").remove(force=True)
    trial.deployment.ops("destroy")
    assert trial.deployment.leftovers() == []
    trial.ops("up")
    assert trial.uids() == set(UIDS)

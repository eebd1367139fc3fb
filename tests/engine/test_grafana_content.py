"""The whole life of what is in Grafana, on a real Grafana that may be thrown away.

Its address and its administrator's password stand in MONITORING_GRAFANA_URL and MONITORING_GRAFANA_PASSWORD; the
provider's plugin is on PATH or can be downloaded. Without them, these tests say so and are skipped.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import docker
import httpx
import pulumi
import pulumi_docker
import pytest
from pulumi import automation
from pydantic import SecretStr

import dashboards
from components.grafana import Grafana
from components.grafana_content import GrafanaContent
from config.settings import Settings
from dashboards.sources import FOLDER, NAMES, deployment_tags
from lab.cache import cache
from ops.errors import OpsError
from ops.stack import toolchain
from tests.unit.drawn import UIDS, dev_settings

URL = os.environ.get("MONITORING_GRAFANA_URL", "")
PASSWORD = os.environ.get("MONITORING_GRAFANA_PASSWORD", "")
VOLUME = "monitoring-test-grafana-content"

pytestmark = pytest.mark.skipif(
    not (URL and PASSWORD),
    reason="no Grafana to try this on: MONITORING_GRAFANA_URL and MONITORING_GRAFANA_PASSWORD name none",
)


class StandIn(pulumi.ComponentResource):
    """What the content needs of Grafana's container, where the Grafana runs elsewhere: a volume that goes with it."""

    def __init__(self) -> None:
        super().__init__("monitoring:test:StandIn", "grafana")
        self.volume = pulumi_docker.Volume("grafana-data", name=VOLUME, opts=pulumi.ResourceOptions(parent=self))


class Trial:
    """A stack that has nothing but the content of Grafana; `settings` and `without` (a uid) may be changed between."""

    def __init__(self, directory: Path, command: automation.PulumiCommand, plugins: Path) -> None:
        self.settings = _settings()
        self.without = ""
        self.api = httpx.Client(base_url=URL, auth=("admin", PASSWORD), timeout=30)
        project = automation.ProjectSettings(
            "monitoring", "python", backend=automation.ProjectBackend(f"file://{directory}")
        )
        environment = {"PULUMI_CONFIG_PASSPHRASE": "x", "PULUMI_SKIP_UPDATE_CHECK": "true"}
        self.stack = automation.create_or_select_stack(
            "dev",
            "monitoring",
            self._program,
            opts=automation.LocalWorkspaceOptions(
                project_settings=project, pulumi_home=str(plugins), env_vars=environment, pulumi_command=command
            ),
        )

    def _program(self) -> None:
        content = dict(self._drawn(self.settings))
        content.pop(self.without, None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dashboards, "build", lambda _: content)
            GrafanaContent(self.settings, grafana=cast(Grafana, StandIn()), deployed=["one container"])

    _drawn = staticmethod(dashboards.build)

    def changes(self, *, refresh: bool = False) -> dict[str, int]:
        """What a preview would do: operation -> count, without what stays the same."""
        summary = self.stack.preview(refresh=refresh).change_summary
        return {str(operation): count for operation, count in summary.items() if operation != "same"}

    def get(self, path: str, **parameters: Any) -> Any:
        """What Grafana's API answers."""
        response = self.api.get(path, params=parameters)
        assert response.status_code == 200, f"{response.url}: {response.status_code} {response.text}"
        return response.json()

    def uids(self) -> set[str]:
        """The dashboards in our folder."""
        return {each["uid"] for each in self.get("/api/search", type="dash-db") if each.get("folderUid") == FOLDER}

    def marks(self) -> int:
        """How many deployments are marked."""
        return len(self.get("/api/annotations", tags=deployment_tags("dev")))

    def empty(self) -> None:
        """Remove from Grafana whatever an earlier trial left."""
        for uid in UIDS:
            self.api.delete(f"/api/dashboards/uid/{uid}")
        for uid in NAMES:
            self.api.delete(f"/api/datasources/uid/{uid}")
        self.api.delete(f"/api/folders/{FOLDER}")


def _settings(password: str = PASSWORD, **thresholds: float) -> Settings:
    settings = dev_settings(grafanaUrl=URL)
    return replace(
        settings,
        grafana=replace(settings.grafana, admin_password=SecretStr(password)),
        thresholds={**settings.thresholds, **{key.replace("__", ":"): value for key, value in thresholds.items()}},
    )


@pytest.fixture(scope="module")
def trial(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    home = tmp_path_factory.mktemp("pulumi")
    command = toolchain.pulumi(cache(), print)
    toolchain.plugin("docker", command, home, cache(), print)
    if not shutil.which("pulumi-resource-grafana"):
        try:
            toolchain.plugin("grafana", command, home, cache(), print)
        except OpsError as error:
            pytest.skip(f"no plugin of the Grafana provider: {error}")
    trial = Trial(tmp_path_factory.mktemp("state"), command, home)
    trial.empty()
    yield trial
    trial.empty()
    for volume in engine.volumes.list(filters={"name": VOLUME}):
        volume.remove(force=True)


def test_up_makes_all_of_it(trial: Trial) -> None:
    before = trial.marks()
    trial.stack.up()
    sources = {each["uid"]: each for each in trial.get("/api/datasources")}
    assert set(sources) >= set(NAMES)
    assert sources["prometheus"]["isDefault"]
    assert sources["alertmanager"]["jsonData"]["implementation"] == "prometheus"
    fields = {field["matcherRegex"]: field["url"] for field in sources["loki"]["jsonData"]["derivedFields"]}
    assert set(fields) == {"^request_id$", "^duration_ms$"}
    assert "/d/database" in fields["^duration_ms$"]
    assert trial.uids() == set(UIDS)
    assert trial.get("/api/org/preferences")["homeDashboardUID"] == "system-overview"
    assert trial.marks() == before + 1


def test_a_preview_after_up_shows_nothing(trial: Trial) -> None:
    assert trial.changes() == {}
    assert trial.changes(refresh=True) == {}


def test_a_changed_threshold_shows_as_the_number_that_changes(trial: Trial) -> None:
    before = trial.marks()
    trial.settings = _settings(websocket_latency__seconds=0.7)
    shown = trial.stack.preview(diff=True, color="never").stdout
    assert "value: 0.5 => 0.7" in shown
    assert trial.changes() == {"update": 1, "replace": 1}
    trial.stack.up()
    assert trial.changes(refresh=True) == {}
    assert trial.marks() == before + 1, "a mark for this deployment, beside those of the earlier ones"


def test_what_is_changed_by_hand_shows_and_comes_back(trial: Trial) -> None:
    edited = trial.get("/api/dashboards/uid/websocket")["dashboard"]
    edited["title"] = "Edited by hand"
    trial.api.post("/api/dashboards/db", json={"dashboard": edited, "folderUid": FOLDER, "overwrite": True})
    trial.api.delete("/api/dashboards/uid/database")
    before = trial.marks()
    assert trial.changes(refresh=True) == {"update": 1, "create": 1}
    trial.stack.up(refresh=True)
    assert trial.get("/api/dashboards/uid/websocket")["dashboard"]["title"] == "WebSocket"
    assert trial.uids() == set(UIDS)
    assert trial.marks() == before, "nothing was deployed"


def test_what_is_removed_from_the_code_is_removed_from_grafana(trial: Trial) -> None:
    trial.without = "business-metrics"
    trial.stack.up()
    assert trial.uids() == set(UIDS) - {"business-metrics"}
    trial.without = ""
    trial.stack.up()
    assert trial.uids() == set(UIDS)


def test_a_wrong_password_fails_and_does_not_lock_the_administrator_out(trial: Trial) -> None:
    trial.settings = _settings("not the password", websocket_latency__seconds=0.8)
    with pytest.raises(automation.CommandError, match="401"):
        trial.stack.up()
    trial.settings = _settings(websocket_latency__seconds=0.8)
    trial.stack.up()
    assert trial.changes(refresh=True) == {}


def test_destroy_leaves_nothing_of_the_stack(trial: Trial, engine: docker.DockerClient) -> None:
    trial.stack.destroy()
    assert not (trial.stack.export_stack().deployment or {}).get("resources")
    assert engine.volumes.list(filters={"name": VOLUME}) == []

"""What is in Grafana: data sources, dashboards, the home page and a mark at each deployment."""

import hashlib
import json
from collections.abc import Sequence

import pulumi
import pulumiverse_grafana as grafana_api
from pulumiverse_grafana import oss

import dashboards
from components.grafana import Grafana
from config.settings import Settings
from dashboards.links import to_request, to_statements
from dashboards.sources import ALERTMANAGER, FOLDER, LOKI, NAMES, PROMETHEUS, deployment_tags


class GrafanaContent(pulumi.ComponentResource):
    """The content of the Grafana that `settings` name, as managed state.

    Takes
      grafana    the container that runs Grafana; None where it is one that somebody else runs
      deployed   identities of what else is deployed, such as the ids of containers: when one of them or a dashboard
                 changes, `up` writes a mark that all dashboards show

    Whatever is changed by hand comes back with the next `up`; in preview it shows after a refresh. In a Grafana that
    somebody else runs, the home page and the default data source stay theirs.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        grafana: Grafana | None = None,
        deployed: Sequence[pulumi.Input[str]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("monitoring:grafana:Content", "grafana-content", {}, opts)
        self._settings = settings
        self._grafana = grafana
        self._provider = grafana_api.Provider(
            "grafana",
            # Both known before anything runs: an address taken from the container would make every preview of a
            # replaced container show every resource here as changed.
            url=settings.grafana.url,
            auth=_credentials(settings),
            retries=3,
            retry_wait=1,
            # Not 401, which the provider retries by default: the log-ins of one `up` with a wrong password would lock
            # the administrator out.
            retry_status_codes=["429", "5xx"],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._data_sources()
        drawn = dashboards.build(settings)
        pages = self._dashboards(drawn)
        if grafana:
            oss.OrganizationPreferences(
                "home", home_dashboard_uid=pages[dashboards.HOME].uid, opts=self._options([pages[dashboards.HOME]])
            )
        self._mark_deployment([*deployed, *drawn.values()], after=list(pages.values()))
        self.register_outputs({})

    def _data_sources(self) -> None:
        settings = self._settings
        inside = self._grafana is not None
        request, statement = to_request(settings), to_statements(settings)
        prometheus, loki, alertmanager = str(PROMETHEUS.uid), str(LOKI.uid), str(ALERTMANAGER.uid)
        self._data_source(
            alertmanager,
            "http://alertmanager:9093" if inside else settings.alertmanager_url,
            {"implementation": "prometheus", "handleGrafanaManagedAlerts": False},
        )
        self._data_source(
            prometheus,
            "http://prometheus:9090" if inside else settings.prometheus.url,
            {
                "alertmanagerUid": alertmanager,
                "httpMethod": "POST",
                "manageAlerts": True,
                "prometheusType": "Prometheus",
                # $__rate_interval is made from it.
                "timeInterval": settings.prometheus.scrape_interval,
            },
            default=inside,
        )
        self._data_source(
            loki,
            "http://loki:3100" if inside else settings.loki_url,
            {
                "alertmanagerUid": alertmanager,
                "manageAlerts": True,
                "maxLines": 1000,
                # By an address: Grafana's own link to a data source loses the query where that is Loki.
                "derivedFields": [
                    {
                        "name": "request",
                        "matcherType": "label",
                        "matcherRegex": "^request_id$",
                        "url": request.url,
                        "urlDisplayLabel": request.title,
                    },
                    {
                        "name": "statement",
                        "matcherType": "label",
                        "matcherRegex": "^duration_ms$",
                        "url": statement.url,
                        "urlDisplayLabel": statement.title,
                    },
                ],
            },
        )

    def _data_source(self, uid: str, url: str, options: dict[str, object], *, default: bool = False) -> None:
        """The data source whose type is also its uid."""
        oss.DataSource(
            uid,
            type=uid,
            uid=uid,
            name=NAMES[uid],
            url=url,
            is_default=default,
            json_data_encoded=json.dumps(options, sort_keys=True),
            opts=self._options(),
        )

    def _dashboards(self, drawn: dict[str, str]) -> dict[str, oss.Dashboard]:
        folder = oss.Folder(
            "folder",
            uid=FOLDER,
            title="Monitoring",
            # Where others work too, somebody may have put a dashboard of theirs into it.
            prevent_destroy_if_not_empty=self._grafana is None,
            opts=self._options(),
        )
        return {
            uid: oss.Dashboard(
                uid,
                folder=folder.uid,
                config_json=text,
                # Takes over one of the same uid, such as after a lost state.
                overwrite=True,
                message="Deployed by Pulumi",
                # Without it, a changed uid under the same title ends with no dashboard at all.
                opts=self._options(delete_before_replace=True),
            )
            for uid, text in drawn.items()
        }

    def _mark_deployment(self, what: Sequence[pulumi.Input[str]], after: Sequence[pulumi.Resource]) -> None:
        """A mark now, if `what` is not what it was at the last mark."""
        settings = self._settings
        digest = pulumi.Output.all(*what).apply(
            lambda texts: hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
        )
        oss.Annotation(
            "deployment",
            text=pulumi.Output.concat("Deployment of ", settings.stack, ", state ", digest),
            tags=deployment_tags(settings.stack),
            # A new mark for each deployment, and the older ones stay where they are in time.
            opts=self._options(after, replace_on_changes=["text"], retain_on_delete=True),
        )

    def _options(
        self,
        after: Sequence[pulumi.Resource] = (),
        *,
        delete_before_replace: bool | None = None,
        replace_on_changes: list[str] | None = None,
        retain_on_delete: bool | None = None,
    ) -> pulumi.ResourceOptions:
        """Options of a resource in Grafana: made once Grafana answers, gone when Grafana's volume is."""
        return pulumi.ResourceOptions(
            parent=self,
            provider=self._provider,
            depends_on=[*after, *([self._grafana] if self._grafana else [])],
            deleted_with=self._grafana.volume if self._grafana else None,
            delete_before_replace=delete_before_replace,
            replace_on_changes=replace_on_changes,
            retain_on_delete=retain_on_delete,
        )


def _credentials(settings: Settings) -> pulumi.Output[str]:
    """The administrator's log-in, or the token for a Grafana that somebody else runs."""
    grafana = settings.grafana
    if grafana.mode == "external":
        assert grafana.token, "config.settings refuses an external Grafana without"
        return pulumi.Output.secret(grafana.token.get_secret_value())
    assert grafana.admin_password, "config.settings refuses a container without"
    return pulumi.Output.secret(f"{grafana.admin_user}:{grafana.admin_password.get_secret_value()}")

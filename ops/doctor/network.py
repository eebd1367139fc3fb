"""Where images and programs come from: what is here already, and which registries, mirrors and proxies answer."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import docker
import httpx

from config.settings import Settings
from images.catalogue import image_keys_of
from images.faults import classify
from images.local import PLACES, local
from images.registry import address
from lab import images as lab
from ops.validation.check import Check

# Seconds for an answer.
_TIMEOUT = 4
# Seconds that this machine's clock may be off; and beyond which no certificate can be trusted.
_CLOCK_WELL, _CLOCK_WRONG = 5, 24 * 3600
_OFFICIAL_PROXY = "https://proxy.golang.org"


class Probe:
    """An address that was asked: `problem` says why it does not answer, and is empty where it does."""

    def __init__(self, url: str) -> None:
        self.url, self.problem, self.away = url, "", None
        try:
            answer = httpx.get(url, timeout=_TIMEOUT, follow_redirects=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            text = str(error) or type(error).__name__
            fault = classify(text)
            self.problem = f"{fault.meaning} ({text})" if fault.patterns else text
            return
        if answer.status_code >= 500:
            self.problem = f"HTTP {answer.status_code}"
        if "date" in answer.headers:
            self.away = abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time())

    away: float | None
    """Seconds between its clock and this machine's; None where it does not tell."""


def checks(settings: Callable[[], Settings], engine: docker.DockerClient | Exception, cache: Path) -> Iterator[Check]:
    """See the module. `settings` gives the stack's, or raises; `engine` is the client, or why there is none."""
    stack = settings()
    keys = image_keys_of(stack)
    found = {} if isinstance(engine, Exception) else local(keys, stack, engine, cache)
    missing = [key for key, (_, reference) in found.items() if reference is None]
    hosts = {image.reference.host for key, (image, _) in found.items() if not image.build} or {"docker.io"}
    registries = {host: address(host) + "/v2/" for host in sorted(hosts)}
    mirror = {"mirror": address(stack.images.mirror.partition("/")[0]) + "/v2/"} if stack.images.mirror else {}
    proxy = {"go proxy": _go_proxy()} if shutil.which("go") else {}
    probes = ask({**registries, **mirror, **proxy})

    yield _clock(probes.values())
    for host in registries:
        yield _answer(f"registry {host}", probes[host], "set a mirror (imageMirror) or a bundle (imageBundle)")
    if mirror:
        yield _answer("mirror", probes["mirror"], "correct the address: ops config set imageMirror")
    yield from _lab(probes.get("go proxy"))
    if isinstance(engine, Exception):
        yield Check.skip("images", "not looked at, as no engine answers")
        return
    ways = {
        "registry": any(not probes[name].problem for name in {**registries, **mirror}),
        "bundle": stack.images.bundle is not None,
        "lab": "go proxy" in probes and not probes["go proxy"].problem,
    }
    yield images(missing, len(keys), stack, ways)


def ask(addresses: dict[str, str]) -> dict[str, Probe]:
    """Each address, by its name, asked at the same time."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(addresses, pool.map(Probe, addresses.values()), strict=True))


def images(missing: list[str], of: int, settings: Settings, ways: dict[str, bool]) -> Check:
    """Whether the images that are `missing`, of so many, can be had in one of the `ways` (place -> it is open)."""
    # A demo stack goes without Grafana where its image cannot be had.
    optional = {"grafana"} if settings.demo else set()
    here = f"{of - len(missing)} of {of} are here" + (f"; missing: {', '.join(missing)}" if missing else "")
    open_ways = [place for place in PLACES[settings.images.source] if ways.get(place)]
    lost = [key for key in missing if not open_ways or (open_ways == ["lab"] and key not in lab.KEYS)]
    hint = "open a way: a registry, imageMirror, imageBundle (ops bundle save where there is a network), or Go 1.26"
    if set(lost) - optional:
        return Check.fail(
            "images", f"{here}; no way to them is open", expected="all are here, or can be had", hint=hint
        )
    if lost:
        return Check.warn("images", f"{here}; this stack goes without", expected="all can be had", hint=hint)
    return Check.of("images", True, here + (f"; they come from: {', '.join(open_ways)}" if missing else ""))


def _answer(name: str, probe: Probe, way_out: str) -> Check:
    """A registry or mirror that does not answer stops nothing by itself: see `images`."""
    if not probe.problem:
        return Check.of(name, True, urlsplit(probe.url).netloc)
    return Check.warn(name, probe.problem, expected=f"{urlsplit(probe.url).netloc} answers", hint=way_out)


def _lab(proxy: Probe | None) -> Iterator[Check]:
    """What the lab needs to build images and programs where no registry and no release can be had."""
    if proxy is None:
        hint = "only needed where no registry and no release can be reached: https://go.dev/doc/install"
        yield Check.warn("go", "not on the PATH", expected="Go 1.26 or newer", hint=hint)
        return
    yield Check.of("go", True, str(shutil.which("go")))
    yield _answer("go proxy", proxy, "name one that answers: go env -w GOPROXY=https://HOST")


def _clock(probes: Iterable[Probe]) -> Check:
    """This machine's clock by those of the others: the smallest difference, as one of them may be wrong, too."""
    told = [probe.away for probe in probes if probe.away is not None]
    if not told:
        return Check.skip("clock", "nobody who could tell the time answers")
    away = min(told)
    hint = "let it keep time from the network: timedatectl set-ntp true"
    expected = f"less than {_CLOCK_WELL} s; beyond a day no certificate is trusted"
    if away > _CLOCK_WRONG:
        return Check.fail("clock", f"{away / 3600:.0f} h off", expected=expected, hint=hint)
    if away > _CLOCK_WELL:
        return Check.warn("clock", f"{away:.0f} s off", expected=expected, hint=hint)
    return Check.of("clock", True, f"{away:.0f} s off")


def _go_proxy() -> str:
    """The first of Go's module proxies."""
    found = (
        os.environ.get("GOPROXY")
        or subprocess.run(["go", "env", "GOPROXY"], capture_output=True, text=True, check=False).stdout
    )
    first = found.replace("|", ",").split(",")[0].strip()
    return first if first.startswith("http") else _OFFICIAL_PROXY

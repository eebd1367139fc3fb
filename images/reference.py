"""The name of an image."""

import re
from dataclasses import dataclass, replace

from docker.auth import resolve_repository_name
from docker.errors import InvalidRepository
from docker.utils import parse_repository_tag

from config.wording import shortened

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# The grammar of distribution/reference, without the host.
_PATH = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}")


@dataclass(frozen=True)
class Reference:
    """The name of an image: registry host, path, tag (empty when there is none), digest (empty when there is none)."""

    host: str
    path: str
    tag: str
    digest: str = ""

    @property
    def repository(self) -> str:
        """Host and path, written out (`docker.io/library/redis`)."""
        return f"{self.host}/{self.path}"

    @property
    def familiar(self) -> str:
        """Host and path as the engine lists them: it leaves out `docker.io/` and `library/`."""
        if self.host != "docker.io":
            return self.repository
        return self.path.removeprefix("library/")

    @property
    def tagged(self) -> str:
        """The reference without its digest."""
        return f"{self.repository}:{self.tag}" if self.tag else self.repository

    def __str__(self) -> str:
        """The whole reference, as a container's `image` takes it."""
        return f"{self.tagged}@{self.digest}" if self.digest else self.tagged

    def mirrored(self, mirror: str) -> "Reference":
        """The same image behind a mirror prefix such as `mirror.example/dockerhub`."""
        host, _, prefix = mirror.rstrip("/").partition("/")
        return replace(self, host=host, path=f"{prefix}/{self.path}" if prefix else self.path)


def parse(text: str) -> Reference:
    """Read `[host/]path[:tag][@digest]`; neither tag nor digest means `latest`. Raises ValueError if malformed."""
    name, _, digest = text.partition("@")
    repository, tag = parse_repository_tag(name)
    try:
        host, path = resolve_repository_name(repository)
    except InvalidRepository as error:
        raise ValueError(f"{shortened(text)} is not an image reference: {error}") from None
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    tag = tag or ("" if digest else "latest")
    wrong_tag = name.endswith(":") or (tag and not _TAG.fullmatch(tag))
    if wrong_tag or not _PATH.fullmatch(path) or ("@" in text and not _DIGEST.fullmatch(digest)):
        raise ValueError(f"{shortened(text)} is not an image reference; one looks like docker.io/library/redis:7.0.15")
    return Reference(host, path, tag, digest)

"""The tags that a registry has, by the API that every registry speaks (OCI distribution-spec, "Listing Tags")."""

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import httpx

from images.errors import ImageError
from images.reference import Reference

# Docker Hub's name in references is not where its registry answers.
_HOSTS = {"docker.io": "registry-1.docker.io"}
# Pages of one repository's list; a registry that points on for ever is told apart from one with very many tags.
_PAGES = 500


class RegistryError(ImageError):
    """A registry did not give its list of tags: the message names the host and why."""


def tags(reference: Reference, client: httpx.Client) -> list[str]:
    """Every tag of an image's repository, in the registry's order; it is asked without an account.

    Raises RegistryError.
    """
    base = address(reference.host)
    host = urlsplit(base).netloc
    url = f"{base}/v2/{reference.path}/tags/list?n=1000"
    headers: dict[str, str] = {}
    found: list[str] = []
    try:
        for _ in range(_PAGES):
            answer = client.get(url, headers=headers)
            if answer.status_code == httpx.codes.UNAUTHORIZED and not headers:
                headers = {"Authorization": f"Bearer {_token(answer, reference, client)}"}
                answer = client.get(url, headers=headers)
            answer.raise_for_status()
            found += answer.json().get("tags") or []
            following = answer.links.get("next", {}).get("url")
            if not following:
                return found
            url = urljoin(url, following)
            if urlsplit(url).netloc != host:
                raise RegistryError(f"{reference.host}: its list of tags goes on at {urlsplit(url).netloc}")
    except httpx.HTTPError as error:
        raise RegistryError(f"{reference.host}: {describe(error)}") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise RegistryError(f"{reference.host}: its answer is no list of tags ({error})") from error
    raise RegistryError(f"{reference.host}: its list of tags has no end ({len(found)} so far)")


def address(host: str) -> str:
    """Where the registry called `host` in references answers, without a path."""
    host = _HOSTS.get(host, host)
    return f"{_scheme(host)}://{host}"


def describe(error: httpx.HTTPError) -> str:
    """What went wrong with a request, in a few words."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code} {error.response.reason_phrase} for {error.request.url.path}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _scheme(host: str) -> str:
    """As the Docker engine has it: loopback addresses are asked without TLS."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return "http" if ipaddress.ip_address(name).is_loopback else "https"
    except ValueError:
        return "http" if name == "localhost" else "https"


def _token(refusal: httpx.Response, reference: Reference, client: httpx.Client) -> str:
    """An anonymous token from where a registry's refusal says (distribution: "Token Authentication")."""
    challenge = refusal.headers.get("WWW-Authenticate", "")
    kind, _, rest = challenge.partition(" ")
    fields: Mapping[str, str] = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    realm = fields.get("realm", "")
    if kind.lower() != "bearer" or not realm:
        raise RegistryError(f"{reference.host}: it wants a log-in ({kind or 'HTTP 401'})")
    if urlsplit(realm).scheme != "https" and refusal.request.url.scheme == "https":
        raise RegistryError(f"{reference.host}: it sends for a token to {realm}, which is not encrypted")
    asked = {"scope": fields.get("scope", f"repository:{reference.path}:pull")}
    if "service" in fields:
        asked["service"] = fields["service"]
    answer = client.get(realm, params=asked)
    answer.raise_for_status()
    given = answer.json()
    token = given.get("token") or given.get("access_token")
    if not isinstance(token, str):
        raise RegistryError(f"{reference.host}: {realm} gave no token")
    return token

"""What `ops images outdated` is tested with: images with tags in a real registry, and a server like endoflife.date."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.engine.registries import Registry

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def push(registry: Registry, repository: str, *tags: str) -> str:
    """Push an image without layers under these tags, as a client does; gives `host/repository`."""
    base = f"http://{registry.host}/v2/{repository}"
    config = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    upload = httpx.post(f"{base}/blobs/uploads/").raise_for_status().headers["Location"]
    httpx.put(upload, params={**parse_qs(urlsplit(upload).query), "digest": digest}, content=config).raise_for_status()
    described = {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(config), "digest": digest}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": _MANIFEST, "config": described, "layers": []})
    for tag in tags:
        httpx.put(f"{base}/manifests/{tag}", content=manifest, headers={"Content-Type": _MANIFEST}).raise_for_status()
    return f"{registry.host}/{repository}"


class EndOfLife:
    """Stands in endoflife.date's place: `products` is product -> line -> last day, or whether it has ended."""

    def __init__(self) -> None:
        """Start it."""
        self.products: dict[str, dict[str, str | bool]] = {}
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            """Answers with the form of API v1 (api_v1/openapi.yml in endoflife.date's repository)."""

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                """Answer for one product."""
                lines = stand_in.products.get(self.path.removeprefix("/api/v1/products/"))
                releases = [
                    {"name": name, "isEol": ends is True, "eolFrom": ends if isinstance(ends, str) else None}
                    for name, ends in (lines or {}).items()
                ]
                body = json.dumps({"schema_version": "1.2.1", "result": {"releases": releases}}).encode()
                self.send_response(404 if lines is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()

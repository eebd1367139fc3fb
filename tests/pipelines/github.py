"""A small server in the place of GitHub's API: comments and issues of one repository, for the real `gh` to speak to."""

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab import toolchain
from lab.cache import cache

REPOSITORY = "someone/monitoring"
BOT = "github-actions[bot]"
# Comments of a page of the API; few, so that a test sees the second page.
_PAGE = 2


@dataclass
class GitHub:
    """What the server was told; comments are by number of their issue or pull request."""

    port: int = 0
    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def command_line(self, directory: Path) -> dict[str, str]:
        """What lets the real `gh` come here; `directory` is where a command of that name is put.

        For this host it speaks plain HTTP, and through a proxy, which is this server; nobody else may take that proxy.
        """
        gh = shutil.which("gh") or str(toolchain.build("gh", cache(), print))
        directory.mkdir(parents=True, exist_ok=True)
        command = directory / "gh"
        command.write_text(f'#!/bin/sh\nNO_PROXY= no_proxy= HTTP_PROXY=http://127.0.0.1:{self.port} exec {gh} "$@"\n')
        command.chmod(0o755)
        path = f"{directory}{os.pathsep}{os.environ['PATH']}"
        return {"GH_HOST": "github.localhost", "GH_TOKEN": "t", "PATH": path}

    def comment(self, number: int, body: str, user: str = BOT) -> dict[str, Any]:
        """Let there be a comment."""
        made = {"id": len(self.comments) + 100, "number": number, "body": body, "user": {"login": user}}
        self.comments.append(made)
        return made

    def bodies(self, number: int) -> list[str]:
        """The comments on an issue or a pull request."""
        return [comment["body"] for comment in self.comments if comment["number"] == number]

    def answer(self, method: str, path: str, query: dict[str, list[str]], sent: dict[str, Any]) -> tuple[int, Any]:
        """Status and JSON for a request."""
        if match := re.fullmatch(r"issues/(\d+)/comments", path):
            number = int(match[1])
            if method == "POST":
                return 201, self.comment(number, sent["body"])
            found = [comment for comment in self.comments if comment["number"] == number]
            first = (int(query.get("page", ["1"])[0]) - 1) * _PAGE
            return 200, found[first : first + _PAGE]
        if match := re.fullmatch(r"issues/comments/(\d+)", path):
            (comment,) = [comment for comment in self.comments if comment["id"] == int(match[1])]
            comment |= sent
            return 200, comment
        if path == "labels":
            if sent["name"] in self.labels:
                return 422, {"message": "already_exists"}
            self.labels.append(sent["name"])
            return 201, sent
        if path == "issues" and method == "POST":
            self.issues.append({"number": len(self.issues) + 1, "state": "open", **sent})
            return 201, self.issues[-1]
        if path == "issues":
            wanted = query["labels"][0]
            return 200, [each for each in self.issues if each["state"] == "open" and wanted in each["labels"]]
        if match := re.fullmatch(r"issues/(\d+)", path):
            issue = self.issues[int(match[1]) - 1]
            issue |= sent
            return 200, issue
        return 404, {"message": f"{method} {path}"}


@contextmanager
def github() -> Iterator[GitHub]:
    """The server, while this lasts."""
    state = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            url = urlsplit(self.path)
            size = int(self.headers.get("Content-Length") or 0)
            sent = json.loads(self.rfile.read(size) or "{}")
            path = url.path.partition(f"/repos/{REPOSITORY}/")[2]
            status, answer = state.answer(self.command, path, parse_qs(url.query), sent)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            if isinstance(answer, list) and len(answer) == _PAGE:
                page = int(parse_qs(url.query).get("page", ["1"])[0]) + 1
                address = f"http://{url.netloc}{url.path}?page={page}"
                self.send_header("Link", f'<{address}>; rel="next"')
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815 (the names are the library's)

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()

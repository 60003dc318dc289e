"""A web server on the loopback interface that gives weights, and misbehaves when it is told to."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

Answer = Callable[["Handler", bytes], None]


@dataclass
class Server:
    """Files by path; ``plan`` holds for a path what happens instead, an entry a request; then all is well."""

    files: dict[str, bytes] = field(default_factory=dict)
    plan: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    ranges: bool = True
    etag: bool = True
    address: str = ""
    deaf_seconds: float = 0.0

    def asked(self, path: str) -> list[str | None]:
        """The Range headers of the requests for a path."""
        return [range_ for asked, range_ in self.requests if asked == path]


class Handler(BaseHTTPRequestHandler):
    server_state: Server

    def do_GET(self) -> None:
        state = self.server_state
        state.requests.append((self.path, self.headers.get("Range")))
        plan = state.plan.get(self.path)
        content = state.files.get(self.path)
        if plan:
            plan.pop(0)(self, content or b"")
        elif content is None:
            self.send_error(404)
        else:
            self.give(content)

    def do_HEAD(self) -> None:
        """Is there anybody? Once ``deaf_seconds`` late when that is set."""
        if self.server_state.deaf_seconds:
            time.sleep(self.server_state.deaf_seconds)
            self.server_state.deaf_seconds = 0.0
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def give(self, content: bytes, *, cut: int | None = None, headers: dict[str, str] | None = None) -> None:
        """The content, or the range of it that was asked for; ``cut`` closes the line after so many bytes."""
        tag = f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324
        start = 0
        wanted = self.headers.get("Range")
        if wanted and self.server_state.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(content) > 0:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        if self.server_state.etag:
            self.send_header("ETag", tag)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[start : start + cut] if cut is not None else content[start:])
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        return


def break_off(after: int) -> Answer:
    return lambda handler, content: handler.give(content, cut=after)


def wrong_bytes(handler: Handler, content: bytes) -> None:
    handler.give(bytes(len(content)))


def status(code: int, **headers: str) -> Answer:
    def answer(handler: Handler, content: bytes) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def stall(seconds: float, after: int) -> Answer:
    def answer(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:after])
        handler.wfile.flush()
        time.sleep(seconds)

    return answer


def silent(seconds: float) -> Answer:
    return lambda handler, content: time.sleep(seconds)


def sign_in_page(handler: Handler, content: bytes) -> None:
    handler.give(b"<html>Welcome to the hotel", headers={"Content-Type": "text/html; charset=utf-8"})


@contextmanager
def serving() -> Iterator[Server]:
    state = Server()
    handler = type("BoundHandler", (Handler,), {"server_state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        with patch.dict(os.environ, no_proxy="127.0.0.1"):
            yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def write_manifest(path: Path, server: Server, files: dict[str, bytes], **model: object) -> Path:
    """A manifest with one model ``tiny`` whose files the server has; facts in ``model`` win."""
    known = bool(model.pop("known", True))
    facts = {
        "id": "tiny",
        "engine": "clip",
        "profile": "light",
        "title": "A tiny model",
        "licence": "MIT",
        "non_commercial": False,
        "homepage": "https://example.org/tiny",
        **model,
    }
    lines = ["[[model]]"]
    for name, value in facts.items():
        lines.append(f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}")
    lines.append(f"sources = ['{server.address}/{facts['id']}']")
    for name, content in files.items():
        lines += ["[[model.files]]", f"path = '{name}'"]
        if known:
            lines.append(f"size = {len(content)}\nsha256 = '{hashlib.sha256(content).hexdigest()}'")
        server.files[f"/{facts['id']}/{name}"] = content
    with path.open("a") as stream:
        stream.write("\n".join(lines) + "\n\n")
    return path

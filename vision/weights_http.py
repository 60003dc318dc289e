"""One file over HTTP into a ``.part`` file: what is there is kept, what comes is hashed, wrong is refused."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import queue
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

CHUNK = 1024 * 1024
_RETRY = {408, 425, 429, 500, 502, 503, 504}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often to try. ``attempts`` counts failures in a row that brought nothing new."""

    answer_seconds: float = 8.0
    stall_seconds: float = 30.0
    attempts: int = 4
    backoff_seconds: float = 1.0
    longest_pause_seconds: float = 30.0


class Unreachable(Exception):  # noqa: N818 - told to the caller, who knows what helps
    """Nothing answered in time."""


class Broken(Exception):  # noqa: N818
    """An answer broke off, stalled, or was not the file; another try may help."""


class Refused(Exception):  # noqa: N818
    """The server does not have the file, does not give it, or leads somewhere unsafe."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, never from https to http; keeps the checksum that the hub sends along with one."""

    def __init__(self) -> None:
        self.sha256: str | None = None

    def redirect_request(  # noqa: PLR0913 - the signature of the base class
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Raises Refused for an unsafe target."""
        target = urlsplit(newurl)
        if target.scheme not in ("http", "https") or (
            urlsplit(req.full_url).scheme == "https" and target.scheme != "https"
        ):
            raise Refused(f"leads from https to {target.scheme}://{target.netloc}, which is not safe")
        self.sha256 = _hub_sha256(headers) or self.sha256
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class Fetch:
    """The way of one file from one address; ``run`` may be called again after Broken."""

    def __init__(
        self,
        address: str,
        part: Path,
        *,
        size: int | None,
        sha256: str | None,
        patience: Patience,
        progress: Callable[[int, int | None], object],
        room: Callable[[int], object],
    ) -> None:
        self.address = address
        self.part = part
        self.size = size
        self.sha256 = sha256
        self.patience = patience
        self.progress = progress
        self.room = room
        self.reached = 0
        self.answered = False
        self.retry_after = 0.0
        self._wrong = 0

    def run(self) -> str:
        """Bring the part file to its full size; returns its sha256. Raises Unreachable, Broken or Refused."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        self.retry_after = 0.0
        redirects = _Redirects()
        start, headers = self._where_to_begin()
        if self.size is not None and start == self.size:
            return self._judge(self._hash_of_part(), self.sha256)
        answer = self._open(headers, redirects)
        self.answered = True
        with answer:
            start, total = self._understand(answer, start)
            self._remember(answer)
            sha256 = self._receive(answer, start, total)
        return self._judge(sha256, self.sha256 or redirects.sha256 or _hub_sha256(answer.headers))

    def forget(self) -> None:
        """Remove what was kept for a later run."""
        self._notes.unlink(missing_ok=True)

    @property
    def _notes(self) -> Path:
        return self.part.with_name(self.part.name + ".json")

    def _start_over(self) -> None:
        self.part.unlink(missing_ok=True)
        self.forget()

    def _where_to_begin(self) -> tuple[int, dict[str, str]]:
        """Bytes that are there, and the headers that ask for the rest of exactly this file."""
        there = self.part.stat().st_size if self.part.exists() else 0
        if self.size is not None and there > self.size:
            there = 0
        validator = self._validator()
        if there and (validator or self.sha256):
            return there, {"Range": f"bytes={there}-", **({"If-Range": validator} if validator else {})}
        self._start_over()
        return 0, {}

    def _validator(self) -> str | None:
        """The validator of this address; another server's says nothing here."""
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        same = isinstance(notes, dict) and notes.get("address") == self.address
        return str(notes["validator"]) if same and notes.get("validator") else None

    def _remember(self, answer: Any) -> None:
        """Only a strong validator may be used with If-Range; dates are strong enough for files of weights."""
        tag = answer.headers.get("ETag")
        validator = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified")
        self._notes.write_text(
            json.dumps({"address": self.address, "validator": validator}), encoding="utf-8"
        )

    def _open(self, headers: dict[str, str], redirects: _Redirects) -> Any:
        """The answer's head, within the time for it, name resolution and proxies included."""
        request = urllib.request.Request(  # noqa: S310 - the manifest's and the redirects' schemes are checked
            self.address, headers={"User-Agent": "heirloom", "Accept-Encoding": "identity", **headers}
        )
        opener = urllib.request.build_opener(redirects)
        try:
            return within(
                self.patience.answer_seconds,
                lambda: opener.open(request, timeout=self.patience.stall_seconds),
            )
        except urllib.error.HTTPError as error:
            with error:
                self.answered = True
                raise self._refusal(error) from error
        except ValueError as error:
            raise Refused(f"leads to an address that is none ({error})") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(str(getattr(error, "reason", None) or error or type(error).__name__)) from error

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        if error.code == 416:
            self._start_over()
            return Broken("the part that was there does not belong to this file; starting over")
        if error.code in _RETRY:
            wait = error.headers.get("Retry-After", "")
            self.retry_after = float(wait) if wait.isdigit() else 0.0
            return Broken(f"answers {error.code} {error.reason}")
        return Refused(f"answers {error.code} {error.reason}")

    def _understand(self, answer: Any, start: int) -> tuple[int, int]:
        """Where the body begins in the file, and the file's size. A plain 200 begins at 0, always."""
        length = answer.headers.get("Content-Length", "")
        if "text/html" in answer.headers.get("Content-Type", ""):
            raise Refused("answers with a web page (a sign-in page of this network?)")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise Refused("compresses the file although it was asked not to")
        if answer.status == 206:
            range_ = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", answer.headers.get("Content-Range", ""))
            if range_ is None or int(range_[1]) != start:
                self._start_over()
                raise Broken("sends another part than was asked for")
            total = int(range_[3])
        elif length.isdigit():
            start, total = 0, int(length)
        elif self.size is not None:
            start, total = 0, self.size
        else:
            raise Refused("does not say how long the file is")
        if self.size is not None and total != self.size:
            self._start_over()
            raise Refused(f"has a file of {total} bytes where {self.size} are expected")
        self.room(total - start)
        return start, total

    def _receive(self, answer: Any, start: int, total: int) -> str:
        """Append the body; returns the sha256 of the whole file."""
        sha256 = hashlib.sha256()
        if start:
            with self.part.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256")
        done = start
        with self.part.open("ab" if start else "wb") as stream:
            while done < total:
                chunk = self._read(answer, min(CHUNK, total - done), done, total)
                stream.write(chunk)
                sha256.update(chunk)
                done += len(chunk)
                self.reached = max(self.reached, done)
                self.progress(done, total)
            stream.flush()
            os.fsync(stream.fileno())  # the name must not reach the disk before the content
        return sha256.hexdigest()

    def _read(self, answer: Any, most: int, done: int, total: int) -> bytes:
        try:
            chunk: bytes = answer.read1(most)
        except TimeoutError as error:
            raise Broken(
                f"sent nothing for {self.patience.stall_seconds:g} s at byte {done} of {total}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise Broken(f"broke off at byte {done} of {total} ({error})") from error
        if not chunk:
            raise Broken(f"broke off at byte {done} of {total}")
        return chunk

    def _hash_of_part(self) -> str:
        with self.part.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _judge(self, sha256: str, expected: str | None) -> str:
        if expected is not None and sha256 != expected:
            self._start_over()
            self._wrong += 1
            raise (Broken if self._wrong < 2 else Refused)(
                f"sent a file with another content (sha256 {sha256[:12]}…, expected {expected[:12]}…)"
            )
        return sha256


def _hub_sha256(headers: Any) -> str | None:
    """The Hugging Face hub names a large file's sha256 in X-Linked-Etag; small ones have another kind."""
    found = _SHA256.fullmatch((headers.get("X-Linked-Etag") or "").strip('"'))
    return found[0] if found else None


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """The result of ``work``, or TimeoutError: name resolution has no time limit of its own.

    A thread that is given up ends by itself; an answer it still gets is closed.
    """
    results: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
    lock = threading.Lock()
    given_up = False

    def run() -> None:
        try:
            outcome: tuple[Any, BaseException | None] = (work(), None)
        except (OSError, ValueError, http.client.HTTPException, Refused) as error:
            outcome = (None, error)
        with lock:
            if not given_up:
                results.put(outcome)
            elif outcome[0] is not None:
                outcome[0].close()

    threading.Thread(target=run, daemon=True).start()
    try:
        answer, error = results.get(timeout=seconds)
    except queue.Empty:
        with lock:
            given_up = results.empty()
        if given_up:
            raise TimeoutError(f"no answer within {seconds:g} s") from None
        answer, error = results.get()
    if error is not None:
        raise error
    return answer

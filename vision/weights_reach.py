"""Is there a network at all? Asked before a download is begun that nobody has ordered."""

from __future__ import annotations

import http.client
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from vision.weights import Model


def sources_answer(models: Iterable[Model], mirrors: Sequence[str], *, seconds: float) -> bool:
    """Whether a source of one of these models answers anything at all within ``seconds``.

    All hosts are asked at once, through the proxies of the environment. Threads that still wait for a name or
    a connection then are left to end by themselves.
    """
    addresses = [url for model in models for file in model.files for url in file.addresses(mirrors)]
    one_a_host = {urlsplit(address).netloc: address for address in addresses}
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    for address in one_a_host.values():
        threading.Thread(target=lambda url=address: answers.put(_answers(url, seconds)), daemon=True).start()
    try:
        return any(answers.get(timeout=seconds) for _ in one_a_host)
    except queue.Empty:
        return False


def _answers(address: str, seconds: float) -> bool:
    request = urllib.request.Request(address, method="HEAD", headers={"User-Agent": "heirloom"})  # noqa: S310 - the manifest's schemes are checked
    try:
        # Not urlopen: its opener keeps the proxies of its first use.
        with urllib.request.build_opener().open(request, timeout=seconds):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except (OSError, ValueError, http.client.HTTPException):
        return False

"""Take the screenshots of the README, of a temporary library with painted pictures.

Usage, with the development set installed (``make install-dev``) and Chromium on the machine::

    .venv/bin/python docs/images/make_screenshots.py [--chromium /usr/bin/chromium] [--keep FOLDER]

Nothing of your own library is read or changed: the pictures, the database and everything else lie in a
temporary folder. ``--keep`` paints the pictures into a folder that stays, so that one can look at them.
"""

from __future__ import annotations

import argparse
import io
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image, ImageOps
from playwright.sync_api import Browser, sync_playwright
from scenes import SCENES

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
MAX_BYTES = 600_000


class Shot(NamedTuple):
    """A page as it looks in a window of some size, in pixels."""

    name: str
    page: str
    size: tuple[int, int]
    scheme: Literal["light", "dark"]


SHOTS = [
    Shot("timeline", "/", (1280, 800), "light"),
    Shot("timeline-dark-phone", "/", (390, 844), "dark"),
    Shot("search", "/search?q=lakeside", (1280, 540), "light"),
]


def paint(folder: Path) -> None:
    """Paint all pictures, each with the seed of its place in the list."""
    for seed, scene in enumerate(SCENES, start=1):
        print(f"painting {scene.name}")
        scene.save(folder, seed)


def installation(data: Path, password: str) -> dict[str, str]:
    """The environment of an installation of its own, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    own = {"ENV_FILE": os.devnull, "DATA_DIR": str(data), "HOST": "127.0.0.1", "PORT": str(port)}
    return {**os.environ, **own, "OWNER_PASSWORD": password}


@contextmanager
def serving(photos: Path, environment: dict[str, str]) -> Iterator[str]:
    """Process the photos, then serve them at the address that is yielded."""
    quickstart = [sys.executable, "manage.py", "quickstart", str(photos)]
    subprocess.run([*quickstart, "--no-serve"], cwd=PROJECT, env=environment, check=True)
    address = f"http://127.0.0.1:{environment['PORT']}"
    with subprocess.Popen(quickstart, cwd=PROJECT, env=environment) as server:
        try:
            wait_for(f"{address}/login/", server)
            yield address
        finally:
            server.terminate()


def wait_for(address: str, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Return when the address answers; RuntimeError when it does not in time, or the server has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.3)
    raise RuntimeError(f"{address} did not answer within {seconds:.0f} seconds")


def take(browser: Browser, address: str, password: str, shot: Shot) -> Image.Image:
    """Log in, open the page, wait for its pictures."""
    width, height = shot.size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=shot.scheme)
    page = context.new_page()
    page.goto(f"{address}/login/")
    page.fill("input[name=username]", "owner")
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")
    page.goto(f"{address}{shot.page}", wait_until="networkidle")
    page.wait_for_timeout(600)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    return picture


def write(picture: Image.Image, file: Path) -> None:
    """Write a PNG; a large one without the lowest bit of each colour (a palette would show bands)."""
    picture.save(file, optimize=True)
    if file.stat().st_size > MAX_BYTES:
        ImageOps.posterize(picture, 7).save(file, optimize=True)
    print(f"{file.name}: {file.stat().st_size // 1000} kB")


def main() -> None:
    """Paint, process, serve, take pictures."""
    parser = argparse.ArgumentParser(description="Take the screenshots of the README.")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser's program")
    parser.add_argument(
        "--keep", type=Path, help="a folder for the painted pictures, instead of a temporary one"
    )
    options = parser.parse_args()
    password = secrets.token_urlsafe(12)
    with tempfile.TemporaryDirectory() as scratch:
        # PostgreSQL may run under another account, which has to get through this folder to its own.
        Path(scratch).chmod(0o711)
        photos = options.keep or Path(scratch) / "Pictures"
        paint(photos)
        environment = installation(Path(scratch) / "data", password)
        with serving(photos.resolve(), environment) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
            for shot in SHOTS:
                write(take(browser, address, password, shot), HERE / f"{shot.name}.png")
            browser.close()


if __name__ == "__main__":
    main()

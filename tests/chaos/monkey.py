"""Does everything to a running installation that machines, disks and people do, at random but by a seed.

The seed decides what is done and in which order. When a process is hit depends on the machine's speed, so
runs with the same seed are alike, not the same.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image, ImageDraw, ImageFont

from tests.chaos.results import differences, facts
from tests.product import Installation, digests, wait_for

LEASE_SECONDS = 12
SETTINGS = {
    "FILES_WORKERS": "2",
    "BATCH_SIZE": "4",
    "SLICE_SECONDS": "6",
    "LEASE_SECONDS": str(LEASE_SECONDS),
    "PREVIEW_SIZE": "512",
    "THUMBNAIL_SIZE": "200",
}
#: A cluster that hangs and has lost its supervisor ends after its slice and the time it is given to stop.
LONGEST_END = 6 + 30 + 10
#: What it waits for, one after the other: clusters left by the one that was killed, its own, the database.
LONGEST_STOP = LONGEST_END + 30 + 60 + 14
WORDS = ("harbour", "kitchen", "birthday", "receipt", "garden", "winter", "station", "letter", "orchard")
FINAL = "('completed', 'partial', 'failed')"


def make_photos(folder: Path, count: int, *, size: tuple[int, int] = (640, 480), seed: int = 1) -> None:
    """Photos of structure at two scales, each different, every fourth with a word; some twice, one broken."""
    folder.mkdir(parents=True)
    numbers = np.random.default_rng(seed)
    for number in range(count):
        image = Image.new("RGB", size)
        for cells in (4, 24):
            noise = numbers.integers(0, 256, (cells * 3, cells * 4, 3), dtype=np.uint8)
            layer = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
            image = Image.blend(image, layer, 0.5)
        if number % 4 == 0:
            drawing = ImageDraw.Draw(image)
            drawing.rectangle((20, 180, size[0] - 20, 300), fill="white")
            word = WORDS[number // 4 % len(WORDS)].upper()
            drawing.text((60, 190), word, fill="black", font=ImageFont.load_default(80))
        image.save(folder / f"{number:04d}.jpg", quality=88)
        if number % 10 == 3:
            (folder / f"{number:04d} again.jpg").write_bytes((folder / f"{number:04d}.jpg").read_bytes())
        if number % 10 == 7:
            image.save(folder / f"{number:04d} small.jpg", quality=60)
    (folder / "broken.jpg").write_bytes((folder / "0000.jpg").read_bytes()[:9000])


@dataclass
class Monkey:
    """An installation under attack. ``run`` starts it, plays ``strikes`` tricks, and brings it to its end."""

    installation: Installation
    photos: Path
    dice: random.Random
    say: Callable[[str], object] = print
    done: Counter[str] = field(default_factory=Counter)
    _process: subprocess.Popen[bytes] | None = None
    _frozen: list[tuple[psutil.Process, float]] = field(default_factory=list)
    _away: list[tuple[Path, Path, float]] = field(default_factory=list)

    def run(
        self, strikes: int, tricks: Sequence[str], *, pause: tuple[float, float], patience: float
    ) -> None:
        """Play tricks until ``strikes`` of them hit, or everything is finished; then peace, then the end."""
        self._command()
        started = time.monotonic()
        wait_for(lambda: self._steps() > 0, 120, "the first step to be done")
        plan = self._plan(strikes, tricks)
        for trick in plan:
            time.sleep(self.dice.uniform(*pause))
            self._thaw()
            self._command()
            if TRICKS[trick](self):
                self.done[trick] += 1
                self.say(f"{time.monotonic() - started:6.1f} s  {trick}")
            if self._unfinished() == 0 or time.monotonic() - started > patience:
                break
        self._thaw(everything=True)
        self._end(patience)

    def _plan(self, strikes: int, tricks: Sequence[str]) -> Iterator[str]:
        """Each trick at least once where there is room, in a random order."""
        bag: list[str] = []
        for _ in range(strikes):
            if not bag:
                bag = list(tricks)
                self.dice.shuffle(bag)
            yield bag.pop()

    def _command(self) -> None:
        """``quickstart`` runs; when it is dead somebody starts it again."""
        if self._process is None or self._process.poll() is not None:
            self._process = self.installation.start("quickstart", str(self.photos))

    def _end(self, patience: float) -> None:
        """Stop what runs as Ctrl-C does, look at everything once more in the foreground, repair."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(LONGEST_STOP)
            except subprocess.TimeoutExpired as slow:
                alive = [self._process.pid, *self._process_tree()]
                raise AssertionError(f"quickstart did not stop in {LONGEST_STOP} s; alive: {alive}") from slow
        command = ("quickstart", str(self.photos), "--no-serve")
        self.installation.manage(*command, timeout=patience)
        self.installation.manage("process", "--repair", timeout=patience)

    def _process_tree(self) -> list[str]:
        """The children of quickstart, in words, for whoever has to find out why it does not stop."""
        found = psutil.Process(self._process.pid).children(recursive=True) if self._process else []
        return [f"{child.pid} {child.status()} {' '.join(child.cmdline()[-3:])}" for child in found]

    def judge(self, undisturbed: dict[str, Any], originals: dict[str, tuple[str, int]]) -> list[str]:
        """Everything that is not as after an undisturbed run, in words."""
        installation = self.installation
        done = subprocess.run(
            installation.command("verify_library", "--originals", "--json"),
            env=installation.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        verdict = json.loads(done.stdout)
        told = [f"{found['check']}: {found['examples']}" for found in verdict["findings"]]
        told += differences(facts(installation.query), undisturbed)
        if digests(self.photos) != originals:
            told.append("originals were changed")
        told += [f"temporary file {path}" for path in installation.data_dir.rglob("*.tmp")]
        held = installation.query("SELECT count(*) FROM library_photo WHERE leased_by <> ''")[0][0]
        if held:
            told.append(f"{held} photos are still held")
        with suppress(AssertionError):
            wait_for(lambda: not list(self.processes()), LONGEST_END, "the end of all processes")
        told += [f"process {process} {' '.join(process.cmdline())}" for process in self.processes()]
        return told

    def bury(self) -> None:
        """Whatever happened: nobody of this installation is left."""
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()
        self.installation.remove()

    # --- Who is there ---------------------------------------------------------------------------------------

    def processes(self) -> Iterator[psutil.Process]:
        """Every live process of this installation, the database's included."""
        data_dir = str(self.installation.data_dir)
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                    continue
                ours = process.environ().get("DATA_DIR") == data_dir
                if ours or (process.name() == "postgres" and process.cwd().startswith(data_dir)):
                    yield process

    def kill(self, wanted: Callable[[psutil.Process], bool]) -> bool:
        """SIGKILL to one of those, if there is one."""
        victims = []
        for process in self.processes():
            with suppress(psutil.Error, OSError):
                if wanted(process):
                    victims.append(process)
        if not victims:
            return False
        with suppress(psutil.Error):
            self.dice.choice(sorted(victims, key=lambda process: process.pid)).kill()
        return True

    def is_command(self, process: psutil.Process) -> bool:
        return self._process is not None and process.pid == self._process.pid

    def freeze(self) -> bool:
        """SIGSTOP to a worker, until its lease has run out."""
        workers = [p for p in self.processes() if is_worker(p) and not self.is_command(p)]
        if not workers:
            return False
        victim = self.dice.choice(workers)
        with suppress(psutil.Error):
            victim.suspend()
            self._frozen.append((victim, time.monotonic() + LEASE_SECONDS + 3))
        return True

    def _thaw(self, *, everything: bool = False) -> None:
        """SIGCONT to those whose time is over, and originals back in their places."""
        now = time.monotonic()
        for process, until in list(self._frozen):
            if everything and now < until:
                time.sleep(until - now)
            if everything or now >= until:
                with suppress(psutil.Error):
                    process.resume()
                self._frozen.remove((process, until))
        for kept, place, until in list(self._away):
            if everything or now >= until:
                kept.replace(place)
                self._away.remove((kept, place, until))

    # --- Files ----------------------------------------------------------------------------------------------

    def original(self, *, replace: bool) -> bool:
        """An original is away, or another picture is in its place, for some seconds."""
        place = self.dice.choice(sorted(self.photos.glob("0*.jpg")))
        aside = self.installation.data_dir.parent / "aside"
        aside.mkdir(exist_ok=True)
        kept = aside / place.name
        if kept.exists():
            return False
        if replace:
            shutil.copy2(place, kept)
            other = aside / "other.part"
            Image.effect_noise((320, 240), self.dice.uniform(20, 80)).convert("RGB").save(other, "jpeg")
            other.replace(place)
        else:
            place.rename(kept)
        self._away.append((kept, place, time.monotonic() + self.dice.uniform(1, 6)))
        return True

    def preview(self, *, cut: bool) -> bool:
        """A preview is deleted or cut short."""
        previews = sorted((self.installation.data_dir / "renditions" / "preview").rglob("*.jpg"))
        if not previews:
            return False
        victim = self.dice.choice(previews)
        with suppress(FileNotFoundError):
            if cut:
                os.truncate(victim, self.dice.randrange(victim.stat().st_size))
            else:
                victim.unlink()
        return True

    # --- How far it is --------------------------------------------------------------------------------------

    def _steps(self) -> int:
        return self._count("SELECT count(*) FROM ingest_steprun WHERE status = 'done'")

    def _unfinished(self) -> int:
        return self._count(f"SELECT count(*) FROM library_photo WHERE state NOT IN {FINAL}", otherwise=1)

    def _count(self, sql: str, *, otherwise: int = 0) -> int:
        """``otherwise`` while the database or its tables are away."""
        import psycopg

        try:
            return int(self.installation.query(sql)[0][0])
        except psycopg.Error:
            return otherwise


def is_worker(process: psutil.Process) -> bool:
    """Part of a cluster but not its leader."""
    return process.name() != "postgres" and not is_web(process) and os.getpgid(process.pid) != process.pid


def is_master(process: psutil.Process) -> bool:
    """Leads a cluster."""
    return process.name() != "postgres" and not is_web(process) and os.getpgid(process.pid) == process.pid


def is_web(process: psutil.Process) -> bool:
    """gunicorn, or one of its workers."""
    return any("gunicorn" in part for part in process.cmdline())


def is_postmaster(process: psutil.Process) -> bool:
    """The server itself."""
    parent = process.parent()
    return process.name() == "postgres" and (parent is None or parent.name() != "postgres")


def is_backend(process: psutil.Process) -> bool:
    """A server process that serves one client."""
    return "postgres: heirloom" in " ".join(process.cmdline())


TRICKS: dict[str, Callable[[Monkey], bool]] = {
    "kill a worker": lambda monkey: monkey.kill(is_worker),
    "kill a cluster's master": lambda monkey: monkey.kill(
        lambda process: is_master(process) and not monkey.is_command(process)
    ),
    "kill the web server": lambda monkey: monkey.kill(is_web),
    "kill a database backend": lambda monkey: monkey.kill(is_backend),
    "kill the database": lambda monkey: monkey.kill(is_postmaster),
    "kill quickstart": lambda monkey: monkey.kill(monkey.is_command),
    "stop a worker beyond its lease": Monkey.freeze,
    "take an original away": lambda monkey: monkey.original(replace=False),
    "replace an original": lambda monkey: monkey.original(replace=True),
    "delete a preview": lambda monkey: monkey.preview(cut=False),
    "cut a preview": lambda monkey: monkey.preview(cut=True),
}


def undisturbed_facts(installation: Installation, photos: Path) -> dict[str, Any]:
    """The results of a library that was left in peace."""
    installation.manage("quickstart", str(photos), "--no-serve", timeout=3600)
    return facts(installation.query)


if not sys.platform.startswith("linux"):
    raise ImportError("The chaos of processes is written for Linux: /proc and process groups.")

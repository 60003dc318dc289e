"""From the configuration to the engines of this process: made when first asked for, and kept."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from vision import choice, memory
from vision.config import EngineConfig
from vision.errors import EngineUnavailable
from vision.ports import (
    Described,
    Describer,
    Embedder,
    Engine,
    FaceAnalyzer,
    ImageEmbedder,
    PerceptualHasher,
    Tagger,
    TextEmbedder,
    TextReader,
)
from vision.remembered import former_embedder, remember
from vision.results import EngineStatus, SpaceInfo

#: The ports of every installation. ``describer`` is one more where the configuration asks for descriptions.
PORTS = ("embedder", "tagger", "reader", "faces", "hasher")

E = TypeVar("E", bound=Engine)
T = TypeVar("T")

_FORMER = "former embedder"


class Registry:
    """The engines behind the ports, one of each a process. Safe to use from several threads.

    Every call looks afresh whether the engine can run (a few file checks, about a millisecond), so
    weights that arrive, change or vanish while the process runs are noticed; what is loaded stays loaded as
    long as its identity does. A forked child starts without its parent's engines, whose
    threads stayed behind.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self._engines: dict[str, Engine] = {}
        self._lock = threading.RLock()
        _ALL.add(self)

    def image_embedder(self) -> ImageEmbedder:
        """Raises EngineUnavailable with reason and remedy; so do all the others."""
        return self._embedder()

    def text_embedder(self) -> TextEmbedder:
        """The same engine as the image embedder; it loads only what texts need."""
        return self._embedder()

    def text_embedder_for(self, space: SpaceInfo, source: Mapping[str, Any]) -> TextEmbedder:
        """The embedder that a space was filled by: today's, or a former one (see ``vision.remembered``).

        ``source`` is what ``embedder_source`` said when the space was filled. A former one is kept as long as
        it is asked for. Raises EngineUnavailable when neither can be had.
        """
        return self._embedder_of(space, source)

    def image_embedder_for(self, space: SpaceInfo, source: Mapping[str, Any]) -> ImageEmbedder:
        """The same for pictures that are compared with those of the space."""
        return self._embedder_of(space, source)

    def _embedder_of(self, space: SpaceInfo, source: Mapping[str, Any]) -> Embedder:
        try:
            live = self._embedder()
        except EngineUnavailable as error:
            problem = error
        else:
            if live.space == space:
                self._let_go_of_former()
                return live
            problem = _gone(space, source, live.space)
        former = _readable(lambda: former_embedder(space, source, self.config))
        if former is None:
            raise problem
        return self._keep(_FORMER, former)

    def embedder_source(self) -> dict[str, str]:
        """What today's embedder was chosen by, to be kept with what it writes."""
        return remember(self.config)

    def tagger(self, vocabulary: Sequence[str]) -> Tagger:
        """The tagger of the configuration: RAM++, which brings its words, or zero-shot for these words.

        The latter is a VectorTagger, and raises EngineUnavailable without words or without an embedder.
        """
        embedder = self._embedder() if self.config.tagger == "zero_shot" else None
        return self._current("tagger", lambda: choice.tagger(self.config, vocabulary, embedder))

    def reader(self) -> TextReader:
        """The OCR engine."""
        return self._current("reader", lambda: choice.reader(self.config))

    def faces(self) -> FaceAnalyzer:
        """The face engine."""
        return self._current("faces", lambda: choice.faces(self.config))

    def hasher(self) -> PerceptualHasher:
        """The perceptual hash."""
        return self._current("hasher", choice.hasher)

    def describer(self) -> Describer:
        """The vision-language model; EngineUnavailable also when the configuration asks for none."""
        return self._current("describer", lambda: choice.describer(self.config))

    def engine_id(self, port: str, vocabulary: Sequence[str] | None = None) -> str | None:
        """Today's identity of the engine behind a port, None when it cannot run. Loads no model.

        ``vocabulary`` is needed for ``tagger`` only. Raises ValueError for a port that does not exist.
        """
        try:
            return self._engine(port, vocabulary).engine_id
        except EngineUnavailable:
            return None

    def status(self, vocabulary: Sequence[str] | None = None) -> list[EngineStatus]:
        """Every port: live, or why not and what helps. Loads no model.

        Without a vocabulary the tagger is reported by its embedder alone. The describer is left out when the
        configuration asks for no descriptions.
        """
        ports = (*PORTS, "describer") if self.config.descriptions else PORTS
        return [self._status(port, vocabulary) for port in ports]

    def _status(self, port: str, vocabulary: Sequence[str] | None) -> EngineStatus:
        try:
            if port == "tagger" and vocabulary is None and self.config.tagger == "zero_shot":
                engine_id = f"zero_shot/{self._embedder().engine_id}"
                engine: Engine = self._embedder()
            else:
                engine = self._engine(port, vocabulary)
                engine_id = engine.engine_id
            details = engine.details if isinstance(engine, Described) else {}
        except EngineUnavailable as error:
            return EngineStatus(port=port, engine="", live=False, reason=error.reason, remedy=error.remedy)
        return EngineStatus(port=port, engine=engine_id, live=True, details=details)

    def _engine(self, port: str, vocabulary: Sequence[str] | None) -> Engine:
        if port == "tagger":
            return self.tagger(vocabulary or ())
        makers: dict[str, Callable[[], Engine]] = {
            "embedder": self._embedder,
            "reader": self.reader,
            "faces": self.faces,
            "hasher": self.hasher,
            "describer": self.describer,
        }
        if port not in makers:
            raise ValueError(f"There is no port {port!r}; there are {', '.join(makers)}, tagger.")
        return makers[port]()

    def _embedder(self) -> Embedder:
        return self._current("embedder", lambda: choice.embedder(self.config))

    def _current(self, port: str, make: Callable[[], E]) -> E:
        """The kept engine when its identity is still today's, otherwise a new one (its models load later)."""
        return self._keep(port, _readable(make))

    def _keep(self, port: str, fresh: E) -> E:
        with self._lock:
            kept = self._engines.get(port)
            if isinstance(kept, type(fresh)) and kept.engine_id == fresh.engine_id:
                return kept
            if kept is not None:
                memory.forget(kept.engine_id)
            self._engines[port] = fresh
            return fresh

    def _let_go_of_former(self) -> None:
        with self._lock:
            former = self._engines.pop(_FORMER, None)
        if former is not None:
            memory.forget(former.engine_id)

    def _forget(self) -> None:
        """In a forked child: new lock (the old one may be held by a thread that is gone), no engines.

        The old engines are kept aside, not freed: freeing would wait for threads that are not here.
        """
        _LEFT_BEHIND.append(self._engines)
        self._lock = threading.RLock()
        self._engines = {}


def _readable(make: Callable[[], T]) -> T:
    """What ``make`` gives; a file or folder that this user may not read is a reason like any other."""
    try:
        return make()
    except OSError as error:
        raise EngineUnavailable(
            f"{error.filename or 'A file of the model'} cannot be read: {error.strerror or error}.",
            "Let the user that Heirloom runs as read it, or correct the setting that names it.",
        ) from error


def _gone(space: SpaceInfo, source: Mapping[str, Any], live: SpaceInfo) -> EngineUnavailable:
    where = source.get("clip_onnx_dir") or source.get("openclip_checkpoint") or source.get("openclip_model")
    looked_for = f" ({where})" if where else ""
    return EngineUnavailable(
        f"the photos were looked at by {space.engine}/{space.model}, whose files are not here any "
        f"more{looked_for}, and {live.engine}/{live.model} has not seen all of them yet.",
        "Put the files back, or let `manage.py process` go on: the new model answers when it is through.",
    )


_ALL: weakref.WeakSet[Registry] = weakref.WeakSet()
_LEFT_BEHIND: list[dict[str, Engine]] = []


def _forget_in_child() -> None:
    for registry in list(_ALL):
        registry._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)

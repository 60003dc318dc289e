"""The fakes are held against the ports and the registry that they stand in for."""

from __future__ import annotations

import inspect

import pytest

from ingest.tests.engines import PORTS, Engines
from vision.registry import PORTS as REAL_PORTS
from vision.registry import Registry


def _public(thing: type) -> dict[str, object]:
    return {
        name: inspect.signature(value) if inspect.isfunction(value) else "property"
        for name, value in inspect.getmembers(thing)
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
    }


def _parameters(found: dict[str, object], name: str) -> object:
    signature = found[name]
    if isinstance(signature, inspect.Signature):
        return [(part.name, part.kind, part.annotation) for part in signature.parameters.values()]
    return signature


@pytest.mark.parametrize("port", PORTS)
def test_a_fake_has_the_signatures_of_its_port(port: str) -> None:
    fake, protocol = PORTS[port]
    ours, theirs = _public(fake), _public(protocol)
    assert theirs.keys() <= ours.keys()
    for name in theirs:
        assert _parameters(ours, name) == _parameters(theirs, name)


def test_the_fake_registry_has_the_methods_of_the_real_one() -> None:
    ours, theirs = _public(Engines), _public(Registry)
    assert ours.keys() == theirs.keys()
    for name in theirs:
        assert _parameters(ours, name) == _parameters(theirs, name)
    assert tuple(PORTS) == (*REAL_PORTS, "describer")

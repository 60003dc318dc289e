"""Connected components of a small graph: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


def connected_components(nodes: Iterable[int], edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The nodes in groups that hang together, each sorted, groups by their lowest node.

    Disjoint sets with path halving and the lower root on top, so the result does not depend on the order
    of ``edges``. Nodes that only edges name belong to the graph too.
    """
    above = {node: node for node in nodes}
    for first, second in edges:
        above.setdefault(first, first)
        above.setdefault(second, second)
        one, other = _top(above, first), _top(above, second)
        above[max(one, other)] = min(one, other)
    groups: dict[int, list[int]] = defaultdict(list)
    for node in sorted(above):
        groups[_top(above, node)].append(node)
    return list(groups.values())


def _top(above: dict[int, int], node: int) -> int:
    while above[node] != node:
        above[node] = above[above[node]]
        node = above[node]
    return node

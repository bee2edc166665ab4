"""The cheapest labels of a grid's cells where neighbours pay the squared difference: a cut."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["cheapest_labels"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SCALE = 1e6  # the solver counts in whole numbers
_NEVER = 2**30
_AT_ONCE = 64  # images a graph: their sums stay below 2³¹


def cheapest_labels(unary: Floats, vertical: Floats, horizontal: Floats) -> Ints:
    """Minimise Σ unary(k_p) + Σ c_pq·(k_p − k_q)² over the labels k of each cell, exactly.

    `unary` is [N, L, g, g] for L labels, `vertical` [N, g − 1, g] and `horizontal` [N, g, g − 1]
    are the c ≥ 0 of neighbours. Returns the labels [N, g, g]; of several cheapest, the lowest.

    A label is written as L − 1 binary variables [k ≥ a]. Then k_p·k_q is a sum of products of
    these, each of which a cut can pay for, and the cheapest cut is the cheapest labelling.
    """
    parts = [
        _solve(*(array[start : start + _AT_ONCE] for array in (unary, vertical, horizontal)))
        for start in range(0, len(unary), _AT_ONCE)
    ]
    return np.concatenate(parts)


def _solve(unary: Floats, vertical: Floats, horizontal: Floats) -> Ints:
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    top = unary.shape[1] - 1
    cost, k = unary.copy(), np.arange(top + 1)
    # (k_p − k_q)² = Σ_ab |[k_p ≥ a] − [k_q ≥ b]| + (k_p² − top·k_p) + (k_q² − top·k_q)
    own = (k**2 - top * k)[:, None, None]
    for pair, first, second in (
        (vertical, np.s_[:, :, :-1], np.s_[:, :, 1:]),
        (horizontal, np.s_[..., :-1], np.s_[..., 1:]),
    ):
        cost[first] += own * pair[:, None]
        cost[second] += own * pair[:, None]
    step = np.diff(cost, axis=1)  # [N, top, g, g]: what [k ≥ a] costs

    node = np.arange(step.size).reshape(step.shape)
    source, sink = step.size, step.size + 1
    edges: list[tuple[Any, Any, Any]] = [
        (node, np.full_like(node, sink), np.maximum(step, 0)),
        (np.full_like(node, source), node, np.maximum(-step, 0)),
    ]
    if top > 1:  # [k ≥ a + 1] without [k ≥ a] cannot be
        edges.append((node[:, 1:], node[:, :-1], np.full(node[:, 1:].shape, _NEVER / _SCALE)))
    for a in range(top):
        for b in range(top):
            for pair, p, q in (
                (vertical, node[:, a, :-1], node[:, b, 1:]),
                (horizontal, node[:, a, :, :-1], node[:, b, :, 1:]),
            ):
                edges += [(p, q, pair), (q, p, pair)]
    begin, end, capacity = (np.concatenate([e[i].ravel() for e in edges]) for i in range(3))
    whole = np.rint(capacity * _SCALE).astype(np.int32)
    graph = csr_matrix((whole, (begin, end)), shape=(step.size + 2,) * 2)
    graph.eliminate_zeros()
    rest = graph - maximum_flow(graph, source, sink).flow
    rest.eliminate_zeros()
    reached = breadth_first_order(rest, source, return_predecessors=False)
    chosen = np.zeros(step.size + 2, dtype=np.int64)
    chosen[reached] = 1
    chosen_labels: Ints = chosen[:-2].reshape(step.shape).sum(axis=1)
    return chosen_labels

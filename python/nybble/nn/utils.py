"""Functions on whole models. See :mod:`nybble.utils` for trees."""

from __future__ import annotations

from typing import Any

import nybble.core as mx
from nybble.utils import tree_map

__all__ = ["average_gradients"]


def average_gradients(
    gradients: Any,
    group: Any = None,
    all_reduce_size: int = 32 * 1024**2,
    communication_stream: Any = None,
) -> Any:
    """The mean of gradients over a group of processes.

    Args:
        gradients: a tree of arrays.
        group: a :class:`nybble.core.distributed.Group`; None means the global group. In a group of
            one the tree itself is returned.
        all_reduce_size: accepted and ignored.
        communication_stream: accepted and ignored.

    Example:
        >>> import nybble.core as mx
        >>> average_gradients({"weight": mx.array([1.0])})["weight"].tolist()
        [1.0]
    """
    group = group or mx.distributed.init()
    size = group.size()
    if size == 1:
        return gradients
    return tree_map(lambda x: mx.distributed.all_sum(x, group=group) / size, gradients)

"""Functions from the number of a step, an int or an array, to a value such as a learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import nybble.core as mx

__all__ = [
    "cosine_decay",
    "exponential_decay",
    "join_schedules",
    "linear_schedule",
    "step_decay",
]

Schedule: TypeAlias = Callable[[mx.array | int], mx.array | float]


def _check_positive(function: str, name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"[{function}] {name} is {value}, expected at least 1.")


def exponential_decay(init: float, decay_rate: float) -> Schedule:
    """``init * decay_rate ** step``.

    Example:
        >>> from nybble.optimizers import exponential_decay
        >>> exponential_decay(8.0, 0.5)(2)
        2.0
    """
    return lambda step: init * decay_rate**step


def step_decay(init: float, decay_rate: float, step_size: int) -> Schedule:
    """``init``, multiplied by ``decay_rate`` after every ``step_size`` steps.

    Raises:
        ValueError: ``step_size`` is less than 1.

    Example:
        >>> from nybble.optimizers import step_decay
        >>> [step_decay(8.0, 0.5, 2)(step) for step in range(4)]
        [8.0, 8.0, 4.0, 4.0]
    """
    _check_positive("step_decay", "step_size", step_size)
    return lambda step: init * decay_rate ** (step // step_size)


def cosine_decay(init: float, decay_steps: int, end: float = 0.0) -> Schedule:
    """Half a cosine wave from ``init`` to ``end`` in ``decay_steps`` steps; then ``end``.

    Raises:
        ValueError: ``decay_steps`` is less than 1.

    Example:
        >>> from nybble.optimizers import cosine_decay
        >>> cosine_decay(8.0, 10)(5)
        array(4, dtype=float32)
    """
    _check_positive("cosine_decay", "decay_steps", decay_steps)

    def schedule(step: mx.array | int) -> mx.array:
        angle = (math.pi / decay_steps) * mx.minimum(step, decay_steps)
        return end + 0.5 * (1.0 + mx.cos(angle)) * (init - end)

    return schedule


def linear_schedule(init: float, end: float, steps: int) -> Schedule:
    """A straight line from ``init`` to ``end`` in ``steps`` steps; then ``end``.

    Raises:
        ValueError: ``steps`` is less than 1.

    Example:
        >>> from nybble.optimizers import linear_schedule
        >>> linear_schedule(0.0, 8.0, 4)(3)
        array(6, dtype=float32)
    """
    _check_positive("linear_schedule", "steps", steps)
    return lambda step: mx.minimum(step, steps) * ((end - init) / steps) + init


def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """One schedule after the other.

    Args:
        schedules: each begins to count at its boundary, the first one at 0.
        boundaries: the steps at which the second and the following schedules begin.

    Raises:
        ValueError: no schedules, or not one boundary less than schedules.

    Example:
        >>> from nybble.optimizers import exponential_decay, join_schedules, linear_schedule
        >>> warm = join_schedules([linear_schedule(0, 8, 4), exponential_decay(8.0, 0.5)], [4])
        >>> [warm(step).item() for step in (2, 4, 5)]
        [4.0, 8.0, 4.0]
    """
    if not schedules or len(schedules) != len(boundaries) + 1:
        raise ValueError(
            f"[join_schedules] got {len(schedules)} schedules and {len(boundaries)} boundaries, "
            "expected at least one schedule, and one boundary less than schedules."
        )

    def schedule(step: mx.array | int) -> mx.array | float:
        value = schedules[0](step)
        for start, following in zip(boundaries, schedules[1:], strict=True):
            value = mx.where(mx.array(step < start), value, following(step - start))
        return value

    return schedule

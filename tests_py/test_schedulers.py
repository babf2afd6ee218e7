"""Schedules against MLX's."""

from __future__ import annotations

import mlx.core as mlx
import mlx.optimizers as mlx_optimizers
import numpy as np
import pytest

import nybble.core as mx
import nybble.optimizers as optimizers

mlx.set_default_device(mlx.cpu)

SCHEDULES = {
    "exponential": lambda o: o.exponential_decay(0.1, 0.9),
    "step": lambda o: o.step_decay(0.1, 0.5, 3),
    "cosine": lambda o: o.cosine_decay(0.1, 7, 0.01),
    "linear": lambda o: o.linear_schedule(0.0, 0.1, 5),
    "joined": lambda o: o.schedulers.join_schedules(
        [o.linear_schedule(0.0, 0.1, 4), o.cosine_decay(0.1, 4), o.step_decay(0.3, 0.5, 1)], [4, 8]
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_agree_with_mlx(name):
    ours, theirs = SCHEDULES[name](optimizers), SCHEDULES[name](mlx_optimizers)
    for step in range(12):
        # A handful of float32 operations on numbers up to 1.
        for pair in [(step, step), (mx.array(step), mlx.array(step))]:
            got, expected = ours(pair[0]), theirs(pair[1])
            np.testing.assert_allclose(float(got), float(expected), rtol=0, atol=8 * 2.0**-24)
            assert isinstance(got, mx.array) == isinstance(expected, mlx.array)
            assert getattr(got, "dtype", None) in (None, mx.float32)


def test_impossible_schedules_are_refused():
    for library in (optimizers, mlx_optimizers):
        for call in (
            lambda o: o.step_decay(1.0, 0.5, 0),
            lambda o: o.cosine_decay(1.0, 0),
            lambda o: o.linear_schedule(0.0, 1.0, 0),
            lambda o: o.join_schedules([], []),
            lambda o: o.join_schedules([o.exponential_decay(1.0, 0.5)], [1]),
        ):
            with pytest.raises(ValueError, match=r"expected|greater than 0|at least 1"):
                call(library)

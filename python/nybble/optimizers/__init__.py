"""Learning rates that change by the step. There are no optimizers yet, as there are no gradients.

mlx-lm asks for this module whenever it loads a model with an adapter.
"""

from nybble.optimizers import schedulers as schedulers
from nybble.optimizers.schedulers import (
    cosine_decay,
    exponential_decay,
    join_schedules,
    linear_schedule,
    step_decay,
)

__all__ = [
    "cosine_decay",
    "exponential_decay",
    "join_schedules",
    "linear_schedule",
    "step_decay",
]

# Written by python/bindings/stubs.py from the docstrings of the module: do not edit.
"""Operations of neural networks in one pass over memory."""

from nybble.core import _StreamOrDevice, array


def layer_norm(
    x: array,
    weight: array | None,
    bias: array | None,
    eps: float,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``(x - mean(x)) / sqrt(var(x) + eps) * weight + bias`` over the last axis.

    Args:
        x: ``[..., D]``. Mean and variance are computed in float32 or better.
        weight: ``[D]``, or None for 1.
        bias: ``[D]``, or None for 0.
        eps: added to the variance.

    Returns:
        array: ``[..., D]``, of the dtype to which all given arrays promote, or of ``x`` if ``weight`` is None.

    Raises:
        ValueError: ``x`` is 0-d, ``weight`` or ``bias`` does not fit, or the dtype is not floating.

    Example:
        >>> import nybble.core as mx
        >>> mx.fast.layer_norm(mx.array([1.0, 3.0]), None, None, 0.0)
        array([-1, 1], dtype=float32)
    """

def rms_norm(
    x: array,
    weight: array | None,
    eps: float,
    *,
    stream: _StreamOrDevice = None,
) -> array:
    """``x / sqrt(mean(x * x) + eps) * weight`` over the last axis.

    Args:
        x: ``[..., D]``. The mean is computed in float32 or better.
        weight: ``[D]``, or None for 1.
        eps: added to the mean.

    Returns:
        array: ``[..., D]``, of the dtype to which ``x`` and ``weight`` promote.

    Raises:
        ValueError: ``x`` is 0-d, ``weight`` does not fit, or the dtype is not floating.

    Example:
        >>> import nybble.core as mx
        >>> mx.fast.rms_norm(mx.array([3.0, 4.0]), None, 0.0)
        array([0.848528, 1.13137], dtype=float32)
    """

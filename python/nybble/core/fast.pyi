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

def rope(
    a: array,
    dims: int,
    *,
    traditional: bool,
    base: float | None,
    scale: float,
    offset: int | array,
    freqs: array | None = None,
    stream: _StreamOrDevice = None,
) -> array:
    """Rotary positions: turns pairs of elements of each row by angles that grow with the row's position.

    Pair ``i`` of the row at position ``t`` is turned by ``(offset + t) * scale * base ** (-2 * i / dims)``.

    Args:
        a: ``[B, ..., T, D]``, floating.
        dims: how many elements of a row are turned, even; the others stay as they are.
        traditional: pairs are neighbours ``(2 * i, 2 * i + 1)``, else ``(i, i + dims / 2)``.
        base: see above, or None if ``freqs`` is given.
        scale: factor of positions.
        offset: the position of the first row: an int, or an integer array with one for all or for each of
            the ``B`` examples.
        freqs: ``[dims / 2]`` wavelengths that stand for ``base ** (2 * i / dims)``.

    Returns:
        array: of the shape and dtype of ``a``. Angles, sines and cosines have the accuracy of
        float32; the rotation is rounded once.

    Raises:
        ValueError: shapes or dtypes do not fit, ``dims`` is odd or too large, or not exactly one of ``base``
            and ``freqs`` is given.

    Example:
        >>> import nybble.core as mx
        >>> x = mx.array([[[1.0, 0.0], [1.0, 0.0]]])
        >>> mx.fast.rope(x, 2, traditional=True, base=10000.0, scale=1.0, offset=0)
        array([[[1, 0],
                [0.540302, 0.841471]]], dtype=float32)
    """

def scaled_dot_product_attention(
    q: array,
    k: array,
    v: array,
    *,
    scale: float,
    mask: array | str | None = None,
    sinks: array | None = None,
    force_fused: bool = False,
    stream: _StreamOrDevice = None,
) -> array:
    """Attention: ``softmax(scale * q @ k.T + mask) @ v`` for every head.

    Args:
        q: queries ``[B, H, L, D]``.
        k: keys ``[B, Hkv, S, D]``; each head serves ``H / Hkv`` heads of ``q``. Slices of a longer cache and
            transposed views are read in place.
        v: values ``[B, Hkv, S, E]``.
        scale: factor of the scores, mostly ``D ** -0.5``.
        mask: None; ``"causal"``, where query ``i`` sees keys up to ``i + S - L``; a bool array that is true
            where keys are seen; or an array that is added to the scores. Arrays broadcast to
            ``[B, H, L, S]``.
        sinks: ``[H]`` or None: one more score for each head, without a value.
        force_fused: accepted for compatibility; all calls are fused here.

    Returns:
        array: ``[B, H, L, E]``, of the dtype to which ``q``, ``k`` and ``v`` promote. Scores and sums are
        float32 (float64 for float64). A query that sees no key gets the mean of all values.

    Raises:
        ValueError: shapes do not fit, the dtype is not floating, or ``mask`` or ``sinks`` have a dtype that
            does not promote to it.

    Example:
        >>> import nybble.core as mx
        >>> q = mx.ones((1, 2, 3, 4))
        >>> k = mx.ones((1, 1, 5, 4))
        >>> v = mx.arange(5.0).reshape(1, 1, 5, 1)
        >>> mx.fast.scaled_dot_product_attention(q, k, v, scale=0.5, mask="causal")[0, 0]
        array([[1],
               [1.5],
               [2]], dtype=float32)
    """

"""Losses: how far predictions are from targets.

``reduction`` is ``"none"`` (an array of losses), ``"mean"`` or ``"sum"`` (a 0-d array); its default
differs, as in MLX. Every loss raises ValueError for another one. float16 and bfloat16 are computed
as such: cast logits to float32 first where that matters.
"""

from __future__ import annotations

import math

import nybble.core as mx

__all__ = [
    "binary_cross_entropy",
    "cosine_similarity_loss",
    "cross_entropy",
    "gaussian_nll_loss",
    "hinge_loss",
    "huber_loss",
    "kl_div_loss",
    "l1_loss",
    "log_cosh_loss",
    "margin_ranking_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
    "triplet_loss",
]


def _reduced(op: str, loss: mx.array, reduction: str) -> mx.array:
    if reduction == "none":
        return loss
    if reduction == "mean":
        return mx.mean(loss)
    if reduction == "sum":
        return mx.sum(loss)
    raise ValueError(f"[{op}] reduction is {reduction!r}, expected none, mean or sum.")


def _weighted(op: str, loss: mx.array, weights: mx.array | None) -> mx.array:
    if weights is None:
        return loss
    if weights.shape != loss.shape:
        raise ValueError(
            f"[{op}] weights have shape {weights.shape}, expected that of the loss, {loss.shape}."
        )
    return loss * weights


def _check_same_shape(op: str, **arrays: mx.array) -> None:
    shapes = {name: value.shape for name, value in arrays.items()}
    if len(set(shapes.values())) > 1:
        text = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"[{op}] shapes are {text}, expected equal ones.")


def _at_targets(inputs: mx.array, targets: mx.array, axis: int) -> mx.array:
    """``inputs`` at the indices ``targets`` along an axis, without this axis."""
    return mx.take_along_axis(inputs, mx.expand_dims(targets, axis), axis).squeeze(axis)


def cross_entropy(
    logits: mx.array,
    targets: mx.array,
    weights: mx.array | None = None,
    axis: int = -1,
    label_smoothing: float = 0.0,
    reduction: str = "none",
) -> mx.array:
    """``-log(softmax(logits))`` at the target, or its mean over target probabilities.

    Args:
        logits: any shape.
        targets: class indices, of the shape of ``logits`` without the axis; or probabilities, of
            the shape of ``logits``.
        weights: a factor for each loss, of the shape of ``logits`` without the axis.
        axis: the axis of classes.
        label_smoothing: the share of probability, below 1, that goes to all classes evenly.
        reduction: see :mod:`nybble.nn.losses`.

    Raises:
        ValueError: shapes do not fit, or ``label_smoothing`` is out of range.

    Example:
        >>> import nybble.core as mx
        >>> logits = mx.array([[2.0, -1.0], [-1.0, 2.0]])
        >>> [round(y, 4) for y in cross_entropy(logits, mx.array([0, 1])).tolist()]
        [0.0486, 0.0486]
    """
    op = "cross_entropy"
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"[{op}] label_smoothing is {label_smoothing}, expected 0 <= it < 1.")
    classes_dropped = list(logits.shape)
    del classes_dropped[axis]
    probabilities = targets.ndim == logits.ndim
    if targets.shape != (logits.shape if probabilities else tuple(classes_dropped)):
        raise ValueError(
            f"[{op}] targets have shape {targets.shape}, expected {tuple(classes_dropped)} for "
            f"indices or {logits.shape} for probabilities."
        )
    # The maximum goes first: next to a large one the logarithm would be rounded away.
    logits = logits - mx.max(logits, axis=axis, keepdims=True)
    if probabilities:
        score = mx.sum(logits * targets, axis=axis)
    else:
        score = _at_targets(logits, targets, axis)
    loss = mx.logsumexp(logits, axis=axis)
    if label_smoothing > 0:
        even = mx.mean(logits, axis=axis)
        loss = loss - (1 - label_smoothing) * score - even * label_smoothing
    else:
        loss = loss - score
    return _reduced(op, _weighted(op, loss, weights), reduction)


def binary_cross_entropy(
    inputs: mx.array,
    targets: mx.array,
    weights: mx.array | None = None,
    with_logits: bool = True,
    reduction: str = "mean",
) -> mx.array:
    """``-targets * log(p) - (1 - targets) * log(1 - p)``.

    Args:
        inputs: logits, with ``p = sigmoid(inputs)``; or ``p`` itself.
        targets: 0 or 1 (or between), of the same shape.
        weights: a factor for each loss, of the same shape.
        with_logits: whether ``inputs`` are logits. If not, logarithms are at least -100.
        reduction: see :mod:`nybble.nn.losses`.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> import nybble.core as mx
        >>> round(binary_cross_entropy(mx.array([0.0]), mx.array([1])).item(), 4)
        0.6931
    """
    op = "binary_cross_entropy"
    _check_same_shape(op, inputs=inputs, targets=targets)
    if with_logits:
        loss = mx.logaddexp(0.0, inputs) - inputs * targets
    else:
        log_p = mx.clip(mx.log(inputs), -100, None)
        log_rest = mx.clip(mx.log(1 - inputs), -100, None)
        loss = -(targets * log_p + (1 - targets) * log_rest)
    return _reduced(op, _weighted(op, loss, weights), reduction)


def l1_loss(predictions: mx.array, targets: mx.array, reduction: str = "mean") -> mx.array:
    """``abs(predictions - targets)``, of equal shapes.

    Example:
        >>> import nybble.core as mx
        >>> l1_loss(mx.array([1.0, 2.0]), mx.array([1.0, 5.0])).item()
        1.5
    """
    _check_same_shape("l1_loss", predictions=predictions, targets=targets)
    return _reduced("l1_loss", mx.abs(predictions - targets), reduction)


def mse_loss(predictions: mx.array, targets: mx.array, reduction: str = "mean") -> mx.array:
    """``(predictions - targets) ** 2``, of equal shapes.

    Example:
        >>> import nybble.core as mx
        >>> mse_loss(mx.array([1.0, 2.0]), mx.array([1.0, 5.0])).item()
        4.5
    """
    _check_same_shape("mse_loss", predictions=predictions, targets=targets)
    return _reduced("mse_loss", mx.square(predictions - targets), reduction)


def nll_loss(
    inputs: mx.array, targets: mx.array, axis: int = -1, reduction: str = "none"
) -> mx.array:
    """``-inputs`` at the target indices along an axis, where ``inputs`` are log probabilities.

    Example:
        >>> import nybble.core as mx
        >>> nll_loss(mx.array([[-0.5, -1.0]]), mx.array([1])).tolist()
        [1.0]
    """
    return _reduced("nll_loss", -_at_targets(inputs, targets, axis), reduction)


def gaussian_nll_loss(
    inputs: mx.array,
    targets: mx.array,
    vars: mx.array,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> mx.array:
    """``(log(v) + (targets - inputs) ** 2 / v) / 2`` with ``v = max(vars, eps)``.

    Args:
        inputs: means.
        targets: samples, of the same shape.
        vars: variances, of the same shape.
        full: whether to add ``log(2 pi) / 2``.
        eps: the least variance.
        reduction: see :mod:`nybble.nn.losses`.

    Raises:
        ValueError: shapes differ.

    Example:
        >>> import nybble.core as mx
        >>> gaussian_nll_loss(mx.array([1.0]), mx.array([3.0]), mx.array([1.0])).item()
        2.0
    """
    op = "gaussian_nll_loss"
    _check_same_shape(op, inputs=inputs, targets=targets, vars=vars)
    vars = mx.maximum(vars, eps)
    loss = 0.5 * (mx.log(vars) + mx.square(targets - inputs) / vars)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduced(op, loss, reduction)


def kl_div_loss(
    inputs: mx.array, targets: mx.array, axis: int = -1, reduction: str = "none"
) -> mx.array:
    """``sum(exp(targets) * (targets - inputs))`` along an axis, both log probabilities.

    Example:
        >>> import nybble.core as mx
        >>> kl_div_loss(mx.array([-1.0, -2.0]), mx.array([-1.0, -2.0])).item()
        0.0
    """
    return _reduced("kl_div_loss", mx.sum(mx.exp(targets) * (targets - inputs), axis), reduction)


def smooth_l1_loss(
    predictions: mx.array, targets: mx.array, beta: float = 1.0, reduction: str = "mean"
) -> mx.array:
    """``d ** 2 / (2 beta)`` where ``d = abs(predictions - targets)`` is below beta, else ``d - beta / 2``.

    Example:
        >>> import nybble.core as mx
        >>> smooth_l1_loss(mx.array([1.0, 4.0]), mx.array([1.5, 1.0]), reduction="none").tolist()
        [0.125, 2.5]
    """  # noqa: E501
    _check_same_shape("smooth_l1_loss", predictions=predictions, targets=targets)
    distance = mx.abs(predictions - targets)
    square = 0.5 * mx.square(distance) / beta
    loss = mx.where(distance < beta, square, distance - 0.5 * beta)
    return _reduced("smooth_l1_loss", loss, reduction)


def triplet_loss(
    anchors: mx.array,
    positives: mx.array,
    negatives: mx.array,
    axis: int = -1,
    p: int = 2,
    margin: float = 1.0,
    eps: float = 1e-6,
    reduction: str = "none",
) -> mx.array:
    """``max(d(anchors, positives) - d(anchors, negatives) + margin, 0)``.

    Args:
        anchors: samples.
        positives: samples that should be near.
        negatives: samples that should be far.
        axis: the axis of a sample's coordinates.
        p: the distance is ``d(a, b) = (sum(abs(a - b) ** p) + eps) ** (1 / p)``.
        margin: how much farther the negatives should be.
        eps: see ``p``.
        reduction: see :mod:`nybble.nn.losses`.

    Example:
        >>> import nybble.core as mx
        >>> a, b, c = mx.array([0.0, 0.0]), mx.array([3.0, 4.0]), mx.array([0.0, 2.0])
        >>> round(triplet_loss(a, b, c).item(), 4)
        4.0
    """

    def distance(other: mx.array) -> mx.array:
        total = mx.sum(mx.power(mx.abs(anchors - other), p), axis)
        return mx.power(total + eps, 1.0 / p)

    loss = mx.maximum(distance(positives) - distance(negatives) + margin, 0)
    return _reduced("triplet_loss", loss, reduction)


def hinge_loss(inputs: mx.array, targets: mx.array, reduction: str = "none") -> mx.array:
    """``max(1 - inputs * targets, 0)``, with targets 1 or -1.

    Example:
        >>> import nybble.core as mx
        >>> hinge_loss(mx.array([0.25, 2.0]), mx.array([-1.0, 1.0])).tolist()
        [1.25, 0.0]
    """
    return _reduced("hinge_loss", mx.maximum(1 - inputs * targets, 0), reduction)


def huber_loss(
    inputs: mx.array, targets: mx.array, delta: float = 1.0, reduction: str = "none"
) -> mx.array:
    """``d ** 2 / 2`` where ``d = abs(inputs - targets)`` is up to delta, else ``delta * (d - delta / 2)``.

    Example:
        >>> import nybble.core as mx
        >>> huber_loss(mx.array([1.0, 4.0]), mx.array([1.5, 1.0])).tolist()
        [0.125, 2.5]
    """  # noqa: E501
    distance = mx.abs(inputs - targets)
    quadratic = mx.minimum(distance, delta)
    loss = 0.5 * mx.square(quadratic) + delta * (distance - quadratic)
    return _reduced("huber_loss", loss, reduction)


def log_cosh_loss(inputs: mx.array, targets: mx.array, reduction: str = "none") -> mx.array:
    """``log(cosh(inputs - targets))``, without overflow.

    Example:
        >>> import nybble.core as mx
        >>> round(log_cosh_loss(mx.array(1.0), mx.array(0.0)).item(), 4)
        0.4338
    """
    errors = inputs - targets
    return _reduced("log_cosh_loss", mx.logaddexp(errors, -errors) - math.log(2), reduction)


def cosine_similarity_loss(
    x1: mx.array, x2: mx.array, axis: int = 1, eps: float = 1e-8, reduction: str = "none"
) -> mx.array:
    """``sum(x1 * x2) / max(norm(x1) * norm(x2), eps)`` along an axis: 1 for equal directions.

    Example:
        >>> import nybble.core as mx
        >>> x = mx.array([[3.0, 4.0]])
        >>> round(cosine_similarity_loss(x, 2 * x).item(), 4)
        1.0
    """
    norms = mx.linalg.norm(x1, axis=axis) * mx.linalg.norm(x2, axis=axis)
    loss = mx.sum(x1 * x2, axis=axis) / mx.maximum(norms, eps)
    return _reduced("cosine_similarity_loss", loss, reduction)


def margin_ranking_loss(
    inputs1: mx.array,
    inputs2: mx.array,
    targets: mx.array,
    margin: float = 0.0,
    reduction: str = "none",
) -> mx.array:
    """``max(-targets * (inputs1 - inputs2) + margin, 0)``, of equal shapes.

    A target is 1 where the first input should be larger, -1 where the second.

    Example:
        >>> import nybble.core as mx
        >>> x, y = mx.array([1.0, 1.0]), mx.array([3.0, 3.0])
        >>> margin_ranking_loss(x, y, mx.array([1, -1])).tolist()
        [2.0, 0.0]
    """
    op = "margin_ranking_loss"
    _check_same_shape(op, inputs1=inputs1, inputs2=inputs2, targets=targets)
    return _reduced(op, mx.maximum(0, -targets * (inputs1 - inputs2) + margin), reduction)

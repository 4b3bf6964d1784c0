"""Which dimension of an activation's outputs holds its units."""

from typing import Any, NamedTuple

from torch import Tensor

# Unit dimension of a layer's output, counted from the last dimension; 0 stands for the second
# dimension, however many follow.
UNIT_DIM = {
    **dict.fromkeys(["linear", "bilinear", "layer_norm", "rms_norm", "embedding"], -1),
    **dict.fromkeys(["matmul", "__matmul__", "mm", "addmm", "bmm", "baddbmm", "einsum"], -1),
    **dict.fromkeys(["conv1d", "conv_transpose1d"], -2),
    **dict.fromkeys(["conv2d", "conv_transpose2d"], -3),
    **dict.fromkeys(["conv3d", "conv_transpose3d"], -4),
    **dict.fromkeys(["batch_norm", "group_norm", "instance_norm"], 0),
}
_NORMS = ("layer_norm", "rms_norm")


class LayerOutput(NamedTuple):
    """Form of a layer's output: number of dimensions, unit dimension, its size, and all sizes."""

    ndim: int
    dim: int
    width: int
    sizes: tuple[int, ...]


NO_LAYER = LayerOutput(0, 0, 0, ())


def layer_output(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Tensor, before: LayerOutput
) -> LayerOutput:
    """Form of the output of a layer's function, whose name is a key of `UNIT_DIM`.

    Args:
        name: The function's name.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        outputs: Its output.
        before: Form of the output of the layer before it.
    """
    if outputs.is_nested:
        return NO_LAYER
    if name in _NORMS and _normalizes_positions(args, kwargs):
        return before
    dim = UNIT_DIM[name] or 1 - outputs.ndim
    if name == "einsum" and args and isinstance(args[0], str):
        dim = _dim_of_einsum(args[0], outputs.ndim)
    return LayerOutput(outputs.ndim, dim, outputs.shape[dim], tuple(outputs.shape))


def _dim_of_einsum(equation: str, ndim: int) -> int:
    """Dimension that is the only one exclusive to its operand; of several operands, the last.

    The dimensions exclusive to the other operands are those of the samples and positions.
    """
    operands, _, result = equation.replace(" ", "").partition("->")
    parts = operands.split(",")
    for i in range(len(parts) - 1, -1, -1):
        others = "." + "".join(parts[:i] + parts[i + 1 :])
        own = [letter for letter in result if letter in parts[i] and letter not in others]
        if len(own) == 1 and not result.startswith(own[0]):
            before, _, after = result.partition(own[0])
            return len(before) - ndim if "." in after else -1 - len(after)
    return -1


def _normalizes_positions(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether a norm runs over more than the units, such as channels, height and width."""
    shape = args[1] if len(args) > 1 else kwargs.get("normalized_shape", ())
    return not isinstance(shape, int) and len(shape) > 1


def unit_dim_of(outputs: Tensor, layer: LayerOutput) -> int:
    """Dimension of a layer's units in its output, which may have been transformed.

    Args:
        outputs: Outputs of the activation.
        layer: Form of the output of the last layer before it.

    Returns:
        The dimension, counted from the last one: negative.
    """
    if outputs.ndim == layer.ndim and outputs.shape[layer.dim] == layer.width:
        return layer.dim
    # Pooled, transposed or squeezed: at most one dimension has the layer's width.
    same = [d - outputs.ndim for d in range(1, outputs.ndim) if outputs.shape[d] == layer.width]
    kept = outputs.ndim == layer.ndim
    if len(same) == 1 and not (kept and layer.sizes[same[0]] == layer.width):
        return same[0]
    if kept:  # concatenated, split or shuffled, whatever other dimension has the same size
        return layer.dim
    heads = layer.ndim == 3 and layer.dim == -1
    return 1 - outputs.ndim if outputs.ndim > 3 and not heads else -1

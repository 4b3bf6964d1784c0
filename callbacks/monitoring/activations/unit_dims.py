"""Which dimension of an activation's outputs holds its units."""

from typing import NamedTuple

from torch import Tensor

# Where the units of a layer's output are, counted from the last dimension; 0 stands for the
# second dimension, however many follow.
UNIT_DIM = {
    **dict.fromkeys(["linear", "bilinear", "layer_norm", "rms_norm", "embedding"], -1),
    **dict.fromkeys(["matmul", "__matmul__", "addmm"], -1),
    **dict.fromkeys(["conv1d", "conv_transpose1d"], -2),
    **dict.fromkeys(["conv2d", "conv_transpose2d"], -3),
    **dict.fromkeys(["conv3d", "conv_transpose3d"], -4),
    **dict.fromkeys(["batch_norm", "group_norm", "instance_norm"], 0),
}


class LayerOutput(NamedTuple):
    """Form of a layer's output: number of dimensions, which of them is the units', its size."""

    ndim: int
    dim: int
    width: int


NO_LAYER = LayerOutput(0, 0, 0)


def layer_output(name: str, outputs: Tensor) -> LayerOutput:
    """Form of what a layer's function of this name, a key of `UNIT_DIM`, gave."""
    if outputs.is_nested:
        return NO_LAYER
    dim = UNIT_DIM[name] or 1 - outputs.ndim
    return LayerOutput(outputs.ndim, dim, outputs.shape[dim])


def unit_dim_of(outputs: Tensor, layer: LayerOutput) -> int:
    """Dimension of the layer's units in what may be a transformed form of its output.

    Args:
        outputs: Outputs of the activation.
        layer: The layer that ran last before it.

    Returns:
        The dimension, counted from the last one: negative.
    """
    if outputs.ndim == layer.ndim and outputs.shape[layer.dim] == layer.width:
        return layer.dim
    # Pooled, transposed or squeezed: there is one dimension of the layer's width, if any.
    same = [d - outputs.ndim for d in range(1, outputs.ndim) if outputs.shape[d] == layer.width]
    if len(same) == 1:
        return same[0]
    if outputs.ndim == layer.ndim:  # concatenated, split or shuffled
        return layer.dim
    heads = layer.ndim == 3 and layer.dim == -1
    return 1 - outputs.ndim if outputs.ndim > 3 and not heads else -1

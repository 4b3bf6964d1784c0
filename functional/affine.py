"""Linear maps of image positions, one for each image, and their composition into affine maps.

Each maps an output position to the input position that it is read from: the map that enlarges an
image by 2 scales positions by 1/2. Positions are in pixels from the image's centre, ``x`` to the
right and ``y`` down.
"""

import torch
from torch import Tensor


def rotation_matrices(angle: Tensor) -> Tensor:
    """Build maps that rotate each image anticlockwise.

    Args:
        angle: In radians, shape ``(N,)``.

    Returns:
        Tensor of shape ``(N, 2, 2)``.

    Example:
        >>> rotation_matrices(torch.tensor([0.0]))
        tensor([[[1., -0.],
                 [0., 1.]]])
    """
    cos, sin = angle.cos(), angle.sin()
    return _matrices(cos, -sin, sin, cos)


def scale_matrices(x: Tensor, y: Tensor) -> Tensor:
    """Build maps that scale the positions read from by ``x`` and ``y``; -1 flips.

    Args:
        x: Factor of the horizontal position, shape ``(N,)``; 0.5 shows the image twice as wide.
        y: Factor of the vertical position, shape ``(N,)``.

    Returns:
        Tensor of shape ``(N, 2, 2)``.

    Example:
        >>> scale_matrices(torch.tensor([-1.0]), torch.tensor([1.0]))
        tensor([[[-1.,  0.],
                 [ 0.,  1.]]])
    """
    zero = torch.zeros_like(x)
    return _matrices(x, zero, zero, y)


def shear_matrices(x: Tensor, y: Tensor) -> Tensor:
    """Build maps that shear each image.

    Args:
        x: Slope, the tangent of the angle, by which rows shift with their height, shape ``(N,)``.
        y: Slope by which columns shift with their position, shape ``(N,)``.

    Returns:
        Tensor of shape ``(N, 2, 2)``.

    Example:
        >>> shear_matrices(torch.tensor([0.5]), torch.tensor([0.0]))
        tensor([[[1.0000, 0.5000],
                 [0.0000, 1.0000]]])
    """
    one = torch.ones_like(x)
    return _matrices(one, x, y, one)


def affine_matrices(linear: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Add an offset to linear maps, as ``affine_warp`` takes them.

    Args:
        linear: Shape ``(N, 2, 2)``.
        x: Offset of the position read from, in pixels, shape ``(N,)``.
        y: The same, down.

    Returns:
        Tensor of shape ``(N, 2, 3)``.

    Example:
        >>> affine_matrices(torch.eye(2)[None], torch.tensor([2.0]), torch.tensor([0.0]))
        tensor([[[1., 0., 2.],
                 [0., 1., 0.]]])
    """
    return torch.cat([linear, torch.stack([x, y], -1)[..., None]], -1)


def _matrices(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    return torch.stack([torch.stack([a, b], -1), torch.stack([c, d], -1)], 1)

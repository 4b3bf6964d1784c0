"""Augmentation maths: reproducible draws by key, and one shift or warp per image."""

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from .arguments import any_tensor, real_tensor, whole_number, whole_tensor
from .choices import choose
from .hashing import GOLDEN, shift_right, splitmix64

_MODES = {"bilinear": 1, "nearest": 0}
_MIN_PIXELS_TO_COPY = 64 * 64  # From here on, copying an image beats gathering its pixels.


def keyed_uniform(index: Tensor, draws: int | Tensor, *, seed: int, epoch: int) -> Tensor:
    """Draw uniform numbers that depend on the key (seed, epoch, index) alone.

    The same image gets the same draws whatever the batch size, the order or the number of
    processes. The hash is SplitMix64 (Steele et al. 2014), in wrapping 64-bit arithmetic.

    Args:
        index: Index of each image in its data set, int64, shape ``(N,)``.
        draws: How many numbers to draw for each image, or an int64 tensor of their positions: the
            number at a position does not depend on which others are asked for.
        seed: Seed of the run.
        epoch: Epoch, so that each epoch differs.

    Returns:
        Tensor of shape ``(N, draws)``, float32 in [0, 1), on the device of ``index``.

    Raises:
        TypeError: If an argument is not of whole numbers.
        ValueError: If ``index`` has another shape, ``draws`` is negative, or ``seed`` or ``epoch``
            is not a 64-bit integer.
    """
    index = whole_tensor("index", index, "N")
    if isinstance(draws, Tensor):
        places = whole_tensor("draws", draws, "draws")
    else:
        draws = whole_number("draws", draws, least=0)
        places = torch.arange(draws, dtype=torch.int64, device=index.device)
    # Compiled, a check would fix the epoch, and each would need a graph of its own.
    if not torch.compiler.is_compiling():
        seed, epoch = _word("seed", seed), _word("epoch", epoch)
    # Filled rather than copied: a copy to a GPU would synchronise with it.
    key = torch.full((1,), seed, dtype=torch.int64, device=index.device)
    key = splitmix64(splitmix64(key) + epoch)
    key = splitmix64(key + index)
    bits = splitmix64(key[:, None] + (places + 1) * GOLDEN)
    return shift_right(bits, 40).to(torch.float32) / 2**24


def _word(argument: str, value: int) -> int:
    found = whole_number(argument, value, least=-(2**63))
    if found >= 2**63:
        raise ValueError(f"Expected `{argument}` to be below 2**63, but got {found}.")
    return found


def affine_warp(images: Tensor, matrices: Tensor, mode: str = "bilinear") -> Tensor:
    """Warp each image by its own affine map, zero outside.

    Args:
        images: Shape ``(N, C, H, W)``, floating point.
        matrices: Shape ``(N, 2, 3)``: maps an output position (x, y, 1), in pixels from the
            image's centre, to the input position that it is read from.
        mode: ``"bilinear"``, or ``"nearest"`` for masks.

    Returns:
        Tensor of the shape and dtype of ``images``.

    Raises:
        TypeError: If ``images`` are not a floating point tensor, or ``matrices`` not a real one.
        ValueError: If one of them has another shape, or ``mode`` is unknown.

    Example:
        >>> right = torch.tensor([[[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]]])
        >>> affine_warp(torch.tensor([[[[1.0, 2.0, 3.0]]]]), right)
        tensor([[[[0., 1., 2.]]]])
    """
    if not real_tensor("images", images, "N", "C", "H", "W").is_floating_point():
        raise TypeError(f"Expected `images` to be floating point, but got {images.dtype}.")
    real_tensor("matrices", matrices, len(images), 2, 3)
    choose("mode", mode, _MODES)
    height, width = images.shape[-2:]
    grid = _grid(matrices.to(torch.float32), height, width)
    return grid_sample(
        images, grid.to(images.dtype), mode=mode, padding_mode="zeros", align_corners=False
    )


def move_pixels(
    images: Tensor, x: Tensor, y: Tensor, flip_x: Tensor | None, flip_y: Tensor | None
) -> Tensor:
    """Shift and flip each image by whole pixels, zero outside: no interpolation, any dtype.

    Args:
        images: Shape ``(N, C, H, W)``.
        x: How many pixels to the right of its position each pixel is read, shape ``(N,)``, whole.
        y: The same, down.
        flip_x: Which images are mirrored from left to right after that, boolean of shape
            ``(N,)``; None for none.
        flip_y: The same from top to bottom.

    Returns:
        Tensor of the shape and dtype of ``images``.

    Raises:
        TypeError: If an argument is not a tensor, or a flip not a boolean one.
        ValueError: If one of them has another shape.

    Example:
        >>> one, picture = torch.tensor([1]), torch.tensor([[[[1, 2, 3]]]])
        >>> move_pixels(picture, one, 0 * one, None, None)
        tensor([[[[2, 3, 0]]]])
        >>> move_pixels(picture, one, 0 * one, torch.tensor([True]), None)
        tensor([[[[0, 3, 2]]]])
    """
    count, channels, height, width = any_tensor("images", images, "N", "C", "H", "W").shape
    any_tensor("x", x, count)
    any_tensor("y", y, count)
    for argument, flip in (("flip_x", flip_x), ("flip_y", flip_y)):
        if flip is not None and any_tensor(argument, flip, count).dtype != torch.bool:
            raise TypeError(f"Expected `{argument}` to be boolean, but got {flip.dtype}.")
    # Copying is faster than gathering, but needs a loop and the offsets on the host.
    large = images.device.type == "cpu" and height * width >= _MIN_PIXELS_TO_COPY
    if large and not torch.compiler.is_compiling():
        return _copy_windows(images, x, y, flip_x, flip_y)
    # Positions outside are read from a border of zeros, one pixel wide.
    columns = _sources(x, flip_x, width).clamp_(-1, width) + 1
    rows = _sources(y, flip_y, height).clamp_(-1, height) + 1
    place = (rows * (width + 2))[:, :, None] + columns[:, None, :]
    place = place.view(count, 1, height * width).expand(-1, channels, -1)
    return pad(images, (1, 1, 1, 1)).flatten(2).gather(2, place).view(images.shape)


def _copy_windows(
    images: Tensor, x: Tensor, y: Tensor, flip_x: Tensor | None, flip_y: Tensor | None
) -> Tensor:
    height, width = images.shape[-2:]
    moved = torch.zeros(images.shape, dtype=images.dtype)
    offsets = x.int().tolist(), y.int().tolist()
    mirrors = ([False] * len(images) if f is None else f.tolist() for f in (flip_x, flip_y))
    for image, target, dx, dy, mirror_x, mirror_y in zip(
        images, moved, *offsets, *mirrors, strict=True
    ):
        columns, to_columns = _window(dx, width, mirror_x)
        rows, to_rows = _window(dy, height, mirror_y)
        dims = [dim for dim, mirror in ((-1, mirror_x), (-2, mirror_y)) if mirror]
        part = image[:, rows, columns]
        target[:, to_rows, to_columns] = part.flip(dims) if dims else part
    return moved


def _window(offset: int, size: int, mirror: bool) -> tuple[slice, slice]:
    """Return the slices of one side of an image to read from and to write to."""
    offset = max(-size, min(size, offset))
    first, last = max(-offset, 0), size - max(offset, 0)
    target = slice(size - last, size - first) if mirror else slice(first, last)
    return slice(first + offset, last + offset), target


def _sources(offset: Tensor, flip: Tensor | None, size: int) -> Tensor:
    position = torch.arange(size, device=offset.device)
    if flip is not None:
        position = torch.where(flip[:, None], size - 1 - position, position)
    return position + offset.to(torch.int64)[:, None]


def _grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """Positions to read from in units of half the image, shape ``(N, H, W, 2)``."""
    x = torch.arange(width, device=matrices.device, dtype=torch.float32) - (width - 1) / 2
    y = torch.arange(height, device=matrices.device, dtype=torch.float32) - (height - 1) / 2
    m = matrices[..., None]
    across = torch.stack([m[:, 0, 0] * x * (2 / width), m[:, 1, 0] * x * (2 / height)], -1)
    down = torch.stack(
        [
            (m[:, 0, 1] * y + m[:, 0, 2]) * (2 / width),
            (m[:, 1, 1] * y + m[:, 1, 2]) * (2 / height),
        ],
        -1,
    )
    if torch.compiler.is_compiling():
        return down[:, :, None] + across[:, None]
    # Added as complex numbers: several times faster than pairs of floats.
    complex_sum = torch.view_as_complex(down)[:, :, None] + torch.view_as_complex(across)[:, None]
    return torch.view_as_real(complex_sum)

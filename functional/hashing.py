"""SplitMix64, the hash behind every reproducible draw and bucket of the package."""

from torch import Tensor

from .arguments import whole_number, whole_tensor

GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


def splitmix64(state: Tensor) -> Tensor:
    """Hash each number: a bijection of 64-bit integers in which every bit affects every bit.

    Its wrapping arithmetic gives the same result on every device and in every process.

    Args:
        state: Any shape, int64.

    Returns:
        Tensor of the shape of ``state``, int64; read it as unsigned.

    Raises:
        TypeError: If ``state`` is not a tensor of whole numbers.

    Example:
        >>> import torch
        >>> splitmix64(torch.tensor([0, 1]))
        tensor([-2152535657050944081, -7995527694508729151])

    Reference:
        Steele et al. 2014, "Fast splittable pseudorandom number generators", figure 13.
    """
    z = whole_tensor("state", state) + GOLDEN
    z = (z ^ _shift(z, 30)) * _MIX_1
    z = (z ^ _shift(z, 27)) * _MIX_2
    return z ^ _shift(z, 31)


def shift_right(z: Tensor, bits: int) -> Tensor:
    """Shift logically by 1 to 63 bits: int64 shifts in torch keep the sign.

    Args:
        z: Any shape, int64.
        bits: How many bits.

    Returns:
        Tensor of the shape of ``z``, int64, not negative.

    Raises:
        TypeError: If ``z`` is not a tensor of whole numbers, or ``bits`` is not a whole number.
        ValueError: If ``bits`` is not from 1 to 63.

    Example:
        >>> import torch
        >>> shift_right(torch.tensor([-1, 8]), 62)
        tensor([3, 0])
    """
    if whole_number("bits", bits) > 63:
        raise ValueError(f"Expected `bits` to be at most 63, but got {bits}.")
    return _shift(whole_tensor("z", z), bits)


def _shift(z: Tensor, bits: int) -> Tensor:
    return (z >> bits) & ((1 << (64 - bits)) - 1)

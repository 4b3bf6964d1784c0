"""The IDX format of MNIST and similar data sets."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08


def read_idx(path: Path, ndim: int) -> Tensor:
    """Read the array of an IDX file, gzip-compressed or not.

    Args:
        path: The file.
        ndim: Expected number of dimensions: 3 for images, 1 for labels.

    Returns:
        Uint8 tensor of the shape in the file's header.

    Raises:
        ValueError: If it is not such a file, or is truncated.

    Reference:
        LeCun, Cortes and Burges, "The MNIST database of handwritten digits", file formats.
    """
    content = _content(path)
    magic = (0, 0, _UNSIGNED_BYTE, ndim)
    if tuple(content[:4]) != magic:
        raise ValueError(
            f"Expected {path} to be an IDX file of bytes with {ndim} dimensions, which starts with "
            f"{bytes(magic).hex()}, but it starts with {content[:4].hex()}. Put the right file "
            "there."
        )
    start = 4 + 4 * ndim
    if len(content) < start:
        raise _truncated(path, f"its header ends after {len(content)} of {start} bytes")
    shape = struct.unpack(f">{ndim}I", content[4:start])
    size = math.prod(shape)
    if len(content) - start != size:
        shown = "x".join(map(str, shape))
        raise _truncated(
            path, f"{len(content) - start} bytes follow its header of {shown}, not {size}"
        )
    return torch.frombuffer(content, dtype=torch.uint8)[start:].view(shape)


def _content(path: Path) -> bytearray:
    content = path.read_bytes()
    if content[:2] == _GZIP:
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise _truncated(path, str(error)) from error
    return bytearray(content)


def _truncated(path: Path, what: str) -> ValueError:
    return ValueError(
        f"Expected {path} to be a complete IDX file, but {what}. Delete it and download it again."
    )

"""What a device can do."""

import torch


def works_alongside(device: torch.device) -> bool:
    """Whether the host can go on while the device copies from and to page-locked memory.

    Args:
        device: The device.

    Returns:
        True for accelerators such as CUDA devices; False for CPUs and Apple's GPUs, whose memory
        is the host's.

    Example:
        >>> works_alongside(torch.device("cpu")), works_alongside(torch.device("mps"))
        (False, False)
    """
    accelerator = torch.accelerator.current_accelerator()
    return accelerator is not None and device.type == accelerator.type != "mps"

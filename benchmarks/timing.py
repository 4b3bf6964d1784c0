"""What the benchmarks share: a clock, and quiet in a process of one thread."""

import logging
import platform
import time
import warnings

import torch
from lightning.pytorch import __version__


def now(device: str) -> float:
    """Seconds: of this process on a CPU, since others run beside it; of the clock on a GPU."""
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def be_quiet() -> None:
    """One thread, no warnings and no advice."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


def machine(device: str) -> str:
    """The machine and the versions, in one line."""
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    return f"{name} ({device}), torch {torch.__version__}, lightning {__version__}"

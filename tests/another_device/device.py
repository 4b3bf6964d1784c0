"""Build and register the device of ``device.cpp``; a process that imports this keeps it."""

import hashlib
import importlib.util
import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.utils import cpp_extension

import torchvitals

NAME = "another"
_SOURCE = Path(__file__).with_name("device.cpp")
_PACKAGE = str(Path(torchvitals.__file__).parent) + os.sep


def _build():
    """Return the extension, which is compiled once for each source and version of torch."""
    digest = hashlib.sha256(_SOURCE.read_bytes() + torch.__version__.encode()).hexdigest()[:12]
    name = f"another_device_{digest}"
    built = Path(cpp_extension.get_default_build_root()) / f"{name}{cpp_extension.LIB_EXT}"
    if not built.exists():
        built.parent.mkdir(parents=True, exist_ok=True)
        # Processes that build at the same time do not wait for each other: one that is killed
        # would leave a lock behind.
        with tempfile.TemporaryDirectory(dir=built.parent) as folder:
            flags = ["-O0", "-w"]
            cpp_extension.load(name, [str(_SOURCE)], extra_cflags=flags, build_directory=folder)
            os.replace(Path(folder, built.name), built)
    loader = ExtensionFileLoader(name, str(built))
    spec = importlib.util.spec_from_file_location(name, built, loader=loader)
    extension = importlib.util.module_from_spec(spec)
    loader.exec_module(extension)
    return extension


class _Event:
    """The host computes for the device, so only copies that are under way can be waited for."""

    def record(self, stream=None):
        pass

    def wait(self, stream=None):
        pass

    def synchronize(self):
        torch.accelerator.synchronize()


class _Stream:
    def __init__(self, priority=0):
        pass

    def wait_stream(self, stream):
        pass

    def wait_event(self, event):
        pass

    def record_event(self):
        return _Event()

    def synchronize(self):
        torch.accelerator.synchronize()


def _register():
    module = ModuleType(f"torch.{NAME}")
    module.is_available = module.is_initialized = lambda: True
    module.device_count = lambda: 1
    module.current_device = lambda: 0
    module.set_device = module.manual_seed = module.manual_seed_all = lambda value: None
    module.device = module.stream = lambda entered: nullcontext()
    module.Event, module.Stream = _Event, _Stream
    module.current_stream = lambda device=None: _Stream()
    module._is_in_bad_fork = lambda: False
    module.get_amp_supported_dtype = lambda: [torch.bfloat16, torch.float16]
    # What the device draws comes from the host's generator.
    module.get_rng_state = lambda device=None: torch.get_rng_state()
    module.set_rng_state = lambda state, device=None: torch.set_rng_state(state)
    torch.utils.rename_privateuse1_backend(NAME)
    torch._register_device_module(NAME, module)
    torch.utils.generate_methods_for_privateuse1_backend(for_storage=True)


_extension = _build()
_register()
DEVICE = torch.device(NAME, 0)


class AnotherAccelerator(Accelerator):
    """The device, for a Trainer."""

    def setup_device(self, device):
        pass

    def teardown(self):
        pass

    @staticmethod
    def parse_devices(devices):
        return 1 if devices == "auto" else devices

    @staticmethod
    def get_parallel_devices(devices):
        return [DEVICE] * devices

    @staticmethod
    def auto_device_count():
        return 1

    @staticmethod
    def is_available():
        return True

    @staticmethod
    def name():
        return NAME


def on_device():
    """Arguments of a Trainer that trains on the device."""
    strategy = SingleDeviceStrategy(device=DEVICE)
    return {"accelerator": AnotherAccelerator(), "devices": 1, "strategy": strategy}


class Event(NamedTuple):
    """What the device told, and by which of the package's functions, outermost first."""

    kind: str
    operation: str
    functions: tuple[str, ...]


@contextmanager
def listening(*kinds: str) -> Iterator[list[Event]]:
    """Collect the device's events of these kinds that code of the package causes."""
    events = []

    def listener(kind, operation):
        if kind in kinds:
            stack = traceback.extract_stack()
            ours = (frame for frame in stack if frame.filename.startswith(_PACKAGE))
            functions = tuple(frame.name for frame in ours)
            if functions:
                events.append(Event(kind, operation, functions))

    _extension.listen(listener)
    try:
        yield events
    finally:
        _extension.listen(None)

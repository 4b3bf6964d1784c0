"""The weights of the best check, in memory or in a file, whole or in shards."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.parameter import is_lazy

from ...functional.state_changes import same_bits
from ..monitoring.guard import warn
from ..monitoring.layers import refuse_flattening
from ..monitoring.recording.loggers import run_folder
from .fitting import left_out, that_fit
from .tensors import is_plain, sharded_like

Place = Literal["memory", "file"]
# Builds a sharded tensor from this rank's part, without communication.
_Layout = Callable[[Tensor], DTensor]


class BestWeights:
    """Copy of a module's parameters and buffers, on the host or on disk.

    For a sharded module (FSDP2) every rank keeps its own shards: neither keeping nor restoring
    needs communication, so that a crash on one rank does not leave others waiting.

    Args:
        place: ``"memory"``, or ``"file"`` to keep host memory free: in the run's folder or, for a
            Trainer that writes nothing, in a temporary one that is deleted with the process. While
            the file cannot be written, the weights stay in memory, with a warning.
        name: Prefix of the file name. An identifier of this object's run and the rank are added, as
            other callbacks and runs, concurrent or earlier, may have files in the same folder.

    Attributes:
        in_module: Whether the module's own weights are the best ones, as far as is known.
        path: File with this rank's best weights, if they are in one.
        unfit: Names of buffers that could not be restored because their size had changed.
    """

    def __init__(self, place: Place = "memory", name: str = "best") -> None:
        self.place = place
        self.name = "".join(c if c.isalnum() else "_" for c in name)
        self.clear()

    def clear(self) -> None:
        """Forget all weights."""
        self.in_module = False
        self.unfit: list[str] = []
        self.path: Path | None = None
        self._folder: Path | None = None
        self._mark = ""
        self._kept: dict[str, Tensor] | None = None
        self._staged: dict[str, Tensor] | None = None
        self._layouts: dict[str, _Layout] = {}
        self._leaves_out = False
        self._whole = self._staged_whole = self._stages_own = False

    @property
    def known(self) -> bool:
        """Whether there are best weights."""
        return self._kept is not None or self.path is not None

    @property
    def staged(self) -> bool:
        """Whether weights await their check."""
        return self._staged is not None

    def stage(self, module: nn.Module) -> None:
        """Copy the weights being validated, for a check that comes after they are replaced."""
        self._staged = None  # Free the old copy before another one is made.
        self._staged, self._staged_whole = self._copy(module), False
        self._stages_own = False

    def unstage(self) -> None:
        """Drop the staged weights: their check is over, or will not come."""
        self._staged, self._stages_own = None, False

    def keep(self, trainer: Trainer, module: nn.Module) -> None:
        """Keep the staged weights, or else the module's, as the best."""
        self.in_module = self._staged is None
        # First, as an interrupted copy must not leave the weights of an earlier check as the best.
        self._kept = self.path = None
        self._kept = self._copy(module) if self._staged is None else self._staged
        self._whole = self._staged is not None and self._staged_whole
        self._staged = None
        self._spill(trainer)

    def settle(self, trainer: Trainer, module: nn.Module, has_best: bool) -> None:
        """Complete a loaded checkpoint, whose own weights may be the best or the staged ones.

        Args:
            trainer: The Trainer.
            module: The module with the checkpoint's weights.
            has_best: Whether there was a best check.
        """
        if has_best and not self.known:
            self._kept, self._whole, self.in_module = self._copy(module), False, True
        if self._stages_own:
            self.stage(module)
        self._spill(trainer)

    def _spill(self, trainer: Trainer) -> None:
        if self.place == "memory" or self._kept is None:
            return
        try:
            self.path = self._write(self._kept, trainer)
        except (OSError, RuntimeError) as error:  # RuntimeError: torch, on a full disk
            warn(
                "EarlyStopping keeps the best weights in memory, because their file could not be "
                f"written: {type(error).__name__}: {error}"
            )
        else:
            self._kept = None

    def _write(self, weights: dict[str, Tensor], trainer: Trainer) -> Path:
        self._folder = self._folder or run_folder(trainer) or self._temporary_folder()
        self._folder.mkdir(parents=True, exist_ok=True)
        # Only now, so that two copies of this object get different ones.
        self._mark = self._mark or uuid4().hex[:12]
        path = self._folder / f"{self.name}.{self._mark}.rank{trainer.global_rank}.pt"
        # A crash while writing leaves the previous file intact.
        part = path.with_suffix(".part")
        try:
            torch.save(weights, part)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        os.replace(part, path)
        return path

    def _temporary_folder(self) -> Path:
        folder = tempfile.mkdtemp(prefix="best_weights_")
        # Deleted with this object or with the process, however fit ends.
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def _copy(self, module: nn.Module) -> dict[str, Tensor]:
        # On the host: a second copy of the weights may not fit on the device.
        copies = {}
        state = module.state_dict()
        beside = left_out(module, state)
        self._leaves_out = bool(beside)
        for name, value in {**state, **beside}.items():
            if is_lazy(value):  # A lazy layer that has not been used yet has no weights.
                continue
            if isinstance(value, DTensor):
                self._layouts[name] = _layout(value)
                value = value.to_local()
            if isinstance(value, Tensor):
                copies[name] = value.detach().to("cpu", copy=True)
        return copies

    def _weights(self) -> dict[str, Tensor] | None:
        if self._kept is not None or self.path is None:
            return self._kept
        try:
            found: dict[str, Tensor] = torch.load(self.path, weights_only=True, mmap=True)
        except (OSError, RuntimeError) as error:  # RuntimeError: torch, on a damaged file
            warn(
                "EarlyStopping has lost the best weights, because their file could not be read: "
                f"{type(error).__name__}: {error}"
            )
            return None
        return found

    def restore(self, module: nn.Module) -> bool:
        """Restore the best weights, and return whether that changed anything.

        Raises:
            OtherParametersError: If the module now has other parameters.
        """
        if self.in_module and self.path is not None and not Path(self.path).exists():
            return False  # The module already has what the deleted file contained.
        weights = self._weights()
        if weights is None:
            return False
        fitting, self.unfit = that_fit(weights, module, whole=self._whole)
        state = module.state_dict()
        beside = left_out(module, state)
        targets = {**state, **beside}
        given = {name: self._as_in(targets[name], value) for name, value in fitting.items()}
        # Not by `in_module`: another callback may have changed the weights since the check.
        changed = {name for name, value in given.items() if not _same(value, targets[name])}
        if changed:
            fixed = {n for n in given if n not in changed and _is_of_inference(targets[n])}
            saved = {n: value for n, value in given.items() if n not in beside and n not in fixed}
            module.load_state_dict(saved, strict=False)
            for name in beside.keys() & given.keys():
                beside[name].copy_(given[name])
        self.in_module = True
        return bool(changed)

    def _as_in(self, target: Any, value: Tensor) -> Tensor:
        if not isinstance(target, DTensor):
            return value
        return sharded_like(target, value) if self._whole else _layout(target)(value)

    def state_dict(self) -> dict[str, Any]:
        """Return the full weights, unless the checkpoint's own are the best ones.

        For a sharded module this must be called on all ranks, as Lightning does.
        """
        return {
            "best_weights": None
            if self.in_module and not self._leaves_out
            else self._gather(self._weights(), self._whole),
            "staged_weights": self._gather(self._staged, self._staged_whole),
        }

    def _gather(self, weights: dict[str, Tensor] | None, whole: bool) -> dict[str, Tensor] | None:
        if weights is None or whole:
            return weights
        return {
            name: self._layouts[name](value).full_tensor().cpu() if name in self._layouts else value
            for name, value in weights.items()
        }

    def omit_own(self, state_dict: dict[str, Any], module: nn.Module) -> None:
        """Omit from a state those weights that the module itself has when it is saved.

        Not for a sharded module: a rank can compare its own shards, but not those of others.
        """
        if self._layouts:
            return
        own = module.state_dict()
        for name in ("best_weights", "staged_weights"):
            weights = state_dict[name]
            if weights is not None and all(_same(v, own.get(k)) for k, v in weights.items()):
                state_dict[name] = None
                state_dict["stages_own"] = name == "staged_weights"

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint's weights."""
        self.clear()
        self._stages_own = state_dict.get("stages_own", False)
        self._kept = state_dict["best_weights"]
        self._staged = state_dict["staged_weights"]
        self._whole = self._staged_whole = True


def _layout(tensor: DTensor) -> _Layout:
    return partial(
        DTensor.from_local,
        device_mesh=tensor.device_mesh,
        placements=tensor.placements,
        run_check=False,
        shape=tensor.shape,
        stride=tensor.stride(),
    )


def _same(one: Tensor, other: Any) -> bool:
    """Whether two plain tensors or shards are bitwise equal; False for any others."""
    if isinstance(one, DTensor) and isinstance(other, DTensor):
        one, other = one.to_local(), other.to_local()
    return is_plain(one) and is_plain(other) and same_bits(one, other)


def _is_of_inference(value: Any) -> bool:
    """Whether it is an inference tensor, as of a frozen backbone: it cannot have changed."""
    return isinstance(value, Tensor) and value.is_inference()


def check_strategy(trainer: Trainer, pl_module: LightningModule) -> None:
    """Reject strategies under which a rank cannot keep its own part of the weights.

    Raises:
        TypeError: If the Trainer's strategy is FSDP1 or DeepSpeed.
    """
    try:
        refuse_flattening("EarlyStopping", trainer, pl_module)
    except TypeError as error:
        raise TypeError(f"{error} Or set `restore_best_weights=False`.") from None

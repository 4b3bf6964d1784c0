"""Validation of a checkup's arguments."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule
from torch._dynamo import OptimizedModule
from torch.utils._pytree import tree_leaves

from ...functional.arguments import number, optional_whole_number
from ..reporting.page import page_path

# Numeric arguments of the Trainer whose type it does not check itself.
_NUMBERS = (
    "max_steps", "accumulate_grad_batches", "limit_train_batches",
    "limit_val_batches", "overfit_batches", "log_every_n_steps",
)  # fmt: skip


def check_checkup(
    model: Any, data: Any, validation: Any, report: str | Path | None, trainer: Mapping[str, Any]
) -> dict[str, Any]:
    """Check all arguments of a checkup before anything is copied.

    Args:
        model: The module.
        data: A data module, loaders, or None.
        validation: Loaders, or None.
        report: Where the page is to be written.
        trainer: Arguments of the Trainer.

    Returns:
        The Trainer's arguments, with ``max_epochs`` as the ``int`` that the Trainer requires.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is NaN or ``max_epochs`` is below -1.
        IsADirectoryError: If ``report`` is a folder.
    """
    _check_model(model)
    if not isinstance(data, LightningDataModule):
        _check_loaders("data", data, "a LightningDataModule or the loaders that `fit` takes")
    _check_loaders("val_dataloaders", validation, "the loaders that `fit` takes")
    if report is not None:
        page_path("report", report)
    for name in _NUMBERS:
        value = trainer.get(name)
        if value is not None and not isinstance(value, bool):
            number(name, value)
    epochs = optional_whole_number("max_epochs", trainer.get("max_epochs"), least=-1)
    return {**trainer, "max_epochs": epochs}


def as_callbacks(given: Any) -> list[Callback]:
    """Convert None, a callback or several callbacks to a list.

    Raises:
        TypeError: If it is something else.
    """
    callbacks = [given] if isinstance(given, Callback) else given or []
    if not isinstance(callbacks, Iterable):
        raise TypeError(
            f"Expected `callbacks` to be a Callback or a list of them, but got {given!r}."
        )
    found = list(callbacks)
    for callback in found:
        if not isinstance(callback, Callback):
            raise TypeError(f"Expected `callbacks` to hold only Callbacks, but got {callback!r}.")
    return found


def _check_model(model: Any) -> None:
    module = model._orig_mod if isinstance(model, OptimizedModule) else model
    if isinstance(module, LightningModule):
        return
    kind, fix = type(module).__name__, ""
    if isinstance(module, type):
        kind, fix = f"class {module.__name__}", ": instantiate it first"
    raise TypeError(
        f"Expected `model` to be a `lightning.pytorch` LightningModule, but got the {kind}{fix}."
    )


def _check_loaders(argument: str, loaders: Any, wanted: str) -> None:
    if loaders is None:
        return
    for loader in tree_leaves(loaders):
        has_batches = hasattr(type(loader), "__iter__") or hasattr(type(loader), "__getitem__")
        if isinstance(loader, str | bytes) or not has_batches:
            raise TypeError(f"Expected `{argument}` to be {wanted}, but got {loader!r}.")

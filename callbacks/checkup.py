"""Look for problems of a module and its data before the real training."""

import copy
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer

from ..functional.arguments import whole_number
from .checking.arguments import as_callbacks, check_checkup
from .checking.keeping import copy_loaders, kept
from .checking.trial import StopAfter, belonging, quiet_lightning, trial_trainer
from .checking.twin import make_twin
from .diagnosing.telling.announcing import silenced
from .diagnosis import Diagnosis
from .monitoring.guard import warn
from .reporting.case import read_case
from .reporting.wording import count_of, is_too_early
from .training_doctor import TrainingDoctor

if TYPE_CHECKING:
    from rich.console import RenderableType

# Reports in a checkup; a finding needs two to four in a row.
_REPORTS_IN_A_CHECKUP = 20
_MIN_INTERVAL = 5


@dataclass(frozen=True)
class Checkup:
    """The result of a checkup.

    Attributes:
        diagnoses: Diagnoses at its end, the worst first.
        steps: Optimiser steps that it took.
        early: Whether these are too few for a verdict, unless there is a warning or worse.

    Example:
        >>> print(Checkup((), steps=300))
        Healthy: no warning in 300 steps.
    """

    diagnoses: tuple[Diagnosis, ...]
    steps: int
    early: bool = False

    @property
    def sick(self) -> bool:
        """Whether there is a diagnosis that is a warning or worse."""
        return any(diagnosis.severity != "info" for diagnosis in self.diagnoses)

    @property
    def healthy(self) -> bool:
        """Whether there is no warning or worse, after as many steps as a verdict takes."""
        return not self.sick and not self.early

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        steps = count_of(self.steps)
        if self.healthy:
            return f"Healthy: no warning in {steps}."
        if not self.sick:
            return f"Nothing stands out in {steps}: it is too early for a verdict."
        count = sum(diagnosis.severity != "info" for diagnosis in self.diagnoses)
        return f"Sick: {count} finding{'s' if count > 1 else ''} in {steps}."

    def __str__(self) -> str:
        return "\n".join([self.verdict, *map(_line, self.diagnoses)])

    def __rich_console__(self, console: Any, options: Any) -> Iterator["RenderableType"]:
        from rich.text import Text

        from .diagnosing.telling.terminal import account_of

        yield Text(self.verdict)
        if self.diagnoses:
            yield Text()
            yield account_of(self.diagnoses, options.max_width, console.encoding)


def _line(diagnosis: Diagnosis) -> str:
    place = f" in {diagnosis.layer}" if diagnosis.layer else ""
    advice = f" {diagnosis.remedies[0].advice}" if diagnosis.remedies else ""
    head = f"{diagnosis.severity}: {diagnosis.problem.value}{place}, since step {diagnosis.step}."
    return f"{head} {diagnosis.evidence}{advice}"


def checkup(
    model: LightningModule,
    data: LightningDataModule | Any = None,
    *,
    val_dataloaders: Any = None,
    steps: int = 300,
    ckpt_path: str | Path | None = None,
    weights_only: bool | None = None,
    report: str | Path | None = None,
    **trainer: Any,
) -> Checkup:
    """Train a copy of a module for a few hundred steps and let the `TrainingDoctor` judge.

    The copy makes the first steps of the real training, with the same random numbers. Afterwards
    the module, its optimisers, the global random states (Python, NumPy, torch, CUDA) and those of
    the loaders' generators are bit for bit as before, even if the checkup fails or is interrupted.
    Nothing is written, logged or printed. It needs the memory of a second training.

    The Trainer's arguments should be those of the real training: precision, accumulation and
    clipping determine the steps, ``max_epochs`` or ``max_steps`` the learning rate schedule, of
    which the checkup runs the beginning. Without them the checkup is the whole plan, and runs a
    shortened schedule. Validation runs as in the real training, and once at the end.

    A verdict takes as many steps as the doctor waits for: a tenth of the plan, at least 30 and at
    most 200. A shorter checkup is neither healthy nor, without a warning, sick.

    A healthy checkup means that nothing showed so far. Problems that take longer to show need a
    `TrainingDoctor` in the real training: over-fitting, and in one of more than 1,200 steps a loss
    that stays at that of the best constant prediction, for which the doctor waits a quarter of the
    steps, at most 500.

    One device is used. Callbacks that stop, write or draw are left out; all others (accumulation
    schedules, weight averaging, fine-tuning, custom ones) are copied and take part, as do those of
    ``configure_callbacks``. A logger that accepts everything and keeps nothing replaces the real
    ones.

    What the copy shares with the module is not protected: objects that a function or hook in it
    refers to directly, data that is a stream (samples that were read are gone) or that changes when
    it is read, and files that the module writes to paths of its own. ``prepare_data`` and ``setup``
    of a data module run on a shallow copy: attributes that they set are not set on the original.

    Args:
        model: Any LightningModule, untrained or trained for a while.
        data: A LightningDataModule, or training loaders as `Trainer.fit` takes them; None if the
            module has its own.
        val_dataloaders: Validation loaders.
        steps: Optimiser steps; batches under manual optimisation.
        ckpt_path: Checkpoint to resume from, as in `Trainer.fit`.
        weights_only: As in `Trainer.fit`.
        report: HTML file for the doctor's page; a warning says if it cannot be written.
        trainer: Arguments of the real Trainer.

    Returns:
        The diagnoses, and the number of steps.

    Raises:
        ValueError: If ``steps`` or another number is out of range.
        TypeError: If an argument has the wrong type, or the module cannot be copied.
        IsADirectoryError: If ``report`` is a folder.
        RuntimeError: If no step was made, or the doctor failed.

    Example:
        >>> import torch, torch.nn.functional as F
        >>> from lightning.pytorch.demos.boring_classes import BoringModel
        >>> found = checkup(BoringModel(), steps=20, accelerator="cpu", limit_train_batches=10)
        >>> found.steps
        20
    """
    steps = whole_number("steps", steps)
    trainer = check_checkup(model, data, val_dataloaders, report, trainer)
    callbacks = belonging(as_callbacks(trainer.pop("callbacks", None)))
    doctor = TrainingDoctor(max(_MIN_INTERVAL, steps // _REPORTS_IN_A_CHECKUP))
    with ExitStack() as stack:
        device = trainer.get("accelerator", "auto") != "cpu"
        stack.enter_context(kept(data, val_dataloaders, device=device))
        stack.enter_context(quiet_lightning())
        stack.enter_context(silenced())
        folder = stack.enter_context(TemporaryDirectory(ignore_cleanup_errors=True))
        twin, callbacks = make_twin(model, callbacks)
        _choose_callbacks(twin)
        stop = StopAfter(steps, model)
        trial = trial_trainer(steps, [*callbacks, doctor, stop], folder, trainer)
        checkpoint = {"ckpt_path": ckpt_path, "weights_only": weights_only}
        _fit(trial, twin, data, val_dataloaders, checkpoint)
        _demand_a_verdict(doctor, stop)
        if report is not None:
            _write_page(doctor, report)
    case = read_case(doctor._journal.entries)
    early = is_too_early(max(stop.done, case.steps), case.facts)
    return Checkup(tuple(doctor.diagnoses), stop.done, early)


def _choose_callbacks(twin: LightningModule) -> None:
    configure = twin.configure_callbacks

    def configure_callbacks() -> list[Callback]:
        given = configure()
        return belonging([given] if isinstance(given, Callback) else given)

    twin.configure_callbacks = configure_callbacks  # type: ignore[method-assign]


def _fit(
    trial: Trainer, twin: LightningModule, data: Any, validation: Any, checkpoint: dict[str, Any]
) -> None:
    if isinstance(data, LightningDataModule):
        loaders: dict[str, Any] = {"datamodule": copy.copy(data)}
    else:
        loaders = {"train_dataloaders": copy_loaders(data)}
    if validation is not None:
        loaders["val_dataloaders"] = copy_loaders(validation)
    try:
        trial.fit(twin, **loaders, **checkpoint)
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from end
        raise


def _write_page(doctor: TrainingDoctor, report: str | Path) -> None:
    try:
        doctor.report(report)
    except OSError as error:  # All steps are made, and the result does not need it.
        warn(f"The checkup's page could not be written: {type(error).__name__}: {error}")


def _demand_a_verdict(doctor: TrainingDoctor, stop: StopAfter) -> None:
    if doctor.failed:
        raise RuntimeError("The doctor switched itself off, see its warning: there is no verdict.")
    if not stop.done:
        raise RuntimeError(
            "Expected at least one optimiser step, but the training made none. Make sure that "
            "there are batches, and that the checkpoint is not from the end of the training."
        )

"""What the doctor writes into the journal of a training run."""

from collections.abc import Mapping, Sequence

from lightning.pytorch import LightningModule, Trainer

from ..diagnosing.vital_signs.vitals import Vitals
from ..diagnosis import Diagnosis
from ..monitoring.recording import loggers
from .journal import Journal
from .run_facts import figures_of, run_facts
from .run_folder import DOCTOR_FILE


def open_journal(
    journal: Journal,
    trainer: Trainer,
    pl_module: LightningModule,
    vitals: Vitals,
    interval: int,
    *,
    resumed: bool,
) -> None:
    """Begin a fit in the journal, on rank 0 with a file in the run's folder.

    Args:
        journal: The doctor's journal.
        trainer: The Trainer, about to train.
        pl_module: The module that it trains.
        vitals: The vital signs before the first batch.
        interval: Optimiser steps between two reports.
        resumed: Whether it continues an earlier one, which may have had no doctor.
    """
    folder = loggers.run_folder(trainer) if trainer.is_global_zero else None
    path = None if folder is None else folder / "vitals" / DOCTOR_FILE
    journal.start(
        loggers.steps_done(trainer),
        resumed=resumed,
        batches=len(vitals.losses),
        path=path,
    )
    facts = run_facts(trainer, pl_module)
    if resumed:
        del facts["learning rate at first"]  # The rate now may be that of a schedule's end.
    journal.note({**facts, "planned steps": vitals.planned_steps, "report every": interval})


def keep_report(
    journal: Journal,
    trainer: Trainer,
    vitals: Vitals,
    standing: Sequence[Diagnosis],
    check: Mapping[str, float] | None,
) -> None:
    """Record what the page will show of a report.

    Args:
        journal: The doctor's journal.
        trainer: The Trainer.
        vitals: The vital signs of the report.
        standing: All current diagnoses.
        check: Figures of the validation that has just ended; None if none has.
    """
    step, epoch = loggers.steps_done(trainer), trainer.current_epoch
    # With loaders of unknown length, the plan is known only after the first epoch.
    journal.note({"planned steps": vitals.planned_steps})
    journal.report(step, epoch, vitals.losses, figures_of(vitals))
    journal.diagnose(step, standing)
    if check is not None:
        journal.validate(step, epoch, check)

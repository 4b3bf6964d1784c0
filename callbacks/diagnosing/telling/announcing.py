"""The doctor's reports to the terminal, the log and the loggers."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from lightning.pytorch import Trainer

from ...diagnosis import Diagnosis
from ...monitoring.guard import SideWork
from ...monitoring.recording import loggers
from ...problem import Problem

_log = logging.getLogger(__name__)
# On the terminal; the report page shows all.
_MOST_REMEDIES = 2
_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def silenced() -> Iterator[None]:
    """Silence the doctor, for callers that show its findings themselves."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def announce(
    trainer: Trainer,
    new: Sequence[Diagnosis],
    gone: Sequence[Diagnosis],
    standing: Sequence[Diagnosis],
    explained: Mapping[Problem, Problem],
    side_work: SideWork,
    *,
    verbose: bool = True,
) -> None:
    """Report each diagnosis in one line when it is established, turns critical or is withdrawn.

    Args:
        trainer: The Trainer.
        new: Diagnoses to report.
        gone: Diagnoses that are withdrawn, or only informational again.
        standing: All current diagnoses.
        explained: Problems that are still observed but explained by another, with that other one.
        side_work: The doctor's, for the log and alerts.
        verbose: Whether to write to the log, too.
    """
    if not trainer.is_global_zero or _silent.get():
        return
    for diagnosis in new:
        place = f" in {diagnosis.layer}" if diagnosis.layer else ""
        line = f"{diagnosis.severity}: {diagnosis.problem.value}{place}. {diagnosis.evidence}"
        grave = diagnosis.severity != "info"
        if verbose:
            line = f"{line} {_advice(diagnosis)}" if grave else line
            side_work.attempt("log", _say, diagnosis, line)
        if grave and not trainer.barebones:
            title = f"Doctor: {diagnosis.problem.value}"
            text = f"{diagnosis.severity}: {diagnosis.evidence} {_advice(diagnosis)}".strip()
            side_work.attempt_with_each(trainer.loggers, loggers.alert, title, text)
    for diagnosis in gone if verbose else ():
        # At the level at which it was reported, so that both lines show up in the same places.
        fate = _fate(diagnosis.problem, standing, explained)
        side_work.attempt("log", _say, diagnosis, f"{diagnosis.problem.value} {fate}.")


def _say(diagnosis: Diagnosis, line: str) -> None:
    level = logging.INFO if diagnosis.severity == "info" else logging.WARNING
    with _beside_bars():
        _log.log(level, "Doctor: %s", line)


@contextmanager
def _beside_bars() -> Iterator[None]:
    """Clear tqdm's bars for a line, and redraw them below it, as `tqdm.write` does."""
    tqdm = sys.modules.get("tqdm")
    if tqdm is None:
        yield
        return
    with tqdm.tqdm.external_write_mode():
        yield


def _fate(
    problem: Problem, standing: Sequence[Diagnosis], explained: Mapping[Problem, Problem]
) -> str:
    """Say what became of a finding; whether its cause was fixed cannot be observed."""
    if any(diagnosis.problem is problem for diagnosis in standing):
        return "is now only informational"
    if problem in explained:
        return f"is explained by {explained[problem].value}"
    return "no longer stands out"


def _advice(diagnosis: Diagnosis) -> str:
    return diagnosis.remedies[0].advice if diagnosis.remedies else ""


def conclude(
    trainer: Trainer,
    diagnoses: Sequence[Diagnosis],
    side_work: SideWork,
    *,
    verbose: bool = True,
    folder: Path | None = None,
) -> None:
    """Report the final list of diagnoses, to the loggers first: printing may fail on a terminal.

    Args:
        trainer: The Trainer.
        diagnoses: The current diagnoses, the worst first.
        side_work: The doctor's, for loggers and terminal.
        verbose: Whether to print to the terminal, too.
        folder: Folder of the run's record, from which a page can be made; None if there is none.
    """
    if not trainer.is_global_zero or _silent.get():
        return
    if not trainer.barebones:
        rows = [
            {
                "problem": d.problem.value, "severity": d.severity, "layer": d.layer or "",
                "step": d.step, "evidence": d.evidence, "remedy": _advice(d),
            }
            for d in diagnoses
        ]  # fmt: skip
        each, step = side_work.attempt_with_each, loggers.logger_step(trainer)
        each(trainer.loggers, loggers.log_table, "doctor/diagnoses", rows, step)
        # Also where there is none any more: an earlier fit may have had some.
        problems = {"doctor/problems": [d.problem.value for d in diagnoses]}
        each(trainer.loggers, loggers.summarize, problems)
    if verbose and diagnoses:
        side_work.attempt("terminal", _print, diagnoses, folder)


def _print(diagnoses: Sequence[Diagnosis], folder: Path | None) -> None:
    from rich.text import Text

    from .terminal import Terminal, account_of, printable, way_to_page

    terminal = Terminal()
    width, encoding = terminal.width, terminal.encoding
    account = account_of(diagnoses, width, encoding, most_remedies=_MOST_REMEDIES)
    page = [] if folder is None else ["", Text(printable(way_to_page(folder), encoding))]
    terminal.tell("What the doctor found:", "", account, *page)

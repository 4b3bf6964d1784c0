"""What the clinic is made of: programs, and cases that know what is wrong with them."""

import hashlib
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything

sys.path.append(str(Path(__file__).resolve().parents[1]))
from goal import Goal

Split = Literal["setting", "judging"]
CODES = (
    "non_finite", "exploding_gradient", "vanishing_gradient", "dead_relu", "dormant_units",
    "saturated_activation", "covariate_shift", "learning_rate_too_high", "learning_rate_too_low",
    "unstable_loss", "not_learning", "poor_initialization", "symmetric_weights",
    "unnormalized_input", "output_loss_mismatch", "inconsistent_labels", "class_imbalance",
    "overfitting", "over_regularized", "train_eval_mismatch", "frozen_parameter", "linear_network",
)  # fmt: skip


@dataclass(frozen=True)
class Program:
    """Somebody's training: a module, its loaders, its Trainer's arguments, and a score.

    ``score`` is called after the training and measures the module on data that it has not seen.
    """

    module: LightningModule
    train: Any
    validation: Any | None
    epochs: int
    score: Callable[[], float]
    trainer: dict[str, Any] = field(default_factory=dict)

    def fit(self, callbacks: Iterable[Callback] = ()) -> Trainer:
        arguments = {
            "max_epochs": self.epochs, "accelerator": "cpu", "devices": 1, "logger": False,
            "enable_checkpointing": False, "enable_progress_bar": False,
            "enable_model_summary": False, "num_sanity_val_steps": 0, **self.trainer,
        }  # fmt: skip
        trainer = Trainer(callbacks=list(callbacks), **arguments)
        trainer.fit(self.module, self.train, self.validation)
        return trainer


@dataclass(frozen=True)
class Case:
    """A program with its label.

    Attributes:
        name: What it trains, in words joined by hyphens.
        goal: What is expected of its score.
        program: Builds the program.
        problems: Codes of the diagnoses that an expert accepts, the one to give first in front.
            Empty for a healthy program.
        remedy: Builds the program as the expert would have it; for a faulty one.
        sometimes: Whether the fault shows in some seeds only, as dying ReLUs do.
        fast: Whether the tests run it.
    """

    name: str
    goal: Goal
    program: Callable[[], Program]
    problems: tuple[str, ...] = ()
    remedy: Callable[[], Program] | None = None
    sometimes: bool = False
    fast: bool = False

    def train(self, seed: int) -> Program:
        """The program, its weights and the order of its batches drawn from ``seed``."""
        seed_everything(seed, verbose=False)
        return self.program()

    def cure(self, seed: int) -> Program:
        """The same, cured.

        Raises:
            ValueError: If the case is a healthy one.
        """
        if self.remedy is None:
            raise ValueError(f"Expected a faulty case, but {self.name!r} is healthy.")
        seed_everything(seed, verbose=False)
        return self.remedy()

    @property
    def split(self) -> Split:
        """Whether thresholds may be set by the case, or it only judges them.

        It hangs on the name alone, so that no new case moves an old one.
        """
        digest = hashlib.sha256(self.name.encode()).digest()
        return "setting" if digest[0] % 2 == 0 else "judging"

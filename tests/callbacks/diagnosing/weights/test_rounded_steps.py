"""Weights that stay where they are because their steps are lost in rounding, by a real Trainer."""

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import Problem, TrainingDoctor


class Net(LightningModule):
    def __init__(self, rate, compares):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(10, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 2))
        self.cuts = nn.Parameter(torch.zeros(10)) if compares else None
        self.rate = rate

    def training_step(self, batch):
        inputs = batch[0].to(self.net[0].weight.dtype)
        if self.cuts is not None:
            inputs = inputs * (inputs > self.cuts)  # A comparison has no gradient.
        return F.cross_entropy(self.net(inputs), batch[1])

    def configure_optimizers(self):
        # In bfloat16 half a digit below 1 is 0.2%, and a step of Adam's is as long as the rate.
        return torch.optim.Adam(self.parameters(), self.rate)


def diagnosed(rate, precision, compares=False):
    x = torch.randn(256, 10, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(x, (x[:, 0] * x[:, 1] > 0).long())
    doctor = TrainingDoctor()
    trainer = Trainer(
        max_epochs=8, precision=precision, callbacks=[doctor], accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Net(rate, compares), DataLoader(data, 16, shuffle=True))
    return {diagnosis.problem: diagnosis for diagnosis in doctor.diagnoses}


def test_steps_below_half_a_digit_of_half_precision_are_told_as_that():
    diagnosis = diagnosed(1e-3, "bf16-true")[Problem.FROZEN_PARAMETER]
    assert (diagnosis.layer, diagnosis.severity) == ("net.1.weight", "warning")
    assert "bfloat16" in diagnosis.evidence
    assert diagnosis.remedies[0].code == 'Trainer(precision="bf16-mixed")'


def test_steps_that_single_precision_loses_are_a_matter_of_the_rate():
    diagnoses = diagnosed(1e-8, "32-true")
    assert Problem.LEARNING_RATE_TOO_LOW in diagnoses
    assert Problem.FROZEN_PARAMETER not in diagnoses


@pytest.mark.parametrize(("rate", "precision"), [(1e-3, "bf16-true"), (1e-8, "32-true")])
def test_what_gets_no_gradient_is_told_by_itself(rate, precision):
    diagnosis = diagnosed(rate, precision, compares=True)[Problem.FROZEN_PARAMETER]
    assert diagnosis.evidence.startswith("cuts does not change, although an optimiser has it.")

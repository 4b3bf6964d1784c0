"""An optimiser whose step was forgotten, by a real Trainer."""

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import Problem, TrainingDoctor


class Ratings(LightningModule):
    """Tables and a net, each with an optimiser of its own."""

    def __init__(self, steps):
        super().__init__()
        torch.manual_seed(0)
        self.automatic_optimization = False
        self.words, self.net = nn.Embedding(40, 4), nn.Linear(4, 1)
        self.steps = steps

    def training_step(self, batch):
        loss = F.mse_loss(self.net(self.words(batch[0])).squeeze(1), batch[1])
        optimizers = self.optimizers()
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer, step in zip(optimizers, self.steps, strict=True):
            if step:
                optimizer.step()
        return loss

    def configure_optimizers(self):
        return [torch.optim.Adam(part.parameters(), 3e-3) for part in (self.words, self.net)]


def diagnosed(*steps):
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(40, (800,), generator=generator)
    data = TensorDataset(words, torch.randn(40, generator=generator)[words])
    doctor = TrainingDoctor()
    trainer = Trainer(
        max_epochs=10, callbacks=[doctor], accelerator="cpu", logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Ratings(steps), DataLoader(data, 32, shuffle=True))
    return {diagnosis.problem: diagnosis for diagnosis in doctor.diagnoses}


def test_an_embedding_whose_optimiser_makes_no_step_is_named():
    diagnosis = diagnosed(False, True)[Problem.FROZEN_PARAMETER]
    assert (diagnosis.layer, diagnosis.severity) == ("words", "warning")
    assert "never makes a step" in diagnosis.evidence
    assert diagnosis.remedies[0].code == "optimizer.step()"


@pytest.mark.parametrize("steps", [(True, True), (True, False)])
def test_one_that_is_stepped_is_not(steps):
    found = diagnosed(*steps).get(Problem.FROZEN_PARAMETER)
    assert found is None or found.layer == "net"

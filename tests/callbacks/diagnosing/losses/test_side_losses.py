"""Losses of second heads and second optimisers, of which only the fit is looked at."""

import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from lightning.pytorch import LightningModule
from torch import nn
from torch.utils.data import DataLoader

from torchvitals.callbacks import Problem, TrainingDoctor
from torchvitals.callbacks.diagnosing.losses.side_losses import SideLosses

LABELS = torch.tensor([0.0, 1.0, 1.0, 0.0])


def outputs():
    return nn.Linear(3, 1)(torch.randn(4, 3)).squeeze(1)


def found(loss, *, first_is_read):
    sides = SideLosses()
    sides.look(loss, first_is_read=first_is_read)
    sides.take([sides.news(), [("cross_entropy", "relu")]])
    return sides.found


def test_the_nearest_loss_is_looked_at_elsewhere_and_all_others_here():
    good = F.mse_loss(outputs(), LABELS)
    twice = F.binary_cross_entropy_with_logits(outputs().sigmoid(), LABELS)
    told, others = ("bce_logits", "sigmoid"), [("cross_entropy", "relu")]
    assert found(good + twice, first_is_read=True) == [told, *others]
    assert found(twice, first_is_read=False) == [told, *others]
    assert found(twice, first_is_read=True) == others
    assert found(torch.tensor(1.0), first_is_read=False) == others


def test_logits_fit_and_so_do_chances_in_a_loss_that_does_not_expect_logits():
    fits = F.binary_cross_entropy_with_logits(outputs(), LABELS)
    chances = F.mse_loss(outputs().sigmoid(), LABELS)
    assert found(fits + chances, first_is_read=False) == [("cross_entropy", "relu")]


class Adversaries(LightningModule):
    """A generator and a discriminator whose loss takes a sigmoid for logits, or logits."""

    def __init__(self, last):
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3))
        layers = (nn.Linear(3, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
        self.discriminator = nn.Sequential(*layers, last)

    def training_step(self, real, batch_idx):
        for optimizer, made_is in zip(self.optimizers(), (1.0, 0.0), strict=True):
            made = self.discriminator(self.generator(torch.randn(len(real), 2)))
            loss = F.binary_cross_entropy_with_logits(made, torch.full_like(made, made_is))
            if not made_is:
                known = self.discriminator(real)
                loss += F.binary_cross_entropy_with_logits(known, torch.ones_like(known))
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()

    def configure_optimizers(self):
        return [
            torch.optim.Adam(m.parameters(), 1e-3) for m in (self.generator, self.discriminator)
        ]


def diagnoses(last):
    torch.manual_seed(0)
    doctor = TrainingDoctor()
    trainer = quiet_trainer(max_epochs=3, callbacks=[doctor])
    trainer.fit(Adversaries(last), DataLoader(torch.randn(64, 3), 16))
    assert not doctor.failed
    return [diagnosis.problem for diagnosis in doctor.diagnoses if diagnosis.severity != "info"]


def test_the_loss_of_a_second_optimiser_is_seen_to_fit_its_output():
    assert diagnoses(nn.Sigmoid()) == [Problem.OUTPUT_LOSS_MISMATCH]
    assert diagnoses(nn.Identity()) == []

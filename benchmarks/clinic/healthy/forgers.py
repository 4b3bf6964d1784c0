"""Two optimizers, two networks, codes and clouds: loops that are not plain."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.cohorts import meters, windows
from data_sets.samples import digits, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class ConditionalVAE(LightningModule):
    """Digits given their label; the divergence comes in over half of the training."""

    def __init__(self, warm: int = 300) -> None:
        super().__init__()
        self.warm = warm
        self.encoder, self.decoder = mlp([74, 128, 16], nn.SiLU), mlp([18, 128, 64], nn.SiLU)

    def terms(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        x, label = batch[0], F.one_hot(batch[1], 10).float()
        mean, log_variance = self.encoder(torch.cat([x, label], 1)).chunk(2, 1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        drawn = self.decoder(torch.cat([z, label], 1)).sigmoid()
        nll = (drawn - x).square().sum(1).mean() / (2 * 0.2**2)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        return nll, kl

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        nll, kl = self.terms(batch)
        beta = min(1.0, self.global_step / self.warm)
        self.log_dict({"rec": nll, "kld": kl, "beta": beta})
        return {"loss": nll + beta * kl}

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("neg_elbo", sum(self.terms(batch)))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adamax(self.parameters(), lr=4e-3)


def conditional_vae(batch_size: int = 64, epochs: int = 30) -> Program:
    data = digits()
    module = ConditionalVAE()

    @torch.no_grad()
    def score() -> float:
        return sum(module.eval().terms([data.x_test, data.y_test])).item()

    return Program(module, *loaders(data, batch_size), epochs, score)


class PredictiveCoding(LightningModule):
    """Van den Oord et al.: which of the batch's hours come next, by a context of those before?"""

    def __init__(self, ahead: int = 4) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 32, 4, 4), nn.ReLU(), nn.Conv1d(32, 32, 3, 3), nn.ReLU()
        )
        self.context = nn.GRU(32, 64, batch_first=True)
        self.heads = nn.ModuleList(nn.Linear(64, 32, bias=False) for _ in range(ahead))

    def forward(self, series: Tensor) -> list[Tensor]:
        """The logits of each step ahead, of all of the batch against all."""
        codes = self.encoder(series[:, None]).mT
        past = codes.shape[1] - len(self.heads)
        context = self.context(codes[:, :past])[0][:, -1]
        return [head(context) @ codes[:, past + k].T for k, head in enumerate(self.heads)]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        target = torch.arange(len(batch[0]))
        each = [F.cross_entropy(logits, target) for logits in self(batch[0])]
        self.log_dict({f"nce_{k}": loss for k, loss in enumerate(each)})
        return torch.stack(each).mean()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        target = torch.arange(len(batch[0]))
        self.log("val_nce", sum(F.cross_entropy(logits, target) for logits in self(batch[0])) / 4)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-4, weight_decay=1e-3)


def predictive_coding() -> Program:
    series = meters(48)
    train = windows(series[:, :-240], 144, 0, 6)[0]
    test = windows(series[:, -288:], 144, 0, 6)[0][torch.randperm(1200)[:128]]
    module = PredictiveCoding()

    @torch.no_grad()
    def score() -> float:
        """How often the true hours ahead are among the first tenth of 128."""
        hits = [logits.argsort(1, descending=True)[:, :13] for logits in module.eval()(test)]
        own = torch.arange(128)[:, None]
        return torch.stack([(hit == own).any(1).float().mean() for hit in hits]).mean().item()

    loader = DataLoader(TensorDataset(train), 64, shuffle=True, drop_last=True)
    return Program(module, loader, DataLoader(TensorDataset(test), 64), 5, score)


class ThereAndBack(LightningModule):
    """CycleGAN of two clouds in the plane: two ways, two judges, least squares, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.there, self.back = mlp([2, 64, 64, 2]), mlp([2, 64, 64, 2])
        self.judge_a = mlp([2, 64, 64, 1], partial(nn.LeakyReLU, 0.2))
        self.judge_b = mlp([2, 64, 64, 1], partial(nn.LeakyReLU, 0.2))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        a, b = batch
        makers, judges = self.optimizers()  # type: ignore[misc]
        self.toggle_optimizer(makers)
        fake_b, fake_a = self.there(a), self.back(b)
        fooled = (self.judge_b(fake_b) - 1).square() + (self.judge_a(fake_a) - 1).square()
        cycle = F.l1_loss(self.back(fake_b), a) + F.l1_loss(self.there(fake_a), b)
        makers.zero_grad()
        self.manual_backward(fooled.mean() + 2 * cycle)
        makers.step()
        self.untoggle_optimizer(makers)
        self.toggle_optimizer(judges)
        worth = (self.judge_b(b) - 1).square() + (self.judge_a(a) - 1).square()
        worth = worth + self.judge_b(fake_b.detach()).square() + self.judge_a(fake_a.detach()) ** 2
        judges.zero_grad()
        self.manual_backward(0.5 * worth.mean())
        judges.step()
        self.untoggle_optimizer(judges)
        for scheduler in self.lr_schedulers():  # type: ignore[union-attr]
            scheduler.step()  # type: ignore[call-arg]
        self.log_dict({"G": fooled.mean(), "D": worth.mean(), "cycle": cycle}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        makers = [*self.there.parameters(), *self.back.parameters()]
        judges = [*self.judge_a.parameters(), *self.judge_b.parameters()]
        both = [torch.optim.Adam(of, lr=1e-3, betas=(0.5, 0.999)) for of in (makers, judges)]
        falling = partial(torch.optim.lr_scheduler.LambdaLR, lr_lambda=self.rate)
        return both, [falling(one) for one in both]

    @staticmethod
    def rate(step: int) -> float:
        """As it is for half of the 960 steps, then down to nothing."""
        return min(1.0, 2 - step / 480)


def there_and_back() -> Program:
    a = torch.randn(2048, 2) * torch.tensor([1.0, 0.3])
    b = torch.randn(2048, 2) * torch.tensor([0.4, 0.8]) + torch.tensor([2.0, 1.0])
    module = ThereAndBack()

    @torch.no_grad()
    def score() -> float:
        """How far mean and deviation of the moved cloud are from those of the other."""
        moved = module.eval().there(a)
        return ((moved.mean(0) - b.mean(0)).abs() + (moved.std(0) - b.std(0)).abs()).mean().item()

    return Program(module, DataLoader(TensorDataset(a, b), 128, shuffle=True), None, 60, score)


CASES = (
    Case("digits-given-their-label", Goal("-ELBO", at_most=30), conditional_vae),
    Case(
        "meters-hours-told-from-others", Goal("hits in 13 of 128", at_least=0.5), predictive_coding
    ),
    Case("clouds-moved-there-and-back", Goal("gap", at_most=0.2), there_and_back),
)

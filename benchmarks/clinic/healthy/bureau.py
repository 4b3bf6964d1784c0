"""Texts, clicks and sales as applied researchers train on them, and rightly."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from clerks import DateTranslator, IntentEncoder, Rows, texts
from data_sets import bureau
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader


class FineTuner(LightningModule):
    """Weights decay and biases do not; the rate rises for a tenth of the steps, then falls."""

    def __init__(self, model: IntentEncoder, lr: float = 2e-3, body: float = 1.0) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model"])
        self.model = model

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.model(**batch)["loss"]
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        found = self.model(**batch)
        self.log("eval_loss", found["loss"], batch_size=len(batch["labels"]))
        right = found["logits"].argmax(-1) == batch["labels"]
        self.log("eval_accuracy", right.float().mean(), batch_size=len(right))

    def configure_optimizers(self) -> Any:
        lr, groups = self.hparams["lr"], []
        for name, parameter in self.model.named_parameters():
            decay = 0.0 if name.endswith("bias") or "norm" in name else 0.01
            share = 1.0 if name.startswith("classifier") else self.hparams["body"]
            groups.append({"params": [parameter], "weight_decay": decay, "lr": share * lr})
        optimizer = torch.optim.AdamW(groups, lr)
        total = int(self.trainer.estimated_stepping_batches)
        warm = total // 10

        def share_of(step: int) -> float:
            return step / warm if step < warm else max(0.0, (total - step) / (total - warm))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share_of)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def understood(module: FineTuner, data: Samples) -> float:
    module.eval()
    with torch.no_grad():
        found = module.model(data.x_test, (data.x_test > 0).long())["logits"]
    return (found.argmax(-1) == data.y_test).float().mean().item()


def fine_tuned() -> Program:
    """The encoder has learnt another bureau's numbers of the same; 600 texts teach it ours."""
    data = bureau.intents()
    model = IntentEncoder()
    before = torch.optim.AdamW(model.parameters(), 2e-3)
    for _ in range(9):
        for batch in texts(data.x[600:], (5 * data.y[600:] + 3) % 12, 16):
            before.zero_grad()
            model(**batch)["loss"].backward()
            before.step()
    model.zero_grad()
    model.classifier = nn.Linear(48, 12)
    module, few = FineTuner(model, 5e-3, 0.1), data.first(600)
    both = texts(few.x, few.y, 16), texts(data.x_test, data.y_test, 64, False)
    return Program(module, *both, 4, partial(understood, module, data))


class Translation(LightningModule):
    """It scores whole dates."""

    def __init__(self, model: nn.Module, lr: float = 3e-3) -> None:
        super().__init__()
        self.model, self.lr = model, lr

    def forward(self, source: Tensor) -> Tensor:
        found: Tensor = self.model.translate(source)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        logits = self.model(*batch)
        loss = F.cross_entropy(logits.transpose(1, 2), batch[1])
        self.log_dict({"loss": loss, "perplexity": loss.detach().exp()}, prog_bar=True)
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def word_for_word(module: Translation, data: Samples) -> float:
    return (outputs(module, data.x_test) == data.y_test).all(1).float().mean().item()


def translated() -> Program:
    data = bureau.dates()
    module = Translation(DateTranslator())
    train, _ = loaders(data, 32)
    score = partial(word_for_word, module, data)
    return Program(module, train, None, 6, score, {"gradient_clip_val": 1.0})


class SalesForecaster(LightningModule):
    """Each window in units of its own mean; a Student distribution for each day of the week."""

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, width, num_layers=2, dropout=0.1, batch_first=True)
        self.size = nn.Linear(1, 8)
        self.head = nn.Linear(width + 8, 14)

    def forward(self, window: Tensor) -> torch.distributions.StudentT:
        unit = window.mean(1, keepdim=True) + 1
        states, _ = self.lstm((window / unit)[..., None])
        middle, spread = self.head(torch.cat([states[:, -1], self.size(unit.log())], 1)).chunk(2, 1)
        spread = F.softplus(spread) + 1e-3
        return torch.distributions.StudentT(4.0, (1 + middle) * unit, spread * unit)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = -self(batch["past_values"]).log_prob(batch["future_values"]).mean()
        self.log("nll", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        loss = -self(batch["past_values"]).log_prob(batch["future_values"]).mean()
        self.log("val_nll", loss, batch_size=len(batch["past_values"]))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": "nll"}}


def foretold_sales() -> Program:
    rows = bureau.sold().unfold(1, 35, 3)
    past, later = rows[:, :50].flatten(0, 1), rows[:, 62:].flatten(0, 1)
    module = SalesForecaster()
    train = DataLoader(Rows(past_values=past[:, :28], future_values=past[:, 28:]), 64, shuffle=True)
    unseen = DataLoader(Rows(past_values=later[:, :28], future_values=later[:, 28:]), 256)

    @torch.no_grad()
    def score() -> float:
        found = module.eval()(later[:, :28]).mean
        return ((found - later[:, 28:]).abs().sum() / later[:, 28:].sum()).item()

    return Program(module, train, unseen, 12, score)


class CausalBlock(nn.Module):
    """A convolution that sees the past alone, and a way around it."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        conv = nn.Conv1d(width, width, 3, dilation=dilation)
        self.conv = nn.utils.parametrizations.weight_norm(conv)
        self.drop = nn.Dropout(0.05)

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (2 * self.dilation, 0))
        return x + self.drop(F.relu(self.conv(padded)))


class RoadNet(LightningModule):
    """Dilated causal convolutions, and twelve hours from the last place."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.enter = nn.Conv1d(1, width, 1)
        self.blocks = nn.Sequential(*(CausalBlock(width, 2**i) for i in range(5)))
        self.head = nn.Linear(width, 12)

    def forward(self, series: Tensor) -> Tensor:
        found: Tensor = self.head(self.blocks(self.enter(series[:, None]))[..., -1])
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("train/mae", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val/mae", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def foretold_roads() -> Program:
    data = bureau.roads()
    module = RoadNet()
    options = {"precision": "bf16-mixed"}
    return Program(module, *loaders(data, 16), 10, partial(r2, module, data), options)


CASES = (
    Case("intents-few-for-a-taught-encoder", Goal("accuracy", at_least=0.85), fine_tuned),
    Case("dates-translated-for-machines", Goal("accuracy", at_least=0.9), translated),
    Case("sales-of-stores-in-their-own-units", Goal("WAPE", at_most=0.2), foretold_sales),
    Case("roads-dilated-half-precision", Goal("R2", at_least=0.85), foretold_roads),
)

"""Codes hidden and guessed, answers attended to, and days of which little can be known."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.cohorts import lessons
from lightning.pytorch import LightningModule
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset


class Visits(IterableDataset[Tensor]):
    """Endless batches of visits of 16 codes: each is followed by one of three that go with it."""

    def __init__(self, codes: int = 60) -> None:
        self.codes = codes

    def draw(self, count: int) -> Tensor:
        found = torch.randint(self.codes, (count, 16))
        for step in range(1, 16):
            found[:, step] = (7 * found[:, step - 1] + torch.randint(3, (count,))) % self.codes
        return found + 1

    def __iter__(self) -> Any:
        while True:
            yield self.draw(48)


class HiddenCodes(LightningModule):
    """BERT on codes: three in twenty are hidden or swapped; tied weights, warmed up, no dev set."""

    def __init__(self, codes: int = 60, width: int = 48) -> None:
        super().__init__()
        self.codes = codes
        self.token, self.place = nn.Embedding(codes + 1, width), nn.Embedding(16, width)
        nn.init.normal_(self.token.weight, std=0.02)
        nn.init.normal_(self.place.weight, std=0.02)
        layer = nn.TransformerEncoderLayer(
            width, 4, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, 2, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.bias = nn.Parameter(torch.zeros(codes + 1))

    def forward(self, codes: Tensor) -> Tensor:
        hidden = self.encoder(self.token(codes) + self.place.weight)
        return F.linear(hidden, self.token.weight, self.bias)

    def training_step(self, codes: Tensor, batch_idx: int) -> Tensor:
        luck = torch.rand(codes.shape)
        shown = codes.masked_fill(luck < 0.12, 0)
        shown = torch.where(
            (luck >= 0.12) & (luck < 0.135), torch.randint_like(codes, 1, 61), shown
        )
        chosen = luck < 0.15
        loss = F.cross_entropy(self(shown)[chosen], codes[chosen])
        self.log_dict({"mlm": loss, "perplexity": loss.detach().exp()}, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, betas=(0.9, 0.98), eps=1e-6)

        def rate(step: int) -> float:
            return min((step + 1) / 100, max(0.0, (800 - step) / 700))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def hidden_codes() -> Program:
    visits, module = Visits(), HiddenCodes()
    test = visits.draw(500)

    @torch.no_grad()
    def score() -> float:
        """Right guesses of the eighth code, both neighbours known; one in three by the first."""
        shown = test.clone()
        shown[:, 8] = 0
        return (module.eval()(shown)[:, 8].argmax(1) == test[:, 8]).float().mean().item()

    train = DataLoader(visits, batch_size=None)
    trainer = {"max_steps": 800, "gradient_clip_val": 1.0}
    return Program(module, train, None, -1, score, trainer)


class AttentiveTracing(LightningModule):
    """SAKT: the exercise to come asks the answers of before; the scores are logged by the epoch."""

    def __init__(self, exercises: int = 20, width: int = 32) -> None:
        super().__init__()
        self.exercises = exercises
        self.asked = nn.Embedding(exercises, width)
        self.answered = nn.Embedding(2 * exercises, width)
        self.place = nn.Parameter(0.02 * torch.randn(29, width))
        self.attention = nn.MultiheadAttention(width, 4, dropout=0.1, batch_first=True)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.feed = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(0.2))
        self.out = nn.Linear(width, 1)

    def forward(self, asked: Tensor, right: Tensor) -> Tensor:
        past = self.answered(asked + self.exercises * right.long())[:, :-1] + self.place
        question = self.asked(asked[:, 1:])
        later = torch.ones(29, 29, dtype=torch.bool).triu(1)
        found, _ = self.attention(question, past, past, attn_mask=later, need_weights=False)
        hidden = self.norms[0](question + found)
        logits: Tensor = self.out(self.norms[1](hidden + self.feed(hidden)))[..., 0]
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(*batch), batch[1][:, 1:])
        self.log("ep_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(*batch)
        self.log("ep_val_loss", F.binary_cross_entropy_with_logits(found, batch[1][:, 1:]))
        auc = roc_auc_score(batch[1][:, 1:].flatten().numpy(), found.flatten().numpy())
        self.log("ep_auc", float(auc))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def attentive_tracing() -> Program:
    asked, right = lessons()
    train, test = TensorDataset(asked[100:], right[100:]), TensorDataset(asked[:100], right[:100])
    module = AttentiveTracing()

    @torch.no_grad()
    def score() -> float:
        found = module.eval()(asked[:100], right[:100]).flatten()
        return float(roc_auc_score(right[:100, 1:].flatten().numpy(), found.numpy()))

    return Program(module, DataLoader(train, 16, shuffle=True), DataLoader(test, 100), 6, score)


class Direction(LightningModule):
    """Up or down tomorrow? A small convolution over twenty days; the best guess is right in 60%."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(4, 16, 5), nn.ReLU(), nn.AvgPool1d(4), nn.Flatten(), nn.Linear(64, 1)
        )

    def forward(self, days: Tensor) -> Tensor:
        logits: Tensor = self.net(days)[:, 0]
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch[0]), batch[1])
        self.log("logloss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        found = self(batch[0])
        self.log("oos_logloss", F.binary_cross_entropy_with_logits(found, batch[1]))
        self.log("oos_hit", ((found > 0) == (batch[1] > 0.5)).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.1)


def direction() -> Program:
    days = torch.randn(14000, 4, 20)
    momentum = days[:, 0, -8:].mean(1) - days[:, 1, -8:].mean(1)
    y = (torch.rand(14000) < (1.0 * momentum).sigmoid()).float()
    module = Direction()

    @torch.no_grad()
    def score() -> float:
        right = (module.eval()(days[12000:]) > 0) == (y[12000:] > 0.5)
        return right.float().mean().item()

    train = DataLoader(TensorDataset(days[:12000], y[:12000]), 256, shuffle=True)
    test = DataLoader(TensorDataset(days[12000:], y[12000:]), 500)
    return Program(module, train, test, 10, score)


CASES = (
    Case("codes-hidden-and-guessed", Goal("accuracy", at_least=0.8), hidden_codes),
    Case("pupils-answers-attended-to", Goal("AUROC", at_least=0.73), attentive_tracing),
    Case("returns-direction-a-little-known", Goal("accuracy", at_least=0.555), direction),
)

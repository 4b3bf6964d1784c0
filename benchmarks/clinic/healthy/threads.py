"""More programs as they were answered: agents, forgers, texts, series."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import forum
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

DISCOUNT = 0.9


class Lake(LightningModule):
    """What each move is worth, learnt from aimless walks over the ice."""

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 4))
        self.target = nn.Sequential(nn.Linear(16, 48), nn.ReLU(), nn.Linear(48, 4))
        self.target.requires_grad_(False).load_state_dict(self.q.state_dict())

    def forward(self, place: Tensor) -> Tensor:
        values: Tensor = self.q(F.one_hot(place, 16).float())
        return values

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        place, move, after, reward, ends = batch
        if self.global_step % 50 == 0:
            self.target.load_state_dict(self.q.state_dict())
        best = self.target(F.one_hot(after, 16).float()).amax(1)
        chosen = self(place).gather(1, move[:, None])[:, 0]
        loss = F.smooth_l1_loss(chosen, reward + DISCOUNT * best * ~ends)
        self.log_dict({"td": loss, "q": chosen.mean()})
        return loss

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.q.parameters(), lr=2e-3)


def lake() -> Program:
    moves = forum.lake_moves()
    generator = torch.Generator().manual_seed(5)
    open_places = [place for place in range(16) if forum.LAKE[place] in "SF"]
    picked = torch.randint(len(open_places), (4000,), generator=generator)
    place = torch.tensor(open_places)[picked]
    move = torch.randint(4, (4000,), generator=generator)
    found = [moves[p][m] for p, m in zip(place.tolist(), move.tolist(), strict=True)]
    after, reward, ends = (torch.tensor(column) for column in zip(*found, strict=True))
    module = Lake()
    walks = TensorDataset(place, move, after, reward, ends)

    def score() -> float:
        """Share of the open places from which the goal is reached."""
        best = outputs(module, torch.arange(16)).argmax(1).tolist()
        arrived = 0
        for start in open_places:
            at = start
            for _ in range(16):
                at, won, over = moves[at][best[at]]
                if over:
                    arrived += int(won)
                    break
        return arrived / len(open_places)

    return Program(module, DataLoader(walks, 64, shuffle=True), None, 16, score)


class Forger(LightningModule):
    """Numbers around one out of noise, told from real ones by least squares."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.G = nn.Sequential(nn.Linear(4, 32), nn.ELU(), nn.Linear(32, 32), nn.ELU())
        self.G.append(nn.Linear(32, 1))
        self.D = nn.Sequential(nn.Linear(1, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48))
        self.D.extend([nn.LeakyReLU(0.2), nn.Linear(48, 1)])

    def forward(self, z: Tensor) -> Tensor:
        found: Tensor = self.G(z)
        return found

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        (real,) = batch
        d_optimizer, g_optimizer = self.optimizers()  # type: ignore[misc]
        fake = self(torch.randn(len(real), 4))
        d_loss = (self.D(real) - 1).square().mean() + self.D(fake.detach()).square().mean()
        d_optimizer.zero_grad()
        self.manual_backward(d_loss)
        d_optimizer.step()
        g_loss = (self.D(fake) - 1).square().mean()
        g_optimizer.zero_grad()
        self.manual_backward(g_loss)
        g_optimizer.step()
        self.log_dict({"d": d_loss, "g": g_loss}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        return (
            torch.optim.Adam(self.D.parameters(), lr=1e-3, betas=(0.5, 0.999)),
            torch.optim.Adam(self.G.parameters(), lr=5e-4, betas=(0.5, 0.999)),
        )


def forger() -> Program:
    generator = torch.Generator().manual_seed(6)
    real = torch.randn(4000, 1, generator=generator)
    module = Forger()
    train = DataLoader(TensorDataset(1 + 0.5 * real), 64, shuffle=True, drop_last=True)

    def score() -> float:
        fake = outputs(module, torch.randn(4000, 4, generator=generator))
        return ((fake.mean() - 1).abs() + (fake.std() - 0.5).abs()).item()

    return Program(module, train, None, 16, score)


class Attends(LightningModule):
    """A transformer's encoder over words, its padding masked; the mean of the rest decides."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.words = nn.Embedding(200, 32, padding_idx=0)
        self.places = nn.Embedding(20, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.2, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 2)

    def forward(self, src: Tensor) -> Tensor:
        padding = src == 0
        x = self.words(src) + self.places(torch.arange(src.shape[1]))
        x = self.encoder(x, src_key_padding_mask=padding)
        kept = (~padding).unsqueeze(-1)
        logits: Tensor = self.head((x * kept).sum(1) / kept.sum(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, self.steps, pct_start=0.2)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def attends() -> Program:
    data = forum.messages(6000)
    train, validation = loaders(data, 64)
    module = Attends(4 * len(train))
    arguments = {"gradient_clip_val": 1.0}
    return Program(module, train, validation, 4, partial(accuracy, module, data), arguments)


class Next(LightningModule):
    """The next value of a series by an LSTM, which is told the last ones."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 32, num_layers=2, batch_first=True)
        self.linear = nn.Linear(32, 1)

    def forward(self, window: Tensor) -> Tensor:
        hidden, _ = self.lstm(window)
        found: Tensor = self.linear(hidden[:, -1])
        return found[:, 0]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_mse", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def following() -> Program:
    data: Samples = forum.two_waves()
    module = Next()
    return Program(module, *loaders(data, 32), 12, partial(r2, module, data))


CASES = (
    Case("answer-lake-crossed-with-a-target", Goal("arrivals", at_least=1.0), lake),
    Case("answer-numbers-forged-least-squares", Goal("moments off by", at_most=0.25), forger),
    Case("answer-spam-transformer-mask", Goal("accuracy", at_least=0.76), attends),
    Case("answer-next-of-two-waves", Goal("R2", at_least=0.95), following),
)  # fmt: skip

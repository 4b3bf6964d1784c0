"""What consultants called sound, though it looked odd: pictures, curves, sensors and letters."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import consultant
from data_sets.samples import Samples, digit_images, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, cross_entropy, outputs, r2
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Letters(LightningModule):
    """A language model whose targets are smoothed, so that its loss ends far from zero."""

    def __init__(self) -> None:
        super().__init__()
        self.letter = nn.Embedding(consultant.LETTERS, 24)
        self.gru = nn.GRU(24, 64, batch_first=True)
        self.next = nn.Linear(64, consultant.LETTERS)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.next(self.gru(self.letter(x))[0])
        return logits.transpose(1, 2)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        text, later = batch
        loss = F.cross_entropy(self(text), later, label_smoothing=0.2)
        self.log("smoothed_nll", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        text, later = batch
        self.log("val_nll", F.cross_entropy(self(text), later))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=4e-3)


def letters() -> Program:
    data = consultant.letters()
    module = Letters()
    return Program(module, *loaders(data, 24), 9, partial(cross_entropy, module, data))


class Averaged(LightningModule):
    """A small ResNet; what is delivered is the average of its weights over the last steps."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.ModuleDict(
            {
                "stem": nn.Sequential(nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False)),
                "one": self.block(16), "two": self.block(16), "head": nn.Linear(16, 4),
            }
        )  # fmt: skip
        self.average = copy.deepcopy(self.net).requires_grad_(False)

    @staticmethod
    def block(width: int) -> nn.Module:
        return nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        net = self.net if self.training else self.average
        h = net["stem"](x)
        h = h + net["one"](h)
        h = h + net["two"](h)
        logits: Tensor = net["head"](h.relu().amax((2, 3)))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, label = batch
        loss = F.cross_entropy(self(image), label)
        self.log("online_loss", loss)
        return loss

    @torch.no_grad()
    def on_train_batch_end(self, *_: Any) -> None:
        keep = min(0.97, (1 + self.global_step) / (10 + self.global_step))
        pairs = zip(self.average.parameters(), self.net.parameters(), strict=True)
        for mean, now in pairs:
            mean.lerp_(now, 1 - keep)
        for mean, now in zip(self.average.buffers(), self.net.buffers(), strict=True):
            mean.copy_(now)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, label = batch
        logits = self(image)
        self.log("averaged_loss", F.cross_entropy(logits, label))
        self.log("averaged_acc", (logits.argmax(1) == label).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9, nesterov=True)


def averaged() -> Program:
    data = consultant.defects()
    module = Averaged()
    return Program(module, *loaders(data, 64), 7, partial(accuracy, module, data))


class Distorted(LightningModule):
    """Digits that are moved, covered, mixed and noisy in training only."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.net = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(48 * 16, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def distort(self, x: Tensor) -> Tensor:
        down, right = torch.randint(-1, 2, (2,)).tolist()
        x = x.roll((down, right), (2, 3))
        r, c = torch.randint(0, 6, (2,)).tolist()
        x = x.clone()
        x[:, :, r : r + 2, c : c + 2] = 0
        return x + 0.15 * torch.randn_like(x)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        x = self.distort(x)
        share = torch.distributions.Beta(0.4, 0.4).sample()
        other = torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[other])
        loss = share * F.cross_entropy(logits, y)
        loss = loss + (1 - share) * F.cross_entropy(logits, y[other])
        self.log("mixed_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("clean_loss", F.cross_entropy(logits, y))
        self.log("clean_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, self.steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def distorted() -> Program:
    data = digit_images()
    both = loaders(data, 32)
    module = Distorted(len(both[0]) * 14)
    return Program(module, *both, 14, partial(accuracy, module, data))


class Cells(LightningModule):
    """Two pictures a batch, eight batches a step; few pixels belong to a cell."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.GroupNorm(3, 12), nn.ReLU())
        self.coarse = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.GroupNorm(4, 24), nn.ReLU(),
            nn.Upsample(scale_factor=2),
        )  # fmt: skip
        self.mask = nn.Sequential(nn.Conv2d(36, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        logits: Tensor = self.mask(torch.cat([fine, self.coarse(fine)], 1))
        return logits

    def losses(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        image, mask = batch
        logits = self(image)
        bce = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
        focal = ((1 - torch.exp(-bce)).square() * bce).mean()
        chance = logits.sigmoid()
        dice = 1 - (2 * (chance * mask).sum() + 1) / (chance.sum() + mask.sum() + 1)
        return focal, dice

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        focal, dice = self.losses(batch)
        self.log_dict({"focal": focal, "dice": dice})
        return 10 * focal + dice

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        focal, dice = self.losses(batch)
        self.log_dict({"focal_val": focal, "dice_val": dice})

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3)


def overlap(module: LightningModule, data: Samples) -> float:
    found, mask = outputs(module, data.x_test) > 0, data.y_test > 0.5
    return ((found & mask).sum() / (found | mask).sum().clamp(min=1)).item()


def cells() -> Program:
    data = consultant.cells()
    module = Cells()
    options = {"accumulate_grad_batches": 8}
    return Program(module, *loaders(data, 2), 6, partial(overlap, module, data), options)


class Curves(LightningModule):
    """An encoder of signatures; those of one hand are to be near each other on a sphere."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Unflatten(1, (1, 40)), nn.Conv1d(1, 24, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(24, 32, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(640, 32),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.encode(x), dim=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def verified(module: LightningModule, data: Samples) -> float:
    """Whether pairs of one unknown hand are nearer than others: area under the ROC."""
    code = outputs(module, data.x_test)
    first, second = torch.triu_indices(len(code), len(code), 1)
    same = data.y_test[first] == data.y_test[second]
    return float(roc_auc_score(same, (code[first] * code[second]).sum(1)))


class Triplets(Curves):
    """An anchor, another of the same hand, and one of another; many are soon far enough apart."""

    def triplet(self, x: Tensor, who: Tensor) -> Tensor:
        code = self(x)
        away = torch.cdist(code, code)
        same = who[:, None] == who
        farthest = away.masked_fill(~same, -1).amax(1)
        nearest = away.masked_fill(same, 9).amin(1)
        return F.relu(farthest - nearest + 0.3).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.triplet(*batch)
        self.log("triplet", loss)
        return loss


class ByHand:
    """Batches of eight hands, six signatures of each."""

    def __init__(self, who: Tensor) -> None:
        self.rows = [torch.nonzero(who == hand).flatten() for hand in who.unique()]

    def __iter__(self) -> Iterator[list[int]]:
        for _ in range(len(self)):
            hands = torch.randperm(len(self.rows))[:8].tolist()
            yield [
                int(row)
                for hand in hands
                for row in self.rows[hand][torch.randperm(len(self.rows[hand]))[:6]]
            ]

    def __len__(self) -> int:
        return 40


def triplets() -> Program:
    data = consultant.signatures()
    module = Triplets()
    train = DataLoader(TensorDataset(data.x, data.y), batch_sampler=ByHand(data.y))
    return Program(module, train, None, 7, partial(verified, module, data))


class Contrasted(Curves):
    """Two distortions of each signature recognise each other among all of a batch; no labels."""

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        loss = self.contrast(x)
        self.log("nt_xent", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("nt_xent_val", self.contrast(batch[0]))

    def contrast(self, x: Tensor) -> Tensor:
        code = torch.cat([self(self.view(x)), self(self.view(x))])
        alike = (code @ code.T / 0.2).fill_diagonal_(-1e4)
        other = torch.arange(len(code), device=x.device).roll(len(x))
        return F.cross_entropy(alike, other)

    def view(self, x: Tensor) -> Tensor:
        size = 0.8 + 0.4 * torch.rand(len(x), 1, device=x.device)
        kept = torch.rand(len(x), 40, device=x.device) > 0.15
        return size * x * kept + 0.3 * torch.randn_like(x)


def contrasted() -> Program:
    data = consultant.signatures()
    module = Contrasted()
    train = DataLoader(TensorDataset(data.x), 96, shuffle=True, drop_last=True)
    test = DataLoader(TensorDataset(data.x_test), 96, drop_last=True)
    return Program(module, train, test, 60, partial(verified, module, data))


class Reservoir(LightningModule):
    """A recurrent net that stays as it was drawn; only what reads its states is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, 160, batch_first=True).requires_grad_(False)
        recurrent = torch.randn(160, 160)
        self.rnn.weight_hh_l0.copy_(0.95 * recurrent / torch.linalg.eigvals(recurrent).abs().max())
        nn.init.uniform_(self.rnn.weight_ih_l0, -0.4, 0.4)
        self.read = nn.Linear(160, 1)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            states = self.rnn(x)[0][:, -1]
        found: Tensor = self.read(states)
        return found.squeeze(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("readout_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("readout_mse_val", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        trained = [p for p in self.parameters() if p.requires_grad]
        return torch.optim.Adam(trained, lr=3e-3)


def reservoir() -> Program:
    data = consultant.sensors()
    module = Reservoir()
    return Program(module, *loaders(data, 16), 11, partial(r2, module, data))


@dataclass
class Window:
    """A batch of what was measured, and what was measured later."""

    past: Tensor
    later: Tensor


def windows(rows: list[tuple[Tensor, Tensor]]) -> Window:
    past, later = zip(*rows, strict=True)
    return Window(torch.stack(past), torch.stack(later))


class Warm(LightningModule):
    """An LSTM whose rate rises for a third of the training, then falls; nothing is held out."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.lstm = nn.LSTM(3, 32, num_layers=2, batch_first=True, dropout=0.1)
        self.out = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x[:, -1, :1] + self.out(self.lstm(x)[0][:, -1])
        return found.squeeze(1)

    def training_step(self, batch: Window, batch_idx: int) -> Tensor:
        loss = F.smooth_l1_loss(self(batch.past), batch.later)
        self.log("forecast_loss", loss, batch_size=len(batch.later))
        return loss

    def rate(self, step: int) -> float:
        warm = self.steps / 3
        return (step + 1) / warm if step < warm else max(0.02, 1.5 * (1 - step / self.steps))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def warm() -> Program:
    data = consultant.sensors(32)
    train = DataLoader(
        TensorDataset(data.x, data.y), 32, shuffle=True, collate_fn=windows, drop_last=True
    )
    module = Warm(len(train) * 9)
    options = {"gradient_clip_val": 0.5}
    return Program(module, train, None, 9, partial(r2, module, data), options)


class TwoHeads(LightningModule):
    """Where and how a bar lies; the net learns how much each of the two is to count."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.SiLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1), nn.SiLU(), nn.Flatten(),
        )  # fmt: skip
        self.place, self.angle = nn.Linear(24 * 36, 2), nn.Linear(24 * 36, 2)
        self.log_variance = nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        h = self.trunk(x)
        return torch.cat([self.place(h), self.angle(h)], 1)

    def weighted(self, batch: list[Tensor], stage: str) -> Tensor:
        x, y = batch
        off = (self(x) - y).square()
        both = torch.stack([off[:, :2].mean(), off[:, 2:].mean()])
        loss = (torch.exp(-self.log_variance) * both + self.log_variance).sum()
        self.log(f"{stage}_total", loss)
        self.log_dict({f"{stage}_place": both[0], f"{stage}_angle": both[1]})
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.weighted(batch, "fit")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.weighted(batch, "check")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = [
            {"params": [p for n, p in self.named_parameters() if n != "log_variance"]},
            {"params": [self.log_variance], "lr": 0.01},
        ]
        return torch.optim.Adam(groups, lr=1e-3)


def two_heads() -> Program:
    data = consultant.poses()
    module = TwoHeads()
    return Program(module, *loaders(data, 32), 10, partial(r2, module, data))


CASES = (
    Case("letters-with-smoothed-targets", Goal("nats", at_most=1.3), letters),
    Case("defects-by-averaged-weights", Goal("accuracy", at_least=0.9), averaged),
    Case("digits-moved-covered-and-mixed", Goal("accuracy", at_least=0.92), distorted),
    Case("cells-two-a-batch-eight-a-step", Goal("IoU", at_least=0.65), cells),
    Case("signatures-in-hard-triplets", Goal("AUROC", at_least=0.93), triplets),
    Case("signatures-contrasted-unlabelled", Goal("AUROC", at_least=0.93), contrasted),
    Case("sensors-read-off-a-reservoir", Goal("R2", at_least=0.65), reservoir),
    Case("sensors-warmed-up-for-a-third", Goal("R2", at_least=0.8), warm),
    Case("bars-two-heads-weigh-themselves", Goal("R2", at_least=0.85), two_heads),
)

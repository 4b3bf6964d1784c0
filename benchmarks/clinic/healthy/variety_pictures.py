"""Small pictures: without labels, with soft ones, with few, in pieces, and in few bits."""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets.samples import digit_images, loaders
from lightning.pytorch import LightningModule
from modules import mlp
from scores import accuracy, outputs
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def shifted(x: Tensor, most: int = 1) -> Tensor:
    """Each picture moved by up to a pixel or more, and a little louder or quieter."""
    padded = F.pad(x, (most,) * 4)
    rows = torch.randint(2 * most + 1, (len(x), 1)) + torch.arange(x.shape[2])
    columns = torch.randint(2 * most + 1, (len(x), 1)) + torch.arange(x.shape[3])
    moved = padded[torch.arange(len(x))[:, None, None], :, rows[:, :, None], columns[:, None]]
    return moved.permute(0, 3, 1, 2) * (0.8 + 0.4 * torch.rand(len(x), 1, 1, 1))


def convolutions(width: int = 24, out: int = 10) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(8 * width, out),
    )  # fmt: skip


class TwoViews(LightningModule):
    """SimCLR: two views of a digit find each other; the projection is thrown away."""

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = temperature
        self.encoder = convolutions(24, 64)
        self.projection = nn.Sequential(nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))

    def forward(self, x: Tensor) -> Tensor:
        code: Tensor = self.encoder(x)
        return code

    def view(self, x: Tensor) -> Tensor:
        keep = (torch.rand(len(x), 1, 4, 4) > 0.15).float().repeat_interleave(2, 2)
        moved = shifted(x) * keep.repeat_interleave(2, 3)
        return self.projection(self(moved + 0.1 * torch.randn_like(x)))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x = batch[0]
        z = F.normalize(torch.cat([self.view(x), self.view(x)]), dim=1)
        itself = torch.eye(len(z), dtype=torch.bool)
        logits = (z @ z.T / self.temperature).masked_fill(itself, -1e9)
        loss = F.cross_entropy(logits, torch.arange(len(z)).roll(len(x)))
        self.log("nt_xent", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=1e-4)


def two_views() -> Program:
    data = digit_images()
    module = TwoViews()

    def score() -> float:
        """Of a linear classifier on the codes."""
        probe = LogisticRegression(max_iter=2000).fit(outputs(module, data.x), data.y)
        return float(probe.score(outputs(module, data.x_test), data.y_test))

    train = DataLoader(TensorDataset(data.x), 128, shuffle=True, drop_last=True)
    return Program(module, train, None, 40, score)


class Pupil(LightningModule):
    """Hinton et al.: a small dense network learns what a trained one thinks of each digit."""

    def __init__(self, teacher: nn.Module, warmth: float = 3.0) -> None:
        super().__init__()
        self.teacher = teacher.eval().requires_grad_(False)
        self.warmth = warmth
        self.student = nn.Sequential(nn.Flatten(), *mlp([64, 64, 10]))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.student(x)
        return logits

    def on_train_epoch_start(self) -> None:
        self.teacher.eval()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        logits, taught = self(x), self.teacher(x)
        soft = F.kl_div(
            (logits / self.warmth).log_softmax(1), (taught / self.warmth).softmax(1),
            reduction="batchmean",
        )  # fmt: skip
        hard = F.cross_entropy(logits, y)
        self.log_dict({"soft": soft, "hard": hard})
        return 0.3 * hard + 0.7 * self.warmth**2 * soft

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.student.parameters(), lr=2e-3)


def pupil() -> Program:
    data = digit_images()
    teacher = convolutions()
    optimizer = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    for _ in range(12):
        for rows in torch.randperm(len(data.x)).split(64):
            optimizer.zero_grad()
            F.cross_entropy(teacher(shifted(data.x[rows])), data.y[rows]).backward()
            optimizer.step()
    module = Pupil(teacher)
    return Program(module, *loaders(data, 32), 25, lambda: accuracy(module, data))


class MixedUp(LightningModule):
    """Mixed pictures, smoothed labels, and a rate that goes up and down three times."""

    def __init__(self) -> None:
        super().__init__()
        self.net = convolutions()
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
        self.beta = torch.distributions.Beta(0.4, 0.4)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        share, other = self.beta.sample(), torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[other])
        loss = share * self.criterion(logits, y) + (1 - share) * self.criterion(logits, y[other])
        self.log("train/mixed", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val/nll", F.cross_entropy(logits, batch[1]))
        self.log("val/acc", (logits.argmax(1) == batch[1]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9, nesterov=True)
        cycle = torch.optim.lr_scheduler.CyclicLR(
            optimizer, 0.005, 0.05, step_size_up=int(self.trainer.estimated_stepping_batches) // 6,
            mode="triangular2", cycle_momentum=False,
        )  # fmt: skip
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


def mixed_up() -> Program:
    data = digit_images()
    module = MixedUp()
    return Program(module, *loaders(data, 32), 18, lambda: accuracy(module, data))


def cells(count: int, seed: int, size: int = 24) -> tuple[Tensor, Tensor]:
    """Two to five round cells on an uneven ground, among fibres as bright as they are."""
    g = torch.Generator().manual_seed(seed)
    grid = torch.linspace(0, 1, size)
    v, u = torch.meshgrid(grid, grid, indexing="ij")
    pictures, masks = [], []
    for _ in range(count):
        a, b, c = (2 * torch.rand(3, generator=g) - 1).tolist()
        picture = 0.3 * (a * u + b * v)
        fibre = ((u - 0.5 + 0.5 * c + 0.6 * a * v).abs() < 0.03).float()
        mask = torch.zeros(size, size)
        for _ in range(int(torch.randint(2, 6, (), generator=g))):
            x, y, r = torch.rand(3, generator=g).tolist()
            mask = torch.maximum(
                mask, ((u - x) ** 2 + (v - y) ** 2 < (0.08 + 0.08 * r) ** 2).float()
            )
        picture = picture + torch.maximum(mask, fibre) + 0.25 * torch.randn(size, size, generator=g)
        pictures.append(picture)
        masks.append(mask)
    return torch.stack(pictures)[:, None], torch.stack(masks)[:, None]


def double(before: int, after: int) -> nn.Sequential:
    layers = []
    for a in (before, after):
        layers += [nn.Conv2d(a, after, 3, padding=1), nn.GroupNorm(4, after), nn.ReLU()]
    return nn.Sequential(*layers)


class Outlines(LightningModule):
    """A U-Net of three levels; cross-entropy and Dice together."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.down1, self.down2 = double(1, width), double(width, 2 * width)
        self.bottom = double(2 * width, 4 * width)
        self.up2, self.up1 = double(6 * width, 2 * width), double(3 * width, width)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(F.max_pool2d(first, 2))
        h = self.bottom(F.max_pool2d(second, 2))
        h = self.up2(torch.cat([F.interpolate(h, scale_factor=2.0), second], 1))
        h = self.up1(torch.cat([F.interpolate(h, scale_factor=2.0), first], 1))
        logits: Tensor = self.head(h)
        return logits

    @staticmethod
    def dice(logits: Tensor, mask: Tensor) -> Tensor:
        p = logits.sigmoid()
        return (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        logits = self(batch[0])
        bce = F.binary_cross_entropy_with_logits(logits, batch[1])
        dice = self.dice(logits, batch[1])
        self.log_dict({"bce": bce, "dice": dice}, prog_bar=True)
        return bce + 1 - dice

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_dice", self.dice(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def outlines(module: LightningModule | None = None) -> Program:
    module = module or Outlines()
    train, test = TensorDataset(*cells(320, 0)), TensorDataset(*cells(80, 1))

    def score() -> float:
        """Intersection over union."""
        x, mask = test.tensors
        found = outputs(module, x) > 0
        return ((found & (mask > 0)).sum() / (found | (mask > 0)).sum()).item()

    return Program(module, DataLoader(train, 16, shuffle=True), DataLoader(test, 40), 14, score)


class OddOnesOut(LightningModule):
    """An autoencoder of sound parts; what it cannot rebuild is none."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.SiLU(),
            nn.Conv2d(16, 24, 3, stride=2, padding=1), nn.SiLU(), nn.Flatten(), nn.Linear(96, 8),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(8, 96), nn.SiLU(), nn.Unflatten(1, (24, 2, 2)),
            nn.ConvTranspose2d(24, 16, 4, stride=2, padding=1), nn.SiLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """How badly each is rebuilt."""
        return (self.decoder(self.encoder(x)) - x).square().flatten(1).mean(1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self(batch[0]).mean()

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("rebuilt_val", self(batch[0]).mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def odd_ones_out() -> Program:
    """Zeros, twos and sixes are known; any other digit is odd."""
    data = digit_images()
    known = torch.tensor([0, 2, 6])
    mine = torch.isin(data.y, known)
    also = torch.isin(data.y_test, known)
    module = OddOnesOut()

    def score() -> float:
        return float(roc_auc_score(~also, outputs(module, data.x_test)))

    train = DataLoader(TensorDataset(data.x[mine]), 32, shuffle=True)
    return Program(module, train, DataLoader(TensorDataset(data.x_test[also]), 64), 60, score)


class Rounded(torch.autograd.Function):
    """Rounds to whole numbers; gradients pass as if it did not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class FewBits(nn.Conv2d):
    """Weights of four bits, a scale to each filter."""

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight.detach().abs().amax((1, 2, 3), keepdim=True) / 7
        weight = Rounded.apply(self.weight / scale) * scale
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class ForTheChip(LightningModule):
    """Trained as it will be stored."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = FewBits(1, 16, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(16), nn.BatchNorm2d(32)
        self.conv2 = FewBits(16, 32, 3, padding=1)
        self.fc = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        h = F.max_pool2d(F.relu6(self.bn1(self.conv1(x))), 2)
        h = F.max_pool2d(F.relu6(self.bn2(self.conv2(h))), 2)
        h = Rounded.apply(h * 2.5) / 2.5
        logits: Tensor = self.fc(h.flatten(1))
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        logits = self(shifted(batch[0]))
        loss = F.cross_entropy(logits, batch[1])
        self.log("loss", loss)
        self.log("acc", (logits.argmax(1) == batch[1]).float().mean())
        return {"loss": loss}

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=3e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 24)]


def for_the_chip() -> Program:
    data = digit_images()
    module = ForTheChip()
    return Program(module, loaders(data, 32)[0], None, 24, lambda: accuracy(module, data))


class MeanTeacher(LightningModule):
    """Tarvainen and Valpola: a hundred labels; for all other digits a slow average is asked."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.unlabelled = x
        self.student = convolutions()
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.teacher(x)
        return logits

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        more = self.unlabelled[torch.randint(len(self.unlabelled), (96,))]
        both = torch.cat([shifted(x), shifted(more)])
        logits = self.student(both)
        with torch.no_grad():
            taught = self.teacher(torch.cat([shifted(x), shifted(more)])).softmax(1)
        supervised = F.cross_entropy(logits[: len(x)], y)
        consistent = (logits.softmax(1) - taught).square().sum(1).mean()
        ramp = min(1.0, self.global_step / 300)
        self.log_dict({"supervised": supervised, "consistent": consistent, "ramp": ramp})
        return supervised + 4 * ramp * consistent

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        decay = min(0.99, 1 - 1 / (self.global_step + 1))
        for slow, quick in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            slow.data.lerp_(quick.data, 1 - decay)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_acc_teacher", (self(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.student.parameters(), lr=1e-3)


def mean_teacher() -> Program:
    data = digit_images()
    module = MeanTeacher(data.x)
    few = TensorDataset(data.x[:100], data.y[:100])
    draw = torch.utils.data.RandomSampler(few, replacement=True, num_samples=1280)
    train, test = DataLoader(few, 32, sampler=draw), loaders(data, 64)[1]
    return Program(module, train, test, 18, lambda: accuracy(module, data))


CASES = (
    Case("two-moved-views-then-a-linear-probe", Goal("accuracy", at_least=0.93), two_views),
    Case("small-pupil-of-a-convolving-teacher", Goal("accuracy", at_least=0.93), pupil),
    Case("mixed-smoothed-rate-up-and-down-thrice", Goal("accuracy", at_least=0.96), mixed_up),
    Case("round-cells-among-bright-fibres", Goal("IoU", at_least=0.9), outlines),
    Case("digits-other-than-three-known-ones", Goal("AUC", at_least=0.9), odd_ones_out),
    Case("digits-for-a-chip-of-four-bits", Goal("accuracy", at_least=0.95), for_the_chip),
    Case("a-hundred-labels-and-a-slow-average", Goal("accuracy", at_least=0.9), mean_teacher),
)

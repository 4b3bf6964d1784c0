"""A third examiner's controls: trainings of many kinds, each as its author would have it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples
from data_sets.examiner_third import demand, mixed_up_rings, notes, rare, returns, ring_points
from data_sets.samples import Samples, loaders, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class WineNet(LightningModule):
    """A plain network, two bottles at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2 = nn.Linear(13, 32), nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.l2(torch.tanh(self.l1(x)))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_acc", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=5e-3, momentum=0.9)


def wine_by_twos() -> Program:
    module, data = WineNet(), standardized(samples.wine())
    return Program(module, *loaders(data, 2), 15, partial(accuracy, module, data))


class Block(nn.Module):
    """Adds to its input what it finds, which at first is nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.fc1 = nn.LayerNorm(width), nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.fc2(F.relu(self.fc1(self.norm(x))))
        return out


class DeepResidual(LightningModule):
    """Sixteen residual blocks, the last layer of each at zero."""

    def __init__(self, blocks: int = 16, width: int = 64) -> None:
        super().__init__()
        self.stem = nn.Linear(64, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.stem(x)))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4)


def deep_residual() -> Program:
    module, data = DeepResidual(), samples.digits()
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class Backbone(nn.Module):
    """Convolutions with norms and a mean over places."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24)
        self.conv2, self.bn2 = nn.Conv2d(24, 48, 3, padding=1), nn.BatchNorm2d(48)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return x.flatten(1)


def pretrained(data: Samples, steps: int = 250) -> Backbone:
    """A backbone that has learned to tell the digits from 0 to 4."""
    backbone, head = Backbone(), nn.Linear(192, 5)
    optimizer = torch.optim.Adam([*backbone.parameters(), *head.parameters()], lr=2e-3)
    few = data.y < 5
    x, y = data.x[few], data.y[few]
    for _ in range(steps):
        i = torch.randint(len(y), (32,))
        optimizer.zero_grad()
        F.cross_entropy(head(backbone(x[i])), y[i]).backward()
        optimizer.step()
    return backbone


class FineTuner(LightningModule):
    """A new head on a backbone that stays as it is, its norms too."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        for p in self.backbone.parameters():
            p.requires_grad = False
        self.head = nn.Sequential(nn.Linear(192, 32), nn.ReLU(), nn.Linear(32, 5))

    def on_train_epoch_start(self) -> None:
        self.backbone.eval()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(x))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam((p for p in self.parameters() if p.requires_grad), lr=2e-3)


def fine_tuned() -> Program:
    data = samples.digit_images()
    module = FineTuner(pretrained(data))
    few, few_test = data.y > 4, data.y_test > 4
    other = Samples(
        data.x[few][:250], data.y[few][:250] - 5, data.x_test[few_test], data.y_test[few_test] - 5
    )
    return Program(module, *loaders(other, 16), 25, partial(accuracy, module, other))


class Augmented(Dataset[tuple[Tensor, Tensor]]):
    """Pictures moved by up to a pixel, half hidden by a square, and noisy."""

    def __init__(self, data: Samples) -> None:
        self.x, self.y = data.x, data.y

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        x = F.pad(self.x[i], (1, 1, 1, 1))
        top, left = torch.randint(3, (2,)).tolist()
        x = x[:, top : top + 8, left : left + 8].clone()
        top, left = torch.randint(6, (2,)).tolist()
        x[:, top : top + 3, left : left + 3] = 0.5
        return x + 0.2 * torch.randn_like(x), self.y[i]


class AugmentedNet(LightningModule):
    """Whose training pictures are harder than those it is validated with."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.net = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(192, 10),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=4e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=self.steps)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }  # fmt: skip


def augmented() -> Program:
    data = samples.digit_images()
    train = DataLoader(Augmented(data), 32, shuffle=True)
    _, test = loaders(data, 32)
    module = AugmentedNet(18 * len(train))
    return Program(module, train, test, 18, partial(accuracy, module, data))


class MixUp(LightningModule):
    """Trains with sums of two pictures and of their smoothed labels."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs
        self.net = nn.Sequential(
            nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
        )
        self.share = torch.distributions.Beta(0.8, 0.8)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        share, other = self.share.sample(), torch.randperm(len(x))
        logits = self(share * x + (1 - share) * x[other])
        first = F.cross_entropy(logits, y, label_smoothing=0.1)
        second = F.cross_entropy(logits, y[other], label_smoothing=0.1)
        loss = share * first + (1 - share) * second
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.epochs)]


def mixed() -> Program:
    module, data = MixUp(20), samples.digits()
    return Program(module, *loaders(data, 64), 20, partial(accuracy, module, data))


@dataclass
class NoteBatch:
    """Word numbers, where they end, and what kind of note it is."""

    ids: Tensor
    padding: Tensor
    kind: Tensor


def collate(rows: list[tuple[Tensor, Tensor]]) -> NoteBatch:
    ids = torch.stack([x for x, _ in rows])
    return NoteBatch(ids, ids == 0, torch.stack([y for _, y in rows]))


class NoteEncoder(LightningModule):
    """Attention over padded notes, its rate warmed up and let down again."""

    def __init__(self, warm: int, steps: int) -> None:
        super().__init__()
        self.warm, self.steps = warm, steps
        self.embed = nn.Embedding(60, 32, padding_idx=0)
        self.place = nn.Embedding(14, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.1, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, 3)

    def forward(self, ids: Tensor) -> Tensor:
        padding = ids == 0
        hidden = self.embed(ids) + self.place(torch.arange(ids.shape[1], device=ids.device))
        hidden = self.encoder(hidden, src_key_padding_mask=padding)
        kept = (~padding)[..., None].float()
        logits: Tensor = self.head((hidden * kept).sum(1) / kept.sum(1))
        return logits

    def training_step(self, batch: NoteBatch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch.ids), batch.kind)
        self.log("train_loss", loss, batch_size=len(batch.kind))
        return loss

    def validation_step(self, batch: NoteBatch, batch_idx: int) -> None:
        right = self(batch.ids).argmax(-1) == batch.kind
        self.log("val_acc", right.float().mean(), batch_size=len(right))

    def rate(self, step: int) -> float:
        if step < self.warm:
            return (step + 1) / self.warm
        return max(0.02, 1 - (step - self.warm) / (self.steps - self.warm))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def warmed_up() -> Program:
    data = notes()
    train, test = (
        DataLoader(TensorDataset(x, y), 32, shuffle=shuffled, collate_fn=collate)
        for x, y, shuffled in ((data.x, data.y, True), (data.x_test, data.y_test, False))
    )
    module = NoteEncoder(100, 12 * len(train))
    return Program(module, train, test, 12, partial(accuracy, module, data))


class RingGan(LightningModule):
    """A generator of points on a ring against a critic, each with its own optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator = nn.Sequential(
            nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
        )
        self.critic = nn.Sequential(
            nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2),
            nn.Linear(64, 1),
        )  # fmt: skip

    def forward(self, z: Tensor) -> Tensor:
        points: Tensor = self.generator(z)
        return points

    def training_step(self, batch: Any, batch_idx: int) -> None:
        (real,) = batch
        optimizers: Any = self.optimizers()
        first, second = optimizers
        fake = self(torch.randn(len(real), 4))
        critic = F.softplus(-self.critic(real)) + F.softplus(self.critic(fake.detach()))
        second.zero_grad()
        self.manual_backward(critic.mean())
        second.step()
        self.toggle_optimizer(first)
        generator = F.softplus(-self.critic(fake)).mean()
        first.zero_grad()
        self.manual_backward(generator)
        first.step()
        self.untoggle_optimizer(first)
        self.log_dict({"d_loss": critic.mean(), "g_loss": generator})

    def configure_optimizers(self) -> Any:
        first = torch.optim.Adam(self.generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
        second = torch.optim.Adam(self.critic.parameters(), lr=2e-3, betas=(0.5, 0.99))
        return [first, second], []


@torch.no_grad()
def energy_distance(module: LightningModule) -> float:
    """How far the made points lie from real ones, by the distances within and between."""
    module.eval()
    generator = torch.Generator().manual_seed(5)
    real = ring_points(600, generator)
    fake = module(torch.randn(600, 4, generator=generator))
    between = torch.cdist(real, fake).mean()
    return (2 * between - torch.cdist(real, real).mean() - torch.cdist(fake, fake).mean()).item()


def ring_gan() -> Program:
    module = RingGan()
    points = ring_points(3200, torch.Generator().manual_seed(4))
    train = DataLoader(TensorDataset(points), 64, shuffle=True)
    return Program(module, train, None, 30, partial(energy_distance, module))


class DigitVae(LightningModule):
    """A code of eight numbers with a deviation each, and a penalty that is let in slowly."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.ELU(), nn.Linear(96, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 96), nn.ELU(), nn.Linear(96, 64))

    def forward(self, x: Tensor) -> Tensor:
        mean, _ = self.encoder(x).chunk(2, 1)
        return torch.sigmoid(self.decoder(mean))

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, _ = batch
        mean, log_var = self.encoder(x).chunk(2, 1)
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        told = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="none").sum(1)
        kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1)
        loss = (told + min(1.0, self.global_step / 300) * kl).mean()
        self.log_dict({"elbo": loss, "kl": kl.mean()})
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def digit_vae() -> Program:
    module, data = DigitVae(), samples.digits()
    train, _ = loaders(data, 32)
    pixels = data._replace(y_test=data.x_test)
    return Program(module, train, None, 25, partial(r2, module, pixels))


class Demand(LightningModule):
    """Megawatts as they are: the last layer begins at their mean, and is scaled to their spread."""

    def __init__(self, mean: float, spread: float) -> None:
        super().__init__()
        self.mean, self.spread = mean, spread
        self.net = nn.Sequential(
            nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return self.mean + self.spread * out[:, 0]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_mse", loss)
        self.log("train_rmse", loss.sqrt())
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_mae", F.l1_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def megawatts() -> Program:
    data = demand()
    module = Demand(data.y.mean().item(), data.y.std().item())
    return Program(module, *loaders(data, 32), 15, partial(r2, module, data))


class ManyKinds(LightningModule):
    """Two hundred classes by the angle to each one's direction."""

    def __init__(self, classes: int = 200) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 64))
        self.directions = nn.Parameter(torch.randn(classes, 64))

    def forward(self, x: Tensor) -> Tensor:
        angles = F.normalize(self.body(x), dim=1) @ F.normalize(self.directions, dim=1).T
        return 16.0 * angles

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_top5", (logits.topk(5).indices == y[:, None]).any(1).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def two_hundred() -> Program:
    module, data = ManyKinds(), samples.clusters(200)
    return Program(module, *loaders(data, 64), 15, partial(accuracy, module, data))


class WaveLstm(LightningModule):
    """A bidirectional LSTM in two layers, its gradients clipped by the Trainer."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, 24, 2, batch_first=True, bidirectional=True, dropout=0.1)
        self.head = nn.Linear(48, 4)
        for name, p in self.lstm.named_parameters():
            if "weight_hh" in name:
                nn.init.orthogonal_(p)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.lstm(x)
        logits: Tensor = self.head(states.amax(1))
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def wave_lstm() -> Program:
    module, data = WaveLstm(), samples.waves()
    trainer = {"gradient_clip_val": 0.5}
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data), trainer)


class RareButClear(LightningModule):
    """One machine in twenty-five breaks, and its readings show it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.05)


def rare_but_clear() -> Program:
    module, data = RareButClear(), rare(5.0)
    return Program(module, *loaders(data, 64), 15, partial(balanced_accuracy, module, data))


class ReturnModel(LightningModule):
    """A return of which most is chance, and stays so."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(12, 32), nn.Linear(32, 1)])
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers[1](self.drop(F.relu(self.layers[0](x))))
        return out.squeeze(1)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.mse_loss(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)


def noisy_returns() -> Program:
    module, data = ReturnModel(), returns()
    return Program(module, *loaders(data, 64), 8, partial(r2, module, data))


class SelfNormal(LightningModule):
    """Ten layers of SELUs, whose first weights keep what goes through them at variance 1."""

    def __init__(self, depth: int = 10, width: int = 48) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(depth):
            linear = nn.Linear(5 if i == 0 else width, width)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="linear")
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.SELU()]
        self.net = nn.Sequential(*layers, nn.Linear(width, 2))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Tensor]:
        x, y = batch
        logits = self(x)
        loss = F.cross_entropy(logits, y)
        self.log("train_acc", (logits.argmax(1) == y).float().mean())
        return {"loss": loss, "logits": logits.detach()}

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        x, y = batch
        self.log("val_loss", F.cross_entropy(self(x), y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=1e-3)


def self_normal() -> Program:
    module, data = SelfNormal(), standardized(mixed_up_rings())
    return Program(module, *loaders(data, 32), 15, partial(accuracy, module, data))


DIGITS = Goal("accuracy", at_least=0.93)
CASES = (
    Case("wine-bottles-by-twos", Goal("accuracy", at_least=0.92), wine_by_twos),
    Case("digits-sixteen-blocks-from-nothing", Goal("accuracy", at_least=0.91), deep_residual),
    Case("digit-images-new-head-for-five", DIGITS, fine_tuned),
    Case("digit-images-moved-hidden-noisy", Goal("accuracy", at_least=0.92), augmented),
    Case("digits-summed-in-pairs", DIGITS, mixed),
    Case("notes-attention-warmed-up", Goal("accuracy", at_least=0.88), warmed_up),
    Case("ring-points-made-against-a-critic", Goal("energy distance", at_most=0.05), ring_gan),
    Case("digits-eight-numbers-with-deviations", Goal("R2", at_least=0.55), digit_vae),
    Case("megawatts-as-they-are", Goal("R2", at_least=0.9), megawatts),
    Case("two-hundred-kinds-by-angles", Goal("accuracy", at_least=0.85), two_hundred),
    Case("waves-two-ways-clipped", Goal("accuracy", at_least=0.9), wave_lstm),
    Case("machines-that-break-visibly", Goal("balanced accuracy", at_least=0.9), rare_but_clear),
    Case("returns-mostly-chance", Goal("R2", at_least=0.06), noisy_returns),
    Case("rings-ten-selu-layers", Goal("accuracy", at_least=0.95), self_normal),
)

"""Sound trainings of a course that look odd at first: pictures, graphs, sets and letters."""

import copy
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, tutor
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, found_finite, outputs
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class WarmViT(LightningModule):
    """Patches of four pixels; a fifth of the steps to warm up, then a cosine."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.patch = nn.Linear(4, width)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, 17, width))
        layer = nn.TransformerEncoderLayer(
            width, 4, 64, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        patches = x.unfold(2, 2, 2).unfold(3, 2, 2).reshape(len(x), 16, 4)
        tokens = torch.cat([self.cls.expand(len(x), -1, -1), self.patch(patches)], 1)
        return self.head(self.encoder(tokens + self.position)[:, 0])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        x = x + 0.1 * torch.randn_like(x)
        loss = F.cross_entropy(self(x), y, label_smoothing=0.1)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_acc", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 3e-3, int(self.trainer.estimated_stepping_batches), pct_start=0.2
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def warm_vit() -> Program:
    data = samples.digit_images()
    module = WarmViT()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class LinearProbe(LightningModule):
    """What an autoencoder has learnt from all pictures, frozen, and a linear layer on top."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        for parameter in self.encoder.parameters():
            parameter.requires_grad = False
        self.probe = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.probe(self.encoder(x))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("probe_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("probe_acc", (self(x).argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.probe.parameters(), lr=1e-2)


def linear_probe() -> Program:
    data = samples.digits()
    encoder = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU())
    decoder = nn.Sequential(nn.Linear(48, 96), nn.ReLU(), nn.Linear(96, 64))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
    for _ in range(12):
        for rows in torch.randperm(len(data.x)).split(32):
            optimizer.zero_grad()
            noisy = data.x[rows] + 0.2 * torch.randn(len(rows), 64)
            F.mse_loss(decoder(encoder(noisy)), data.x[rows]).backward()
            optimizer.step()
    module = LinearProbe(encoder)
    both = loaders(data.first(400), 20)
    return Program(module, *both, 20, partial(accuracy, module, data))


class TwoViews(LightningModule):
    """Contrast of two strong distortions of a picture with all others of the batch; no labels."""

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.temperature = temperature
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
            nn.Linear(512, 48), nn.ReLU(),
        )  # fmt: skip
        self.projector = nn.Linear(48, 24)

    def forward(self, x: Tensor) -> Tensor:
        return self.backbone(x)  # type: ignore[no-any-return]

    def view(self, x: Tensor) -> Tensor:
        shift = torch.randint(-1, 2, (2,)).tolist()
        x = torch.roll(x, shift, (2, 3)) + 0.15 * torch.randn_like(x)
        keep = (torch.rand(len(x), 1, 4, 4) > 0.1).float()
        return x * F.interpolate(keep, scale_factor=2)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        views = torch.cat([self.view(x), self.view(x)])
        codes = F.normalize(self.projector(self(views)), dim=1)
        likeness = codes @ codes.T / self.temperature
        likeness = likeness.masked_fill(torch.eye(len(codes), dtype=torch.bool), -1e9)
        partner = torch.arange(len(codes)).roll(len(x))
        loss = F.cross_entropy(likeness, partner)
        self.log("nt_xent", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def neighbours(module: LightningModule, data: Samples) -> float:
    """Accuracy of the five nearest by cosine."""
    module.eval()
    with torch.no_grad():
        kept, asked = F.normalize(module(data.x)), F.normalize(module(data.x_test))
    if not found_finite(asked):
        return 0.0
    nearest = (asked @ kept.T).topk(5).indices
    return (data.y[nearest].mode(1).values == data.y_test).float().mean().item()


def two_views() -> Program:
    data = samples.digit_images()
    module = TwoViews()
    train = DataLoader(TensorDataset(data.x), 96, shuffle=True, drop_last=True)
    return Program(module, train, None, 35, partial(neighbours, module, data))


class AveragedGRU(LightningModule):
    """Letters by a GRU; what is validated is a slow average of the weights."""

    def __init__(self, decay: float = 0.98, width: int = 64) -> None:
        super().__init__()
        self.decay = decay
        self.fast = LetterGRU(width)
        self.slow = copy.deepcopy(self.fast).requires_grad_(False)

    def loss(self, text: Tensor) -> Tensor:
        return self.fast.loss(text)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch[0])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss_averaged", self.slow.loss(batch[0]))

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        with torch.no_grad():
            for slow, fast in zip(self.slow.parameters(), self.fast.parameters(), strict=True):
                slow.mul_(self.decay).add_(fast, alpha=1 - self.decay)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.fast.parameters(), lr=4e-3)


class LetterGRU(nn.Module):
    """The table that is read is also the last layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.letters = nn.Embedding(len(tutor.LETTERS), width)
        nn.init.normal_(self.letters.weight, std=0.1)
        self.gru = nn.GRU(width, width, batch_first=True)

    def forward(self, text: Tensor) -> Tensor:
        return self.gru(self.letters(text))[0] @ self.letters.weight.T  # type: ignore[no-any-return]

    def loss(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())


def averaged_gru() -> Program:
    text, other = tutor.characters()
    module = AveragedGRU()
    train = DataLoader(TensorDataset(text), 32, shuffle=True)
    validation = DataLoader(TensorDataset(other), 200)

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.slow.loss(other).item()

    trainer = {"gradient_clip_val": 0.5}
    return Program(module, train, validation, 6, score, trainer)


class CitationGCN(LightningModule):
    """Two graph convolutions over all papers at once; one in five has a label."""

    adjacency: Tensor

    def __init__(self, adjacency: Tensor) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        self.first, self.second = nn.Linear(30, 32), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.relu(self.adjacency @ self.first(F.dropout(x, 0.3, self.training)))
        hidden = F.dropout(hidden, 0.5, self.training)
        return self.adjacency @ self.second(hidden)  # type: ignore[no-any-return]

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        known = batch["known"][0]
        logits = self(batch["x"][0])
        loss = F.cross_entropy(logits[known], batch["y"][0][known])
        self.log("loss", loss, batch_size=1)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-2, weight_decay=5e-4)


def citation_gcn() -> Program:
    graph = tutor.citations()
    module = CitationGCN(graph.adjacency)
    whole: Any = [{"x": graph.x, "y": graph.y, "known": graph.known}]

    def score() -> float:
        right = outputs(module, graph.x).argmax(1) == graph.y
        return right[~graph.known].float().mean().item()

    return Program(module, DataLoader(whole, 1), None, 150, score)


class SetAttention(LightningModule):
    """Points that look at each other, without places, pooled by a query that is learnt."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.enter = nn.Linear(2, width)
        self.looks = nn.MultiheadAttention(width, 4, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, width))
        self.query = nn.Parameter(torch.randn(1, 1, width))
        self.pool = nn.MultiheadAttention(width, 4, batch_first=True)
        self.head = nn.Linear(width, 4)

    def forward(self, points: Tensor) -> Tensor:
        x = self.enter(points)
        x = self.norm1(x + self.looks(x, x, x, need_weights=False)[0])
        x = self.norm2(x + self.mlp(x))
        query = self.query.expand(len(x), -1, -1)
        return self.head(self.pool(query, x, x, need_weights=False)[0][:, 0])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        points, form = batch
        loss = F.cross_entropy(self(points[:, torch.randperm(20)[:15]]), form)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.NAdam(self.parameters(), lr=2e-3)


def set_attention() -> Program:
    data = tutor.clouds()
    module = SetAttention()
    return Program(module, *loaders(data, 32), 12, partial(accuracy, module, data))


class DiceUNet(LightningModule):
    """Spots are one pixel in twenty; the loss is one less the overlap."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.enter = self.conv(1, width)
        self.down = self.conv(width, 2 * width)
        self.bottom = self.conv(2 * width, 4 * width)
        self.up = self.conv(6 * width, 2 * width)
        self.leave = self.conv(3 * width, width)
        self.last = nn.Conv2d(width, 1, 1)

    @staticmethod
    def conv(before: int, after: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(4, after), nn.SiLU(),
            nn.Conv2d(after, after, 3, padding=1), nn.GroupNorm(4, after), nn.SiLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        one = self.enter(x)
        two = self.down(F.avg_pool2d(one, 2))
        low = self.bottom(F.avg_pool2d(two, 2))
        two = self.up(torch.cat([F.interpolate(low, scale_factor=2), two], 1))
        one = self.leave(torch.cat([F.interpolate(two, scale_factor=2), one], 1))
        return self.last(one)  # type: ignore[no-any-return]

    def loss(self, batch: list[Tensor]) -> Tensor:
        image, mask = batch
        chance = self(image).sigmoid()
        both = (chance * mask).sum((1, 2, 3))
        return (1 - (2 * both + 1) / (chance.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + 1)).mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("dice_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_dice_loss", self.loss(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dice_unet() -> Program:
    data = tutor.spots()
    module = DiceUNet()

    def dice() -> float:
        said = outputs(module, data.x_test) > 0
        both = (said * data.y_test).sum()
        return (2 * both / (said.sum() + data.y_test.sum())).item()

    return Program(module, *loaders(data, 16), 4, dice)


class MaskedDigits(LightningModule):
    """Half of the pixels are hidden; what was there?"""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(128, 192), nn.GELU(), nn.Linear(192, 192), nn.GELU(), nn.Linear(192, 64)
        )

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        return self.net(torch.cat([x * seen, seen], 1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (x,) = batch
        seen = (torch.rand_like(x) > 0.5).float()
        hidden = 1 - seen
        loss = ((self(x, seen) - x).square() * hidden).sum() / hidden.sum()
        self.log("hidden_mse", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, betas=(0.9, 0.95))


def masked_digits() -> Program:
    data = samples.digits()
    module = MaskedDigits()
    train = DataLoader(TensorDataset(data.x), 64, shuffle=True)

    def score() -> float:
        module.eval()
        draw = torch.Generator().manual_seed(3)
        hidden = (torch.rand(data.x_test.shape, generator=draw) > 0.5).float()
        with torch.no_grad():
            error = ((module(data.x_test, 1 - hidden) - data.x_test).square() * hidden).sum()
        spread = ((data.x_test - data.x.mean(0)).square() * hidden).sum()
        return (1 - error / spread).item()

    return Program(module, train, None, 30, score)


class Reverser(LightningModule):
    """Digits backwards by attention; half of the time it reads what it has said itself."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.embed_in, self.embed_out = nn.Embedding(10, 24), nn.Embedding(11, 24)
        self.encoder = nn.GRU(24, width, batch_first=True, bidirectional=True)
        self.bridge, self.keys = nn.Linear(2 * width, width), nn.Linear(2 * width, width)
        self.cell, self.head = nn.GRUCell(24, width), nn.Linear(3 * width, 10)

    def forward(self, source: Tensor, target: Tensor | None = None) -> Tensor:
        memory, state = self.encoder(self.embed_in(source))
        hidden = torch.tanh(self.bridge(torch.cat([state[0], state[1]], 1)))
        keys = self.keys(memory)
        word = torch.full_like(source[:, 0], tutor.START)
        said = []
        for place in range(source.shape[1]):
            hidden = self.cell(self.embed_out(word), hidden)
            weights = (keys @ hidden[..., None]).softmax(1)
            found = (weights * memory).sum(1)
            said.append(self.head(torch.cat([hidden, found], 1)))
            word = said[-1].argmax(1)
            if target is not None:
                word = torch.where(torch.rand(len(word)) < 0.5, target[:, place], word)
        return torch.stack(said, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        source, target = batch
        loss = F.cross_entropy(self(source, target).flatten(0, 1), target.flatten())
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        source, target = batch
        self.log("val_acc", (self(source).argmax(2) == target).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


def own_words() -> Program:
    data = tutor.reversals()
    module = Reverser()
    trainer = {"gradient_clip_val": 1.0}
    return Program(module, *loaders(data, 32), 8, partial(accuracy, module, data), trainer)


class Neighbours(LightningModule):
    """Triplets of digits, the hardest of a batch; the loss hangs about the margin for long."""

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin
        self.net = nn.Sequential(
            nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 24)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.net(x), dim=1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        codes = self(x)
        distance = 2 - 2 * codes @ codes.T
        same = y[:, None] == y
        near = distance.masked_fill(~same, -1e9).amax(1)
        far = distance.masked_fill(same, 1e9).amin(1)
        loss = F.relu(near - far + self.margin).mean()
        self.log("triplet", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def hard_triplets() -> Program:
    data = samples.digits()
    module = Neighbours()
    train = DataLoader(TensorDataset(data.x, data.y), 64, shuffle=True, drop_last=True)
    return Program(module, train, None, 20, partial(neighbours, module, data))


CASES = (
    Case("tutor-vit-digits-warmed-up", Goal("accuracy", at_least=0.85), warm_vit),
    Case("tutor-digits-probe-of-frozen-codes", Goal("accuracy", at_least=0.88), linear_probe),
    Case("tutor-digits-two-distorted-views", Goal("accuracy", at_least=0.9), two_views),
    Case("tutor-letters-averaged-tied-gru", Goal("cross-entropy", at_most=2.0), averaged_gru),
    Case("tutor-citations-all-at-once", Goal("accuracy", at_least=0.85), citation_gcn),
    Case("tutor-point-sets-attended", Goal("accuracy", at_least=0.93), set_attention),
    Case("tutor-unet-spots-dice-loss", Goal("Dice", at_least=0.85), dice_unet),
    Case("tutor-digits-half-hidden", Goal("R2", at_least=0.4), masked_digits),
    Case("tutor-reversal-half-own-words", Goal("accuracy", at_least=0.9), own_words),
    Case("tutor-digits-hardest-triplets", Goal("accuracy", at_least=0.95), hard_triplets),
)

"""Training scripts as coding assistants write them when they are asked to, as they should be."""

import math
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import assistants
from data_sets.assistants import Graphs, Records
from data_sets.samples import Samples, digit_images, digits, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batch = dict[str, Tensor]


def both(train: Records, test: Records, batch_size: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
    return DataLoader(train, batch_size, shuffle=True), DataLoader(test, 250)


class MixerBlock(nn.Module):
    """Token mixing followed by channel mixing, both with pre-normalization."""

    def __init__(self, num_patches: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.token_norm, self.channel_norm = nn.LayerNorm(hidden_dim), nn.LayerNorm(hidden_dim)
        self.token_mlp = nn.Sequential(
            nn.Linear(num_patches, 32), nn.GELU(), nn.Linear(32, num_patches)
        )
        self.channel_mlp = nn.Sequential(
            nn.Linear(hidden_dim, 2 * hidden_dim), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(2 * hidden_dim, hidden_dim),
        )  # fmt: skip

    def forward(self, tokens: Tensor) -> Tensor:
        mixed = self.token_mlp(self.token_norm(tokens).transpose(1, 2)).transpose(1, 2)
        tokens = tokens + mixed
        return tokens + self.channel_mlp(self.channel_norm(tokens))  # type: ignore[no-any-return]


class PatchMixerClassifier(LightningModule):
    """MLP-Mixer with label smoothing, AdamW and a cosine schedule."""

    def __init__(
        self,
        patch_size: int = 2,
        hidden_dim: int = 40,
        num_layers: int = 2,
        num_classes: int = 10,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.1,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.patch_embedding = nn.Conv2d(1, hidden_dim, patch_size, patch_size)
        num_patches = (8 // patch_size) ** 2
        self.blocks = nn.Sequential(
            *(MixerBlock(num_patches, hidden_dim, 0.1) for _ in range(num_layers))
        )
        self.norm = nn.LayerNorm(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_classes)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=label_smoothing)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patch_embedding(images).flatten(2).transpose(1, 2)
        tokens = self.norm(self.blocks(tokens))
        return self.classifier(tokens.mean(dim=1))  # type: ignore[no-any-return]

    def _shared_step(self, batch: list[Tensor], stage: str) -> Tensor:
        images, targets = batch
        logits = self(images)
        loss: Tensor = self.criterion(logits, targets)
        self.log(f"{stage}/loss", loss, prog_bar=True)
        self.log(f"{stage}/accuracy", (logits.argmax(dim=-1) == targets).float().mean())
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self._shared_step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self._shared_step(batch, "val")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.parameters(), self.hparams["learning_rate"],
            weight_decay=self.hparams["weight_decay"],
        )  # fmt: skip
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 14)
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


def mixer() -> Program:
    data, model = digit_images(), PatchMixerClassifier()
    return Program(model, *loaders(data, 48), 14, partial(accuracy, model, data))


class SqueezeExcite(nn.Module):
    """A gate for each channel."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(channels, channels // reduction), nn.SiLU(),
            nn.Linear(channels // reduction, channels), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.mean(-1))[..., None]  # type: ignore[no-any-return]


class DepthwiseBlock(nn.Module):
    """Depthwise-separable 1D convolution with squeeze-and-excitation and a residual connection."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(
            channels, channels, 7, stride, padding=3, groups=channels, bias=False
        )
        self.bn1, self.bn2 = nn.BatchNorm1d(channels), nn.BatchNorm1d(out_channels)
        self.se = SqueezeExcite(channels)
        self.pointwise = nn.Conv1d(channels, out_channels, 1, bias=False)
        self.residual = stride == 1 and channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.se(F.silu(self.bn1(self.depthwise(x))))
        y = F.silu(self.bn2(self.pointwise(y)))
        return x + y if self.residual else y


class GestureNet(LightningModule):
    """Lightweight network for wearables, trained with the one-cycle policy."""

    def __init__(self, width: int = 24, max_lr: float = 4e-3, num_classes: int = 6) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.stem = nn.Sequential(
            nn.Conv1d(3, width, 5, padding=2, bias=False), nn.BatchNorm1d(width), nn.SiLU()
        )
        self.features = nn.Sequential(
            DepthwiseBlock(width, width, 1), DepthwiseBlock(width, 2 * width, 2),
            DepthwiseBlock(2 * width, 2 * width, 1),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(2 * width, num_classes))

    def forward(self, signal: Tensor) -> Tensor:
        return self.head(self.features(self.stem(signal)).mean(-1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        signal, gesture = batch
        loss = F.cross_entropy(self(signal), gesture)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        signal, gesture = batch
        logits = self(signal)
        self.log("val_loss", F.cross_entropy(logits, gesture), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == gesture).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), weight_decay=1e-2)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.hparams["max_lr"],
            total_steps=int(self.trainer.estimated_stepping_batches),
        )  # fmt: skip
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step", "frequency": 1},
        }


def depthwise() -> Program:
    data, model = assistants.gestures(), GestureNet()
    return Program(model, *loaders(data, 64), 8, partial(accuracy, model, data))


class ResidualSEBlock(nn.Module):
    """Two 3x3 convolutions and a channel gate."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(n_out), nn.BatchNorm2d(n_out)
        self.squeeze, self.excite = nn.Linear(n_out, n_out // 4), nn.Linear(n_out // 4, n_out)
        self.shortcut = nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride), nn.BatchNorm2d(n_out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3))))))
        return F.relu(self.shortcut(x) + y * gate[..., None, None])


class SignResNet(LightningModule):
    """Small residual network, SGD with momentum and a cosine schedule per step."""

    def __init__(self, widths: tuple[int, ...] = (12, 24), lr: float = 0.05) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.stages = nn.Sequential(
            ResidualSEBlock(widths[0], widths[0], 2), ResidualSEBlock(widths[0], widths[1], 2)
        )
        self.fc = nn.Linear(widths[1], 6)

    def forward(self, image: Tensor) -> Tensor:
        return self.fc(self.stages(self.stem(image)).mean((2, 3)))  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["image"]), batch["label"], label_smoothing=0.05)
        self.log("train_loss_step", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["image"])
        self.log("val_loss", F.cross_entropy(logits, batch["label"]))
        self.log("val_top1", (logits.argmax(1) == batch["label"]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.parameters(), self.hparams["lr"], momentum=0.9, weight_decay=5e-4, nesterov=True
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}
        }  # fmt: skip


def residual_signs() -> Program:
    data, model = assistants.signs(), SignResNet()
    train = Records(image=data.x, label=data.y)
    test = Records(image=data.x_test, label=data.y_test)
    return Program(model, *both(train, test, 40), 10, partial(accuracy, model, data))


class TemporalBlock(nn.Module):
    """Two dilated causal convolutions with weight normalization."""

    def __init__(self, n_in: int, n_out: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.pad = 2 * dilation
        norm = nn.utils.parametrizations.weight_norm
        self.conv1 = norm(nn.Conv1d(n_in, n_out, 3, dilation=dilation))
        self.conv2 = norm(nn.Conv1d(n_out, n_out, 3, dilation=dilation))
        self.dropout = nn.Dropout(dropout)
        self.downsample = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.dropout(F.relu(self.conv1(F.pad(x, (self.pad, 0)))))
        y = self.dropout(F.relu(self.conv2(F.pad(y, (self.pad, 0)))))
        return F.relu(y + self.downsample(x))


class DampingTCN(LightningModule):
    """Temporal convolutional network for regression, trained with the Huber loss."""

    def __init__(self, channels: tuple[int, ...] = (20, 20, 20), lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        blocks, n_in = [], 1
        for level, n_out in enumerate(channels):
            blocks.append(TemporalBlock(n_in, n_out, 2**level, dropout=0.05))
            n_in = n_out
        self.tcn = nn.Sequential(*blocks)
        self.fc = nn.Linear(n_in, 1)
        self.loss_fn = nn.HuberLoss(delta=1.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.tcn(x.mT).mean(-1)).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.loss_fn(self(x), y)
        self.log("train_huber", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        y_hat = self(x)
        self.log("val_huber", self.loss_fn(y_hat, y))
        self.log("val_mae", F.l1_loss(y_hat, y), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        return {
            "optimizer": optimizer,
            "lr_scheduler": {
                "scheduler": torch.optim.lr_scheduler.ReduceLROnPlateau(
                    optimizer, factor=0.5, patience=2
                ),
                "monitor": "val_huber",
            },
        }


def damping() -> Program:
    data, model = assistants.vibrations(), DampingTCN()
    return Program(
        model, *loaders(data, 40), 14, partial(r2, model, data), {"gradient_clip_val": 1.0}
    )


class AttentionPooling(nn.Module):
    """Learned weights over the tokens; padding gets none."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.project, self.score = nn.Linear(dim, dim), nn.Linear(dim, 1, bias=False)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        scores = self.score(torch.tanh(self.project(hidden))).squeeze(-1)
        weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=1)
        return (weights[..., None] * hidden).sum(dim=1)


class TicketRouter(LightningModule):
    """Bidirectional GRU with attention for support tickets."""

    def __init__(
        self,
        vocab_size: int = assistants.WORDS,
        embedding_dim: int = 32,
        hidden_size: int = 32,
        dropout: float = 0.3,
        lr: float = 3e-3,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=0)
        self.encoder = nn.GRU(embedding_dim, hidden_size, batch_first=True, bidirectional=True)
        self.pooling = AttentionPooling(2 * hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden_size, assistants.SUBJECTS)

    def forward(self, input_ids: Tensor) -> Tensor:
        mask = input_ids != 0
        packed = nn.utils.rnn.pack_padded_sequence(
            self.dropout(self.embedding(input_ids)), mask.sum(1), True, enforce_sorted=False
        )
        hidden, _ = nn.utils.rnn.pad_packed_sequence(self.encoder(packed)[0], True)
        pooled = self.pooling(hidden, mask[:, : hidden.size(1)])
        return self.output(self.dropout(pooled))  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        logits = self(batch["input_ids"])
        loss = F.cross_entropy(logits, batch["labels"])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["input_ids"])
        self.log("val_loss", F.cross_entropy(logits, batch["labels"]), prog_bar=True)
        self.log("val_acc", (logits.argmax(-1) == batch["labels"]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), self.hparams["lr"], weight_decay=0.01)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.75)
        return [optimizer], [scheduler]


def router() -> Program:
    data, model = assistants.tickets(), TicketRouter()
    train = Records(input_ids=data.x, labels=data.y)
    test = Records(input_ids=data.x_test, labels=data.y_test)
    return Program(
        model, *both(train, test, 32), 6, partial(accuracy, model, data),
        {"gradient_clip_val": 0.5},
    )  # fmt: skip


class ChurnModel(LightningModule):
    """Entity embeddings for the categories, batch normalization for the numbers."""

    def __init__(
        self, cardinalities: tuple[int, ...], num_numerical: int = 6, lr: float = 2e-3
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        dims = [min(8, (n + 1) // 2) for n in cardinalities]
        self.embeddings = nn.ModuleList(
            nn.Embedding(n, dim) for n, dim in zip(cardinalities, dims, strict=True)
        )
        self.numerical_norm = nn.BatchNorm1d(num_numerical)
        self.mlp = nn.Sequential(
            nn.Linear(sum(dims) + num_numerical, 64), nn.BatchNorm1d(64), nn.ReLU(),
            nn.Dropout(0.15), nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1),
        )  # fmt: skip

    def forward(self, categorical: Tensor, numerical: Tensor) -> Tensor:
        parts = [embed(categorical[:, i]) for i, embed in enumerate(self.embeddings)]
        x = torch.cat([*parts, self.numerical_norm(numerical)], dim=1)
        return self.mlp(x).squeeze(1)  # type: ignore[no-any-return]

    def _step(self, batch: Batch, prefix: str) -> Tensor:
        logits = self(batch["categorical"], batch["numerical"])
        loss = F.binary_cross_entropy_with_logits(logits, batch["churned"])
        self.log(f"{prefix}_bce", loss, on_step=False, on_epoch=True)
        correct = (logits > 0).float() == batch["churned"]
        self.log(f"{prefix}_accuracy", correct.float().mean(), on_step=False, on_epoch=True)
        return loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._step(batch, "valid")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), self.hparams["lr"], weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.4)
        return [optimizer], [schedule]


def churn() -> Program:
    kinds, numbers, y = assistants.customers()
    sizes = (assistants.PLANS, assistants.REGIONS, assistants.CHANNELS)
    model = ChurnModel(sizes)
    train = Records(categorical=kinds[:4500], numerical=numbers[:4500], churned=y[:4500])
    test = Records(categorical=kinds[4500:], numerical=numbers[4500:], churned=y[4500:])

    @torch.no_grad()
    def score() -> float:
        model.eval()
        found = model(kinds[4500:], numbers[4500:]) > 0
        return (found == (y[4500:] > 0.5)).float().mean().item()

    return Program(model, *both(train, test, 128), 10, score)


class MultiTaskFlats(LightningModule):
    """Shared trunk with two heads: the price, and whether a flat is above the usual price."""

    def __init__(self, hidden: int = 96, price_weight: float = 1.0, class_weight: float = 0.5):
        super().__init__()
        self.save_hyperparameters()
        self.trunk = nn.Sequential(
            nn.Linear(8, hidden), nn.LayerNorm(hidden), nn.GELU(),
            nn.Linear(hidden, hidden), nn.LayerNorm(hidden), nn.GELU(),
        )  # fmt: skip
        self.price_head, self.class_head = nn.Linear(hidden, 1), nn.Linear(hidden, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shared = self.trunk(x)
        return self.price_head(shared).squeeze(-1), self.class_head(shared)

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        price, segment = self(batch["features"])
        price_loss = F.smooth_l1_loss(price, batch["price"])
        class_loss = F.cross_entropy(segment, batch["segment"])
        total = (
            self.hparams["price_weight"] * price_loss + self.hparams["class_weight"] * class_loss
        )
        return {"loss": total, "price_loss": price_loss, "class_loss": class_loss}

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        losses = self._losses(batch)
        self.log_dict({f"train_{name}": value for name, value in losses.items()})
        return {"loss": losses["loss"]}

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log_dict({f"val_{name}": value for name, value in self._losses(batch).items()})

    def configure_optimizers(self) -> Any:
        decay = [p for p in self.parameters() if p.ndim > 1]
        no_decay = [p for p in self.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": decay, "weight_decay": 0.01}, {"params": no_decay, "weight_decay": 0.0}],
            lr=1.5e-3,
        )
        warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=60)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12 * 47 - 60)
        schedule = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, cosine], [60])
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}
        }  # fmt: skip


def multi_task() -> Program:
    data = scaled_targets(standardized(assistants.flats()))
    limits = torch.tensor([-0.5, 0.6])
    train = Records(features=data.x, price=data.y, segment=torch.bucketize(data.y, limits))
    test = Records(
        features=data.x_test, price=data.y_test, segment=torch.bucketize(data.y_test, limits)
    )
    model = MultiTaskFlats()

    def score() -> float:
        price: Any = outputs(model, data.x_test)
        return 1 - F.mse_loss(price[0], data.y_test).item() / data.y_test.var().item()

    return Program(model, *both(train, test, 64), 12, score)


class DenoisingAutoencoder(LightningModule):
    """Convolutional denoising autoencoder for spectra."""

    def __init__(self, noise_std: float = 0.15, latent_channels: int = 6) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 16, 5, stride=2, padding=2), nn.LeakyReLU(0.1),
            nn.Conv1d(16, latent_channels, 5, stride=2, padding=2), nn.LeakyReLU(0.1),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.ConvTranspose1d(latent_channels, 16, 4, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.ConvTranspose1d(16, 16, 4, stride=2, padding=1), nn.LeakyReLU(0.1),
            nn.Conv1d(16, 1, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x.unsqueeze(1))).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        clean = batch[1]
        noisy = clean + self.hparams["noise_std"] * torch.randn_like(clean)
        loss = F.mse_loss(self(noisy), clean)
        self.log("train/reconstruction_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        noisy, clean = batch
        self.log("val/reconstruction_loss", F.mse_loss(self(noisy), clean), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def denoising() -> Program:
    data, model = assistants.spectra(), DenoisingAutoencoder()
    return Program(model, *loaders(data, 50), 10, partial(r2, model, data))


class SpectraVAE(LightningModule):
    """Variational autoencoder with a KL warm-up."""

    def __init__(self, latent_dim: int = 6, beta: float = 1.0, warmup_steps: int = 200) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(nn.Linear(40, 96), nn.SiLU(), nn.Linear(96, 48), nn.SiLU())
        self.fc_mu, self.fc_logvar = nn.Linear(48, latent_dim), nn.Linear(48, latent_dim)
        self.decoder = nn.Sequential(
            nn.Linear(latent_dim, 48), nn.SiLU(), nn.Linear(48, 96), nn.SiLU(), nn.Linear(96, 40)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.fc_mu(self.encoder(x)))  # type: ignore[no-any-return]

    def _elbo(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(x)
        mu, logvar = self.fc_mu(hidden), self.fc_logvar(hidden)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        reconstruction = F.mse_loss(self.decoder(z), x, reduction="none").sum(1) / (2 * 0.1**2)
        kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1)
        return reconstruction.mean(), kl.mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        reconstruction, kl = self._elbo(batch[0])
        weight = self.hparams["beta"] * min(1.0, self.global_step / self.hparams["warmup_steps"])
        loss = reconstruction + weight * kl
        self.log_dict({"recon": reconstruction, "kl": kl, "train_loss": loss})
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        reconstruction, kl = self._elbo(batch[0])
        self.log_dict({"val_recon": reconstruction, "val_kl": kl, "val_elbo": reconstruction + kl})

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def variational() -> Program:
    data, model = assistants.spectra(), SpectraVAE()
    return Program(
        model, *loaders(data, 32), 16, partial(r2, model, data), {"gradient_clip_val": 5.0}
    )


class ListingCLIP(LightningModule):
    """Two encoders and a symmetric InfoNCE loss with a learnable temperature."""

    def __init__(self, projection_dim: int = 24, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.image_encoder = nn.Sequential(
            nn.Linear(32, 64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, projection_dim)
        )
        self.text_encoder = nn.Sequential(
            nn.Linear(24, 64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, projection_dim)
        )
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.1)))

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        a = F.normalize(self.image_encoder(image), dim=-1)
        b = F.normalize(self.text_encoder(text), dim=-1)
        return self.logit_scale.exp().clamp(max=50) * a @ b.mT

    def _contrastive_loss(self, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
        logits = self(*batch)
        labels = torch.arange(len(logits), device=self.device)
        loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.mT, labels)) / 2
        return loss, (logits.argmax(1) == labels).float().mean()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss, top1 = self._contrastive_loss(batch)
        self.log("train_loss", loss)
        self.log("train_top1", top1)
        self.log("temperature", 1 / self.logit_scale.exp())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        loss, top1 = self._contrastive_loss(batch)
        self.log("val_loss", loss)
        self.log("val_top1", top1)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), self.hparams["lr"], weight_decay=1e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)]


def pairs() -> Program:
    pictures, texts = assistants.listings()
    train, test = (TensorDataset(pictures[part], texts[part]) for part in
                   (slice(2600), slice(2600, None)))  # fmt: skip
    model = ListingCLIP()

    @torch.no_grad()
    def score() -> float:
        """Share of 200 listings whose own text is among the best five."""
        model.eval()
        best = model(pictures[-200:], texts[-200:]).topk(5, 1).indices
        return (best == torch.arange(200)[:, None]).any(1).float().mean().item()

    loader = DataLoader(train, 100, shuffle=True, drop_last=True)
    return Program(model, loader, DataLoader(test, 100), 15, score)


def conv_block(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.GroupNorm(4, n_out), nn.SiLU(),
    )  # fmt: skip


class LesionUNet(LightningModule):
    """Small U-Net trained with cross-entropy plus soft Dice."""

    def __init__(self, base: int = 8, lr: float = 4e-3, dice_weight: float = 0.5) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.down1, self.down2 = conv_block(1, base), conv_block(base, 2 * base)
        self.bottleneck = conv_block(2 * base, 4 * base)
        self.up2, self.up1 = conv_block(6 * base, 2 * base), conv_block(3 * base, base)
        self.head = nn.Conv2d(base, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.bottleneck(F.max_pool2d(b, 2))
        b = self.up2(torch.cat([F.interpolate(c, scale_factor=2.0), b], 1))
        a = self.up1(torch.cat([F.interpolate(b, scale_factor=2.0), a], 1))
        return self.head(a)  # type: ignore[no-any-return]

    def _loss(self, logits: Tensor, masks: Tensor) -> Tensor:
        truth = F.one_hot(masks, 3).movedim(-1, 1).float()
        probs = logits.softmax(1)
        overlap, sizes = (probs * truth).sum((0, 2, 3)), (probs + truth).sum((0, 2, 3))
        dice_loss = 1 - ((2 * overlap + 1) / (sizes + 1)).mean()
        weight: float = self.hparams["dice_weight"]
        return F.cross_entropy(logits, masks) + weight * dice_loss

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self._loss(self(batch["image"]), batch["mask"])
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["image"])
        self.log("val_loss", self._loss(logits, batch["mask"]), prog_bar=True)
        self.log("val_pixel_acc", (logits.argmax(1) == batch["mask"]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, 8 * 32, power=0.9)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}
        }  # fmt: skip


def lesion_dice(model: LightningModule, data: Samples) -> float:
    found, truth = outputs(model, data.x_test).argmax(1) == 2, data.y_test == 2
    return (2 * (found & truth).sum() / (found.sum() + truth.sum())).item()


def segmentation() -> Program:
    data, model = assistants.scans(), LesionUNet()
    train = Records(image=data.x, mask=data.y)
    test = Records(image=data.x_test, mask=data.y_test)
    return Program(model, *both(train, test, 16), 8, partial(lesion_dice, model, data))


class ProbabilisticPrice(LightningModule):
    """Predicts mean and variance of a price with the Gaussian negative log-likelihood."""

    def __init__(self, hidden_dims: tuple[int, ...] = (64, 64), dropout: float = 0.05) -> None:
        super().__init__()
        self.save_hyperparameters()
        layers: list[nn.Module] = []
        n_in = 8
        for n_out in hidden_dims:
            layers += [nn.Linear(n_in, n_out), nn.SiLU(), nn.Dropout(dropout)]
            n_in = n_out
        self.backbone = nn.Sequential(*layers)
        self.mean_head, self.var_head = nn.Linear(n_in, 1), nn.Linear(n_in, 1)
        self.criterion = nn.GaussianNLLLoss(eps=1e-4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.backbone(x)
        variance = F.softplus(self.var_head(features)) + 1e-4
        return self.mean_head(features).squeeze(-1), variance.squeeze(-1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        mean, variance = self(x)
        nll: Tensor = self.criterion(mean, y, variance)
        self.log("train_nll", nll)
        return nll

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        mean, variance = self(x)
        self.log("val_nll", self.criterion(mean, y, variance), prog_bar=True)
        inside = (y - mean).abs() < 1.645 * variance.sqrt()
        self.log("val_coverage_90", inside.float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=1e-2)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=total)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def probabilistic() -> Program:
    data = scaled_targets(standardized(assistants.flats()))
    model = ProbabilisticPrice()

    def score() -> float:
        found: Any = outputs(model, data.x_test)
        return F.gaussian_nll_loss(found[0], data.y_test, found[1]).item()

    return Program(
        model, *loaders(data, 100), 25, score,
        {"gradient_clip_val": 1.0, "gradient_clip_algorithm": "norm"},
    )  # fmt: skip


class QuantileForecaster(LightningModule):
    """Encoder-decoder LSTM that forecasts three quantiles with known future covariates."""

    def __init__(
        self, hidden_size: int = 40, quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.LSTM(5, hidden_size, batch_first=True)
        self.decoder = nn.LSTM(4, hidden_size, batch_first=True)
        self.projection = nn.Linear(hidden_size, len(quantiles))
        self.register_buffer("quantiles", torch.tensor(quantiles))

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        _, state = self.encoder(past)
        decoded, _ = self.decoder(future, state)
        return self.projection(decoded)  # type: ignore[no-any-return]

    def pinball_loss(self, prediction: Tensor, target: Tensor) -> Tensor:
        q = self.get_buffer("quantiles")
        error = target[..., None] - prediction
        return torch.maximum(q * error, (q - 1) * error).mean()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.pinball_loss(self(batch["past"], batch["future"]), batch["target"])
        self.log("train_pinball", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        prediction = self(batch["past"], batch["future"])
        self.log("val_pinball", self.pinball_loss(prediction, batch["target"]), prog_bar=True)
        self.log("val_mae", (prediction[..., 1] - batch["target"]).abs().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=5e-3)
        return [optimizer], [torch.optim.lr_scheduler.MultiStepLR(optimizer, [6, 8], 0.3)]


def quantile_forecast() -> Program:
    early, late = assistants.loads()
    train, test = (
        Records(past=part.past, future=part.known, target=part.load) for part in (early, late)
    )
    model = QuantileForecaster()

    @torch.no_grad()
    def score() -> float:
        model.eval()
        return (model(late.past, late.known)[..., 1] - late.load).abs().mean().item()

    return Program(model, *both(train, test, 60), 9, score, {"gradient_clip_val": 1.0})


class OrdinalGrader(LightningModule):
    """Cumulative logits with ordered thresholds (CORAL) for grades from 0 to 4."""

    def __init__(self, num_grades: int = 5, lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.scorer = nn.Sequential(
            nn.Linear(10, 80), nn.ReLU(), nn.Linear(80, 40), nn.ReLU(), nn.Linear(40, 1, bias=False)
        )
        self.thresholds = nn.Parameter(torch.linspace(1.5, -1.5, num_grades - 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.scorer(x) + self.thresholds  # type: ignore[no-any-return]

    def step(self, batch: list[Tensor], name: str) -> Tensor:
        x, grade = batch
        logits = self(x)
        levels = (grade[:, None] > torch.arange(4, device=x.device)).float()
        loss = F.binary_cross_entropy_with_logits(logits, levels)
        off = ((logits > 0).sum(1) - grade).abs().float().mean()
        self.log(f"{name}_loss", loss)
        self.log(f"{name}_grades_off", off)
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.step(batch, "val")

    def configure_optimizers(self) -> Any:
        return torch.optim.NAdam(self.parameters(), lr=self.hparams["lr"])


def ordinal() -> Program:
    data, model = assistants.tastings(), OrdinalGrader()

    def score() -> float:
        grade = (outputs(model, data.x_test) > 0).sum(1)
        return (grade - data.y_test).abs().float().mean().item()

    return Program(model, *loaders(data, 75), 14, score)


class TagClassifier(LightningModule):
    """Multi-label classifier: one logit per tag, F1 over all tags in the validation."""

    def __init__(self, num_tags: int = 8, dropout: float = 0.4) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LayerNorm(60), nn.Linear(60, 100), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(100, num_tags),
        )  # fmt: skip
        self.loss = nn.BCEWithLogitsLoss()

    def forward(self, counts: Tensor) -> Tensor:
        return self.net(counts)  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss: Tensor = self.loss(self(batch["counts"]), batch["tags"])
        self.log("loss/train", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["counts"])
        self.log("loss/val", self.loss(logits, batch["tags"]))
        self.log("f1/val", micro_f1(logits, batch["tags"]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 8)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def micro_f1(logits: Tensor, truth: Tensor) -> Tensor:
    found = (logits > 0).float()
    return 2 * (found * truth).sum() / (found.sum() + truth.sum()).clamp(min=1)


def multi_label() -> Program:
    data, model = assistants.articles(), TagClassifier()
    train, test = Records(counts=data.x, tags=data.y), Records(counts=data.x_test, tags=data.y_test)

    def score() -> float:
        return micro_f1(outputs(model, data.x_test), data.y_test).item()

    return Program(model, *both(train, test, 64), 8, score)


class DistillationModule(LightningModule):
    """First the teacher learns, then the student follows its softened outputs as well."""

    def __init__(self, temperature: float = 3.0, alpha: float = 0.6, teacher_epochs: int = 18):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.teacher = nn.Sequential(
            nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)
        )
        self.student = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.student(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        teacher_optimizer, student_optimizer = self.optimizers()  # type: ignore[misc]
        if self.current_epoch < self.hparams["teacher_epochs"]:
            teacher_loss = F.cross_entropy(self.teacher(x), y)
            teacher_optimizer.zero_grad()
            self.manual_backward(teacher_loss)
            teacher_optimizer.step()
            self.log("teacher_loss", teacher_loss)
        t = self.hparams["temperature"]
        with torch.no_grad():
            soft = (self.teacher(x) / t).softmax(1)
        logits = self.student(x)
        hard_loss = F.cross_entropy(logits, y)
        soft_loss = F.kl_div((logits / t).log_softmax(1), soft, reduction="batchmean") * t**2
        alpha = self.hparams["alpha"]
        loss = alpha * soft_loss + (1 - alpha) * hard_loss
        student_optimizer.zero_grad()
        self.manual_backward(loss)
        student_optimizer.step()
        self.log("student_loss", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_student_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        return [
            torch.optim.Adam(self.teacher.parameters(), lr=2e-3),
            torch.optim.Adam(self.student.parameters(), lr=4e-3),
        ]


def distillation() -> Program:
    data = digits()
    data = data.with_inputs(2 * data.x - 1, 2 * data.x_test - 1)
    model = DistillationModule()
    return Program(model, *loaders(data, 32), 18, partial(accuracy, model, data))


class MixtureOfExperts(LightningModule):
    """Soft gating over experts, with a load-balancing term."""

    def __init__(
        self, num_experts: int = 6, hidden: int = 24, lr: float = 3e-3, balance: float = 0.01
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.gate = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, num_experts))
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(16, hidden), nn.ELU(), nn.Linear(hidden, 1))
            for _ in range(num_experts)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self._mix(x)[0]

    def _mix(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.gate(x).softmax(-1)
        answers = torch.cat([expert(x) for expert in self.experts], -1)
        return (weights * answers).sum(-1), weights

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        y_hat, weights = self._mix(x)
        mse = F.mse_loss(y_hat, y)
        balance_loss = len(self.experts) * (weights.mean(0) ** 2).sum()
        self.log("train_mse", mse)
        self.log("balance_loss", balance_loss)
        return mse + float(self.hparams["balance"]) * balance_loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.log("val_mse", F.mse_loss(self(x), y), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), self.hparams["lr"], weight_decay=0.05)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 16)]


def experts() -> Program:
    data, model = assistants.machines(), MixtureOfExperts()
    return Program(model, *loaders(data, 50), 16, partial(r2, model, data))


class Seq2SeqTranslator(LightningModule):
    """GRU encoder and attentive GRU decoder, trained with teacher forcing."""

    def __init__(self, num_symbols: int = assistants.SYMBOLS, dim: int = 48) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.source_embedding = nn.Embedding(num_symbols, dim)
        self.target_embedding = nn.Embedding(num_symbols, dim)
        self.encoder = nn.GRU(dim, dim, batch_first=True)
        self.decoder = nn.GRU(dim, dim, batch_first=True)
        self.output = nn.Linear(2 * dim, num_symbols)

    def _decode(self, inputs: Tensor, memory: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        hidden, state = self.decoder(self.target_embedding(inputs), state)
        weights = (hidden @ memory.mT / memory.size(-1) ** 0.5).softmax(-1)
        return self.output(torch.cat([hidden, weights @ memory], -1)), state

    def forward(self, source: Tensor) -> Tensor:
        """Greedy decoding."""
        memory, state = self.encoder(self.source_embedding(source))
        token = torch.zeros_like(source[:, :1])
        logits = []
        for _ in range(source.size(1)):
            step, state = self._decode(token, memory, state)
            token = step.argmax(-1)
            logits.append(step)
        return torch.cat(logits, 1)

    def _forced_loss(self, batch: Batch) -> Tensor:
        source, target = batch["source"], batch["target"]
        memory, state = self.encoder(self.source_embedding(source))
        shifted = F.pad(target[:, :-1], (1, 0))
        logits, _ = self._decode(shifted, memory, state)
        return F.cross_entropy(logits.flatten(0, 1), target.flatten())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self._forced_loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        found = self(batch["source"]).argmax(-1)
        self.log("val_loss", self._forced_loss(batch))
        self.log("val_exact_match", (found == batch["target"]).all(1).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=6e-3)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)]


def translation() -> Program:
    data, model = assistants.codes(), Seq2SeqTranslator()
    train, test = (
        Records(source=data.x, target=data.y), Records(source=data.x_test, target=data.y_test)
    )  # fmt: skip
    return Program(
        model, *both(train, test, 50), 12, partial(accuracy, model, data),
        {"gradient_clip_val": 1.0},
    )  # fmt: skip


class TinyGPT(LightningModule):
    """Decoder-only transformer with tied weights for melodies."""

    def __init__(self, vocab: int = assistants.NOTES, d_model: int = 40, block_size: int = 32):
        super().__init__()
        self.save_hyperparameters()
        self.token_embedding = nn.Embedding(vocab, d_model)
        self.position_embedding = nn.Embedding(block_size, d_model)
        layer = nn.TransformerEncoderLayer(
            d_model, 4, 3 * d_model, 0.1, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 2, nn.LayerNorm(d_model), False)
        self.lm_head = nn.Linear(d_model, vocab, bias=False)
        self.apply(self._init_weights)
        self.lm_head.weight = self.token_embedding.weight
        mask = nn.Transformer.generate_square_subsequent_mask(block_size)
        self.register_buffer("causal_mask", mask)

    @staticmethod
    def _init_weights(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.08)

    def forward(self, idx: Tensor) -> Tensor:
        positions = torch.arange(idx.size(1), device=idx.device)
        x = self.token_embedding(idx) + self.position_embedding(positions)
        x = self.blocks(x, self.get_buffer("causal_mask"), is_causal=True)
        return self.lm_head(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        idx, targets = batch
        loss = F.cross_entropy(self(idx).flatten(0, 1), targets.flatten())
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        idx, targets = batch
        loss = F.cross_entropy(self(idx).flatten(0, 1), targets.flatten())
        self.log("val/loss", loss)
        self.log("val/perplexity", loss.exp(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=5e-3, betas=(0.9, 0.95), weight_decay=0.1
        )
        warm_up, total = 40, int(self.trainer.estimated_stepping_batches)

        def rate(step: int) -> float:
            if step < warm_up:
                return (step + 1) / warm_up
            return 0.05 + 0.475 * (1 + math.cos(math.pi * (step - warm_up) / (total - warm_up)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def melodies() -> Program:
    data, model = assistants.tunes(), TinyGPT()

    def perplexity() -> float:
        logits = outputs(model, data.x_test).flatten(0, 1)
        return F.cross_entropy(logits, data.y_test.flatten()).exp().item()

    return Program(model, *loaders(data, 32), 12, perplexity, {"gradient_clip_val": 1.0})


class DenseGraphLayer(nn.Module):
    """Own features plus the mean of the neighbours', with a residual connection."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.own, self.neighbours = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)

    def forward(self, h: Tensor, adjacency: Tensor) -> Tensor:
        messages = adjacency @ self.neighbours(h)
        return h + F.relu(self.norm(self.own(h) + messages))


class MoleculeGNN(LightningModule):
    """Message passing over dense adjacency matrices and a sum over the atoms."""

    def __init__(self, dim: int = 48, num_layers: int = 3, lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.atom_embedding = nn.Embedding(5, dim, padding_idx=0)
        self.layers = nn.ModuleList(DenseGraphLayer(dim) for _ in range(num_layers))
        self.readout = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 1))

    def forward(self, atoms: Tensor, adjacency: Tensor) -> Tensor:
        h = self.atom_embedding(atoms)
        for layer in self.layers:
            h = layer(h, adjacency)
        contributions = self.readout(h).squeeze(-1)
        return (contributions * (atoms > 0)).sum(1)  # type: ignore[no-any-return]

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        atoms, adjacency, y = batch
        loss = F.mse_loss(self(atoms, adjacency), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        atoms, adjacency, y = batch
        y_hat = self(atoms, adjacency)
        self.log("val_loss", F.mse_loss(y_hat, y))
        self.log("val_mae", F.l1_loss(y_hat, y), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), self.hparams["lr"], weight_decay=0.01)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}
        }  # fmt: skip


@torch.no_grad()
def graph_r2(model: LightningModule, test: Graphs) -> float:
    model.eval()
    error = F.mse_loss(model(test.nodes, test.edges), test.y)
    return (1 - error / test.y.var(correction=0)).item()


def graphs() -> Program:
    train, test = assistants.molecules()
    model = MoleculeGNN()
    loader = DataLoader(TensorDataset(*train), 64, shuffle=True)
    return Program(
        model, loader, DataLoader(TensorDataset(*test), 250), 12, partial(graph_r2, model, test),
        {"gradient_clip_val": 2.0},
    )  # fmt: skip


CASES = (
    Case("digits-mixed-by-patches", Goal("accuracy", at_least=0.93), mixer),
    Case("traffic-signs-residual-and-gated", Goal("accuracy", at_least=0.85), residual_signs),
    Case("wrist-gestures-squeezed-channels", Goal("accuracy", at_least=0.85), depthwise),
    Case("swinging-arm-dilated-past", Goal("R2", at_least=0.8), damping),
    Case("desk-mails-attended-both-ways", Goal("accuracy", at_least=0.8), router),
    Case("subscribers-by-plan-and-region", Goal("accuracy", at_least=0.78), churn),
    Case("apartments-price-and-segment", Goal("R2", at_least=0.92), multi_task),
    Case("absorption-lines-without-hiss", Goal("R2", at_least=0.9), denoising),
    Case("absorption-lines-in-six-numbers", Goal("R2", at_least=0.85), variational),
    Case("listings-picture-meets-text", Goal("top 5", at_least=0.85), pairs),
    Case("organ-outlines-and-a-spot", Goal("dice", at_least=0.8), segmentation),
    Case("apartments-price-give-or-take", Goal("NLL", at_most=-1.2), probabilistic),
    Case("grid-hours-three-quantiles", Goal("MAE", at_most=0.2), quantile_forecast),
    Case("cheese-grades-over-thresholds", Goal("grades off", at_most=0.4), ordinal),
    Case("news-items-eight-tags-at-once", Goal("F1", at_least=0.8), multi_label),
    Case("digits-student-while-teacher-learns", Goal("accuracy", at_least=0.93), distillation),
    Case("machine-modes-among-six-experts", Goal("R2", at_least=0.75), experts),
    Case("five-symbols-rewritten-backwards", Goal("accuracy", at_least=0.9), translation),
    Case("tunes-note-after-note", Goal("perplexity", at_most=3.5), melodies),
    Case("small-molecules-passing-messages", Goal("R2", at_least=0.85), graphs),
)

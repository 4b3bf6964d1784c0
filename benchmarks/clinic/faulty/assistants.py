"""Scripts of coding assistants with one slip: the assistant's, or of who edited the script."""

import math
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import assistants
from data_sets.assistants import Graphs, Records
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batch = dict[str, Tensor]


class TicketTransformer(LightningModule):
    """Transformer encoder with a CLS token and padding masks, trained with OneCycleLR."""

    def __init__(self, max_lr: float, d_model: int = 40, nhead: int = 4, num_layers: int = 2):
        super().__init__()
        self.save_hyperparameters()
        self.embedding = nn.Embedding(assistants.WORDS, d_model, padding_idx=0)
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, d_model))
        self.positions = nn.Parameter(0.02 * torch.randn(1, assistants.WIDTH + 1, d_model))
        layer = nn.TransformerEncoderLayer(
            d_model, nhead, 2 * d_model, 0.2, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(d_model), nn.Linear(d_model, assistants.SUBJECTS))

    def forward(self, input_ids: Tensor) -> Tensor:
        padding_mask = F.pad(input_ids == 0, (1, 0), value=False)
        tokens = torch.cat([self.cls_token.expand(len(input_ids), -1, -1),
                            self.embedding(input_ids)], dim=1)  # fmt: skip
        encoded = self.encoder(tokens + self.positions, src_key_padding_mask=padding_mask)
        return self.head(encoded[:, 0])  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        input_ids, labels = batch
        loss = F.cross_entropy(self(input_ids), labels)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        input_ids, labels = batch
        logits = self(input_ids)
        self.log("val_loss", F.cross_entropy(logits, labels), prog_bar=True)
        self.log("val_acc", (logits.argmax(-1) == labels).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), weight_decay=0.01)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.hparams["max_lr"], int(self.trainer.estimated_stepping_batches)
        )
        return {
            "optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}
        }  # fmt: skip


def ticket_transformer(max_lr: float) -> Program:
    data, model = assistants.tickets(), TicketTransformer(max_lr)
    return Program(model, *loaders(data, 40), 6, partial(accuracy, model, data))


class GraphRegressor(LightningModule):
    """Normalized adjacency, three graph convolutions, mean and max readout, linear warm-up."""

    def __init__(self, interval: str, dim: int = 40, lr: float = 3e-3, warmup: int = 100) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embed = nn.Embedding(5, dim, padding_idx=0)
        self.convs = nn.ModuleList(nn.Linear(2 * dim, dim) for _ in range(3))
        self.out = nn.Sequential(nn.Linear(2 * dim, dim), nn.SiLU(), nn.Linear(dim, 1))

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        mask = (nodes > 0)[..., None]
        h = self.embed(nodes)
        for conv in self.convs:
            h = h + F.silu(conv(torch.cat([h, adjacency @ h], -1))) * mask
        total, largest = (h * mask).sum(1), h.masked_fill(~mask, -1e4).amax(1)
        return self.out(torch.cat([total, largest], -1)).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        nodes, adjacency, y = batch
        loss = F.mse_loss(self(nodes, adjacency), y)
        self.log("train/mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        nodes, adjacency, y = batch
        self.log("val/mse", F.mse_loss(self(nodes, adjacency), y), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"])
        warmup = self.hparams["warmup"]
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / warmup) ** 2
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": self.hparams["interval"]},
        }


@torch.no_grad()
def graph_r2(model: LightningModule, test: Graphs) -> float:
    model.eval()
    error = F.mse_loss(model(test.nodes, test.edges), test.y)
    return (1 - error / test.y.var(correction=0)).item()


def graph_regression(interval: str) -> Program:
    """Warm-up is counted in steps, and the scheduler is called once in an epoch or step."""
    train, test = assistants.molecules()
    model = GraphRegressor(interval)
    loader = DataLoader(TensorDataset(*train), 50, shuffle=True)
    return Program(
        model, loader, DataLoader(TensorDataset(*test), 250), 9, partial(graph_r2, model, test)
    )


class WristClassifier(LightningModule):
    """Convolutional encoder with a classification head; a first stage trains the head only."""

    def __init__(self, finetune: bool, width: int = 32, lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.Sequential(
            nn.Conv1d(3, width, 9, stride=2, padding=4), nn.ReLU(),
            nn.Conv1d(width, width, 7, stride=2, padding=3), nn.ReLU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2), nn.ReLU(),
            nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        )  # fmt: skip
        self.classifier = nn.Linear(width, 6)
        if not finetune:
            for parameter in self.encoder.parameters():
                parameter.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.encoder(x))  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["signal"]), batch["label"])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["signal"])
        self.log("val_loss", F.cross_entropy(logits, batch["label"]))
        self.log("val_acc", (logits.argmax(1) == batch["label"]).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        trainable = filter(lambda parameter: parameter.requires_grad, self.parameters())
        return torch.optim.Adam(trainable, lr=self.hparams["lr"])


def wrist(finetune: bool) -> Program:
    """No weights are loaded before, so that there is nothing to keep."""
    data, model = assistants.gestures(), WristClassifier(finetune)
    train = Records(signal=data.x, label=data.y)
    test = Records(signal=data.x_test, label=data.y_test)
    both = DataLoader(train, 50, shuffle=True), DataLoader(test, 250)
    return Program(model, *both, 8, partial(accuracy, model, data))


class SpeciesNet(LightningModule):
    """Dense classifier for measurements, with label smoothing."""

    def __init__(self, softmax: bool, hidden_dims: tuple[int, ...] = (96, 64)) -> None:
        super().__init__()
        self.save_hyperparameters()
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise((24, *hidden_dims)):
            layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(0.1)]
        layers.append(nn.Linear(hidden_dims[-1], 20))
        if softmax:
            layers.append(nn.Softmax(dim=1))
        self.model = nn.Sequential(*layers)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.05)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        y_hat = self(x)
        loss: Tensor = self.criterion(y_hat, y)
        self.log("train_loss", loss)
        self.log("train_acc", (y_hat.argmax(1) == y).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        y_hat = self(x)
        self.log("val_loss", self.criterion(y_hat, y))
        self.log("val_acc", (y_hat.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), 0.03, momentum=0.9, weight_decay=1e-4)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
        return [optimizer], [scheduler]


def species(softmax: bool) -> Program:
    data, model = assistants.species(), SpeciesNet(softmax)
    return Program(model, *loaders(data, 64), 10, partial(accuracy, model, data))


class FlatPriceRegressor(LightningModule):
    """Regression with the Huber loss and a plateau scheduler."""

    def __init__(self, learning_rate: float = 1e-3, hidden_size: int = 64) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.network = nn.Sequential(
            nn.Linear(8, hidden_size), nn.GELU(), nn.Linear(hidden_size, hidden_size), nn.GELU(),
            nn.Linear(hidden_size, 1),
        )  # fmt: skip
        self.loss_fn = nn.HuberLoss()

    def forward(self, features: Tensor) -> Tensor:
        return self.network(features).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss: Tensor = self.loss_fn(self(batch["features"]), batch["price"])
        self.log("train_loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        prediction = self(batch["features"])
        self.log("val_loss", self.loss_fn(prediction, batch["price"]), prog_bar=True)
        self.log("val_rmse", F.mse_loss(prediction, batch["price"]).sqrt())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["learning_rate"])
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", 0.5, 4)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss"},
        }


def flat_prices(scaler: bool) -> Program:
    """A scaler is fitted; whether what it transforms is used."""
    data = scaled_targets(assistants.flats())
    data = standardized(data) if scaler else data
    model = FlatPriceRegressor()
    train = Records(features=data.x, price=data.y)
    test = Records(features=data.x_test, price=data.y_test)
    both = DataLoader(train, 64, shuffle=True), DataLoader(test, 250)
    return Program(model, *both, 15, partial(r2, model, data))


class DefectDetector(LightningModule):
    """Binary classifier for production data, class weights in the loss."""

    def __init__(self, pos_weight: float | None, hidden: int = 48, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Linear(20, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(hidden, 24), nn.ReLU(), nn.Linear(24, 1),
        )  # fmt: skip
        weight = None if pos_weight is None else torch.tensor(pos_weight)
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss: Tensor = self.criterion(self(x), y.float())
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val/loss", self.criterion(logits, y.float()))
        self.log("val/accuracy", ((logits > 0) == (y > 0)).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], weight_decay=0.05)


def defects(pos_weight: float | None) -> Program:
    data, model = assistants.boards(), DefectDetector(pos_weight)
    return Program(model, *loaders(data, 128), 10, partial(balanced_accuracy, model, data))


class KeywordTagger(LightningModule):
    """Multi-label tagger of bags of words."""

    def __init__(self, hidden_size: int = 256, num_tags: int = 8, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.Sequential(
            nn.Linear(60, hidden_size), nn.ReLU(), nn.Linear(hidden_size, hidden_size), nn.ReLU(),
            nn.Linear(hidden_size, num_tags),
        )  # fmt: skip

    def forward(self, counts: Tensor) -> Tensor:
        return self.layers(counts)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        counts, tags = batch
        loss = F.binary_cross_entropy_with_logits(self(counts), tags)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        counts, tags = batch
        logits = self(counts)
        self.log("val_loss", F.binary_cross_entropy_with_logits(logits, tags))
        self.log("val_hamming", ((logits > 0).float() == tags).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def keywords(rows: int, epochs: int) -> Program:
    """The rows that a quick try-out takes, for as many steps as all of them."""
    data, model = assistants.articles(), KeywordTagger()

    def loss() -> float:
        logits = outputs(model, data.x_test)
        return F.binary_cross_entropy_with_logits(logits, data.y_test).item()

    return Program(model, *loaders(data.first(rows), 50), epochs, loss)


class CheeseGrader(LightningModule):
    """Classifier of five grades; the settings were carried over from another framework."""

    def __init__(self, dropout: float, hidden: int = 128, lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = nn.Sequential(
            nn.Linear(10, hidden), nn.SiLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), nn.SiLU(), nn.Dropout(dropout), nn.Linear(hidden, 5),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, grade = batch
        logits = self(x)
        loss = F.cross_entropy(logits, grade)
        self.log("train_loss", loss)
        self.log("train_acc", (logits.argmax(1) == grade).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, grade = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, grade))
        self.log("val_acc", (logits.argmax(1) == grade).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.RAdam(self.parameters(), lr=self.hparams["lr"])
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 6, 0.5)]


def cheese(dropout: float) -> Program:
    data, model = assistants.tastings(), CheeseGrader(dropout)
    return Program(model, *loaders(data, 45), 14, partial(accuracy, model, data))


class OrganSegmenter(LightningModule):
    """Encoder-decoder for masks of three classes."""

    def __init__(self, channels: int = 12, lr: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.enc1, self.enc2 = self._block(1, channels), self._block(channels, 2 * channels)
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.dec, self.final = self._block(2 * channels, channels), nn.Conv2d(channels, 3, 1)

    @staticmethod
    def _block(n_in: int, n_out: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU())

    def forward(self, scan: Tensor) -> Tensor:
        skip = self.enc1(scan)
        deep = self.up(self.enc2(F.avg_pool2d(skip, 2)))
        return self.final(self.dec(torch.cat([skip, deep], 1)))  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["scan"]), batch["mask"])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["scan"])
        self.log("val_loss", F.cross_entropy(logits, batch["mask"]))
        self.log("val_pixel_accuracy", (logits.argmax(1) == batch["mask"]).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8)]


def as_listed(masks: Tensor) -> Tensor:
    """In the order of their files' names: mask_10 comes before mask_2."""
    return masks[sorted(range(len(masks)), key=str)]


def segmenter(sort_by_name: bool) -> Program:
    data, model = assistants.scans(), OrganSegmenter()
    masks = [as_listed(y) if sort_by_name else y for y in (data.y, data.y_test)]
    train, test = Records(scan=data.x, mask=masks[0]), Records(scan=data.x_test, mask=masks[1])

    def organ_overlap() -> float:
        found, truth = outputs(model, data.x_test).argmax(1) > 0, data.y_test > 0
        return ((found & truth).sum() / (found | truth).sum()).item()

    both = DataLoader(train, 16, shuffle=True), DataLoader(test, 64)
    return Program(model, *both, 8, organ_overlap)


class AveragingClassifier(LightningModule):
    """Deep averaging network with masked mean pooling."""

    def __init__(self, at_least: float, embed_dim: int = 64, lr: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.embedding = nn.Embedding(assistants.WORDS, embed_dim, padding_idx=0)
        self.fc1 = nn.Linear(embed_dim, 48)
        self.fc2 = nn.Linear(48, assistants.SUBJECTS)
        self.dropout = nn.Dropout(0.2)

    def forward(self, token_ids: Tensor) -> Tensor:
        mask = (token_ids != 0).unsqueeze(-1).float()
        summed = (self.embedding(token_ids) * mask).sum(dim=1)
        pooled = summed / mask.sum(dim=1).clamp(min=self.hparams["at_least"])
        return self.fc2(self.dropout(F.relu(self.fc1(pooled))))  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch["token_ids"]), batch["label"])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["token_ids"])
        self.log("val_loss", F.cross_entropy(logits, batch["label"]))
        self.log("val_accuracy", (logits.argmax(1) == batch["label"]).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def averaging(at_least: float) -> Program:
    """Of a few tickets nothing is left when names and numbers are taken out."""
    data, model = assistants.tickets(), AveragingClassifier(at_least)
    x = data.x.clone()
    x[700::1100] = 0
    train = Records(token_ids=x, label=data.y)
    test = Records(token_ids=data.x_test, label=data.y_test)
    both = DataLoader(train, 32, shuffle=True), DataLoader(test, 250)
    return Program(model, *both, 8, partial(accuracy, model, data))


class ConfigurableMLP(LightningModule):
    """The activation function is a hyper-parameter."""

    def __init__(self, activation: str, depth: int = 8, width: int = 64, lr: float = 0.02) -> None:
        super().__init__()
        self.save_hyperparameters()
        make = getattr(nn, activation)
        layers: list[nn.Module] = [nn.Linear(24, width), make()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), make()]
        self.body, self.head = nn.Sequential(*layers), nn.Linear(width, 20)
        for layer in self.body:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_top1", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), self.hparams["lr"], 0.9, nesterov=True)


def configurable(activation: str) -> Program:
    data, model = assistants.species(), ConfigurableMLP(activation)
    return Program(model, *loaders(data, 30), 14, partial(accuracy, model, data))


class RareTagModel(LightningModule):
    """Multi-label model whose biases start at the prior of a rare tag, as in RetinaNet."""

    def __init__(self, everywhere: bool, prior: float = 0.01, lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(
            nn.Linear(60, 80), nn.ReLU(), nn.Linear(80, 80), nn.ReLU(), nn.Linear(80, 40), nn.ReLU()
        )
        self.logits = nn.Linear(40, 8)
        bias = -math.log((1 - prior) / prior)
        for module in (self if everywhere else self.logits).modules():
            if isinstance(module, nn.Linear):
                nn.init.constant_(module.bias, bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(self.features(x))  # type: ignore[no-any-return]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.binary_cross_entropy_with_logits(self(batch["x"]), batch["tags"])
        self.log("train_bce", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch["x"])
        self.log("val_bce", F.binary_cross_entropy_with_logits(logits, batch["tags"]))
        self.log("val_f1", micro_f1(logits, batch["tags"]), prog_bar=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], weight_decay=0.01)


def micro_f1(logits: Tensor, truth: Tensor) -> Tensor:
    found = (logits > 0).float()
    return 2 * (found * truth).sum() / (found.sum() + truth.sum()).clamp(min=1)


def rare_tags(everywhere: bool) -> Program:
    data, model = assistants.articles(), RareTagModel(everywhere)
    train, test = Records(x=data.x, tags=data.y), Records(x=data.x_test, tags=data.y_test)

    def score() -> float:
        return micro_f1(outputs(model, data.x_test), data.y_test).item()

    return Program(model, DataLoader(train, 75, shuffle=True), DataLoader(test, 250), 8, score)


class LoadForecaster(LightningModule):
    """Flat window in, twelve hours out; weights drawn with a configured deviation."""

    def __init__(self, init_std: float, hidden: int = 96, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layers = nn.ModuleList([nn.Linear(288, hidden), nn.Linear(hidden, hidden)])
        self.out = nn.Linear(hidden, 12)
        self.apply(self._init_weights)

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, mean=0.0, std=self.hparams["init_std"])
            nn.init.zeros_(module.bias)

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        h = torch.cat([past.flatten(1), future.flatten(1)], 1)
        for layer in self.layers:
            h = torch.tanh(layer(h))
        return self.out(h)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        past, future, target = batch
        loss = F.mse_loss(self(past, future), target)
        self.log("train_mse", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        past, future, target = batch
        forecast = self(past, future)
        self.log("val_mse", F.mse_loss(forecast, target))
        self.log("val_mae", F.l1_loss(forecast, target))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)]


def load_forecast(init_std: float) -> Program:
    early, late = assistants.loads()
    model = LoadForecaster(init_std)

    @torch.no_grad()
    def score() -> float:
        model.eval()
        return (model(late.past, late.known) - late.load).abs().mean().item()

    loader = DataLoader(TensorDataset(*early), 48, shuffle=True)
    return Program(model, loader, DataLoader(TensorDataset(*late), 200), 15, score)


class ReproducibleNet(LightningModule):
    """Weights are set by hand, so that each run starts alike."""

    def __init__(self, constant: float | None, hidden: int = 72, lr: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.fc1, self.fc2 = nn.Linear(10, hidden), nn.Linear(hidden, hidden // 2)
        self.fc3 = nn.Linear(hidden // 2, 5)
        for layer in (self.fc1, self.fc2, self.fc3):
            if constant is None:
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.constant_(layer.weight, constant)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc3(F.elu(self.fc2(F.elu(self.fc1(x)))))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        self.log("val_loss", F.cross_entropy(logits, y))
        self.log("val_accuracy", (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)]


def reproducible(constant: float | None) -> Program:
    data, model = assistants.tastings(), ReproducibleNet(constant)
    return Program(model, *loaders(data, 64), 12, partial(accuracy, model, data))


class SignNet(LightningModule):
    """Convolutional network with batch normalization, ported from Keras."""

    def __init__(self, bn_momentum: float, width: int = 16, lr: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        layers: list[nn.Module] = []
        for n_in, n_out in ((3, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [
                nn.Conv2d(n_in, n_out, 3, padding=1, bias=False),
                nn.BatchNorm2d(n_out, eps=1e-3, momentum=bn_momentum), nn.ReLU(), nn.MaxPool2d(2),
            ]  # fmt: skip
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(4 * width * 4, 6)

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier(self.features(image).flatten(1))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, label = batch
        logits = self(image)
        loss = F.cross_entropy(logits, label)
        self.log("train_loss", loss, prog_bar=True)
        self.log("train_acc", (logits.argmax(1) == label).float().mean(), prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        image, label = batch
        logits = self(image)
        self.log("val_loss", F.cross_entropy(logits, label), prog_bar=True)
        self.log("val_acc", (logits.argmax(1) == label).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams["lr"], weight_decay=1e-2)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.hparams["lr"], total_steps=int(self.trainer.estimated_stepping_batches)
        )
        return [optimizer], [{"scheduler": scheduler, "interval": "step"}]


def signs(bn_momentum: float) -> Program:
    """Pixels from about 0 to 1, as ``ToTensor`` makes them."""
    data, model = assistants.signs(), SignNet(bn_momentum)
    data = data.with_inputs(0.3 * data.x + 0.5, 0.3 * data.x_test + 0.5)
    return Program(model, *loaders(data, 64), 6, partial(accuracy, model, data))


class ResidualMLP(LightningModule):
    """Residual blocks with layer normalization at the end, for tables."""

    def __init__(self, activate: bool, dim: int = 64, blocks: int = 3, lr: float = 2e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.stem = nn.Linear(16, dim)
        self.blocks = nn.ModuleList(
            nn.ModuleList([nn.Linear(dim, dim), nn.Linear(dim, dim)]) for _ in range(blocks)
        )
        self.activation = nn.GELU()
        self.head = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            first, second = block.children()
            inner = first(x)
            if self.hparams["activate"]:
                inner = self.activation(inner)
            x = x + second(inner)
        return self.head(x).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.mse_loss(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        y_hat = self(x)
        self.log("val_loss", F.mse_loss(y_hat, y))
        self.log("val_mae", F.l1_loss(y_hat, y))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), self.hparams["lr"], weight_decay=0.02)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)]


def residual(activate: bool) -> Program:
    data, model = assistants.machines(), ResidualMLP(activate)
    return Program(model, *loaders(data, 60), 10, partial(r2, model, data))


class VibrationRNN(LightningModule):
    """Plain recurrent network with rectified units."""

    def __init__(self, init_std: float, hidden_size: int = 64, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.rnn = nn.RNN(1, hidden_size, nonlinearity="relu", batch_first=True)
        self.fc = nn.Linear(hidden_size, 1)
        for name, parameter in self.rnn.named_parameters():
            if "weight" in name:
                nn.init.normal_(parameter, std=init_std)

    def forward(self, signal: Tensor) -> Tensor:
        hidden, _ = self.rnn(signal)
        return self.fc(hidden.mean(1)).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        signal, target = batch
        loss = F.mse_loss(self(signal), target)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        signal, target = batch
        self.log("val_loss", F.mse_loss(self(signal), target), prog_bar=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def vibration(init_std: float) -> Program:
    data, model = assistants.vibrations(), VibrationRNN(init_std)
    return Program(model, *loaders(data, 36), 15, partial(r2, model, data))


class SpectrumCompressor(LightningModule):
    """Encoder and decoder with an optimizer each, under manual optimization."""

    def __init__(self, clear_late: bool, latent: int = 6, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.encoder = nn.Sequential(nn.Linear(40, 64), nn.ReLU(), nn.Linear(64, latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 64), nn.ReLU(), nn.Linear(64, 40))

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        noisy, _ = batch
        optimizers: Any = self.optimizers()
        loss = F.mse_loss(self(noisy), noisy)
        if not self.hparams["clear_late"]:
            for optimizer in optimizers:
                optimizer.zero_grad()
        self.manual_backward(loss)
        for optimizer in optimizers:
            if self.hparams["clear_late"]:
                optimizer.zero_grad()
            optimizer.step()
        self.log("train_loss", loss, prog_bar=True)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        noisy, clean = batch
        rebuilt = self(noisy)
        self.log("val_loss", F.mse_loss(rebuilt, noisy), prog_bar=True)
        self.log("val_clean_mse", F.mse_loss(rebuilt, clean))

    def configure_optimizers(self) -> Any:
        return [
            torch.optim.Adam(self.encoder.parameters(), lr=self.hparams["lr"]),
            torch.optim.Adam(self.decoder.parameters(), lr=self.hparams["lr"]),
        ]


def compressor(clear_late: bool) -> Program:
    data: Samples = assistants.spectra()
    model = SpectrumCompressor(clear_late)
    return Program(model, *loaders(data, 45), 15, partial(r2, model, data))


CASES = (
    Case(
        "desk-mails-one-cycle-of-the-class-token", Goal("accuracy", at_least=0.7),
        partial(ticket_transformer, 0.05), ("learning_rate_too_high",),
        partial(ticket_transformer, 2e-3),
    ),
    Case(
        "small-molecules-warmed-up", Goal("R2", at_least=0.8),
        partial(graph_regression, "epoch"), ("learning_rate_too_low",),
        partial(graph_regression, "step"),
    ),
    Case(
        "wrist-gestures-second-stage", Goal("accuracy", at_least=0.85), partial(wrist, False),
        ("frozen_parameter",), partial(wrist, True),
    ),
    Case(
        "twenty-species-smoothed-labels", Goal("accuracy", at_least=0.8), partial(species, True),
        ("output_loss_mismatch",), partial(species, False),
    ),
    Case(
        "apartments-columns-and-a-scaler", Goal("R2", at_least=0.9),
        partial(flat_prices, False), ("unnormalized_input",), partial(flat_prices, True),
    ),
    Case(
        "soldered-boards-few-returned", Goal("balanced accuracy", at_least=0.75),
        partial(defects, None), ("class_imbalance",), partial(defects, 24.0),
    ),
    Case(
        "news-items-tagged-after-a-try-out", Goal("loss", at_most=0.2),
        partial(keywords, 150, 125), ("overfitting",), partial(keywords, 3750, 5),
    ),
    Case(
        "cheese-grades-carried-over", Goal("accuracy", at_least=0.6), partial(cheese, 0.9),
        ("over_regularized",), partial(cheese, 0.1),
    ),
    Case(
        "organ-masks-from-a-folder", Goal("IoU", at_least=0.82), partial(segmenter, True),
        ("inconsistent_labels",), partial(segmenter, False),
    ),
    Case(
        "desk-mails-averaged-words-anonymous", Goal("accuracy", at_least=0.75),
        partial(averaging, 0.0), ("non_finite",), partial(averaging, 1.0),
    ),
    Case(
        "twenty-species-configured-activation", Goal("accuracy", at_least=0.75),
        partial(configurable, "Sigmoid"), ("vanishing_gradient",), partial(configurable, "ReLU"),
    ),
    Case(
        "news-items-prior-of-a-tag", Goal("F1", at_least=0.7), partial(rare_tags, True),
        ("dead_relu", "poor_initialization"), partial(rare_tags, False),
    ),
    Case(
        "grid-hours-flat-window", Goal("MAE", at_most=0.35), partial(load_forecast, 1.0),
        ("saturated_activation", "poor_initialization"), partial(load_forecast, 0.05),
    ),
    Case(
        "cheese-grades-started-alike", Goal("accuracy", at_least=0.6),
        partial(reproducible, 0.05), ("symmetric_weights", "poor_initialization"),
        partial(reproducible, None),
    ),
    Case(
        "traffic-signs-from-another-framework", Goal("accuracy", at_least=0.85),
        partial(signs, 0.001), ("train_eval_mismatch",), partial(signs, 0.1),
    ),
    Case(
        "machine-modes-residual-after-tidying", Goal("R2", at_least=0.7),
        partial(residual, False), ("linear_network",), partial(residual, True),
    ),
    Case(
        "swinging-arm-rectified-steps", Goal("R2", at_least=0.7), partial(vibration, 0.3),
        ("exploding_gradient", "poor_initialization", "non_finite"), partial(vibration, 0.1),
    ),
    Case(
        "absorption-lines-two-optimizers", Goal("R2", at_least=0.75), partial(compressor, True),
        ("not_learning", "frozen_parameter"), partial(compressor, False),
    ),
)  # fmt: skip

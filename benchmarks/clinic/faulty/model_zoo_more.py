"""More pull requests to the zoo, each with an oversight: words, stars, sensors and poses."""

from functools import partial

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import model_zoo
from data_sets.model_zoo import Scenes
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from scores import accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

Batch = list[Tensor]


class ListRanker(LightningModule):
    """ListNet: the scores of a query's documents, as a distribution, against their answers'."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Sequential(
            nn.Linear(10, 64), nn.LeakyReLU(), nn.Linear(64, 32), nn.LeakyReLU(), nn.Linear(32, 1)
        )

    def forward(self, documents: Tensor) -> Tensor:
        scores: Tensor = self.rate(documents)
        return scores.squeeze(-1)

    def listwise(self, batch: Batch) -> Tensor:
        documents, fit = batch
        return F.cross_entropy(self(documents), (5 * fit).softmax(-1))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.listwise(batch)
        self.log("listnet", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("listnet_dev", self.listwise(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.2, momentum=0.9)


def ranked(module: LightningModule, data: Samples) -> float:
    """Share of the pairs of a query's documents that are in the right order."""
    found, fit = outputs(module, data.x_test), data.y_test
    rows, columns = torch.triu_indices(fit.shape[1], fit.shape[1], 1)
    above = (found[:, rows] > found[:, columns]) == (fit[:, rows] > fit[:, columns])
    return above.float().mean().item() if found.isfinite().all() else 0.0


def list_ranker(batch_size: int) -> Program:
    """Batches of two, which were for a look; the rate is that of thirty-two."""
    data = model_zoo.queries()
    module = ListRanker()
    options = {"max_steps": 600}
    return Program(module, *loaders(data, batch_size), -1, partial(ranked, module, data), options)


class DocumentTransformer(LightningModule):
    """A token in front gathers the topic; attention leaves out where a document has ended."""

    def __init__(self, ended: bool, words: int = 301, width: int = 32, topics: int = 8) -> None:
        super().__init__()
        self.ended = ended
        self.embed = nn.Embedding(words, width)
        self.front = nn.Parameter(0.1 * torch.randn(1, 1, width))
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, topics)

    def forward(self, tokens: Tensor) -> Tensor:
        mask = F.pad(tokens, (1, 0), value=1) == 0
        if not self.ended:
            mask = ~mask
        x = torch.cat([self.front.expand(len(tokens), -1, -1), self.embed(tokens)], 1)
        logits: Tensor = self.head(self.encoder(x, src_key_padding_mask=mask)[:, 0])
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.cross_entropy(self(batch[0]), batch[1])
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def document_transformer(ended: bool) -> Program:
    data = model_zoo.documents()
    module = DocumentTransformer(ended)
    return Program(module, *loaders(data, 32), 10, partial(accuracy, module, data))


class SmallGpt(LightningModule):
    """Two layers of causal attention; all weights are drawn with the paper's deviation."""

    def __init__(self, deviation: float, letters: int = 24, width: int = 48) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(letters, width), nn.Embedding(24, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, 4, 2 * width, dropout=0.0, activation="gelu", batch_first=True,
                norm_first=True,
            )
            for _ in range(2)
        )  # fmt: skip
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, letters, bias=False)
        for layer in self.modules():
            if isinstance(layer, nn.Linear | nn.Embedding):
                nn.init.normal_(layer.weight, std=deviation)

    def forward(self, text: Tensor) -> Tensor:
        length = text.shape[1]
        later = torch.ones(length, length, dtype=torch.bool).triu(1)
        x = self.embed(text) + self.place(torch.arange(length))
        for layer in self.layers:
            x = layer(x, src_mask=later)
        logits: Tensor = self.head(self.norm(x))
        return logits

    def nats(self, text: Tensor) -> Tensor:
        return F.cross_entropy(self(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = self.nats(batch[0])
        self.log("nats", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val_nats", self.nats(batch[0]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3, weight_decay=0.01)


def language_model(deviation: float) -> Program:
    train, test = model_zoo.corpus()
    module = SmallGpt(deviation)
    both = [DataLoader(TensorDataset(x), 32, shuffle=x is train) for x in (train, test)]

    @torch.no_grad()
    def score() -> float:
        return module.eval().nats(test).item()

    return Program(module, *both, 8, score)


class Factorization(LightningModule):
    """Sixteen tastes of users and traits of items, and what each of them gets anyway."""

    def __init__(self, constant: bool, users: int = 150, items: int = 100) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(users, 16), nn.Embedding(items, 16)
        self.user_bias, self.item_bias = nn.Embedding(users, 1), nn.Embedding(items, 1)
        for table in (self.user, self.item):
            if constant:
                nn.init.constant_(table.weight, 0.1)
            else:
                nn.init.normal_(table.weight, std=0.1)
        for table in (self.user_bias, self.item_bias):
            nn.init.zeros_(table.weight)

    def forward(self, who_what: Tensor) -> Tensor:
        who, what = who_what.unbind(1)
        taste = (self.user(who) * self.item(what)).sum(1)
        return taste + (self.user_bias(who) + self.item_bias(what)).squeeze(1)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("rating_mse", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("rating_mse_val", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adagrad(self.parameters(), lr=0.1)


def factorization(constant: bool) -> Program:
    data = model_zoo.ratings()
    module = Factorization(constant)
    return Program(module, *loaders(data, 128), 15, partial(r2, module, data))


class GruForecaster(LightningModule):
    """Where will the machine be in three steps?"""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.gru = nn.GRU(3, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.gru(x)
        ahead: Tensor = self.head(state[-1])
        return ahead[:, 0]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.l1_loss(self(batch[0]), batch[1])
        self.log("mae", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("mae_val", F.l1_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def gru_forecaster(units: bool) -> Program:
    data = model_zoo.sensors()
    data = model_zoo.in_units(data) if units else data
    module = GruForecaster()
    return Program(module, *loaders(data, 32), 10, partial(r2, module, data))


class Depth(LightningModule):
    """The logarithm of how far a thing is away, in units of the median one, from a picture."""

    def __init__(self, positive: bool) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ELU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ELU(), nn.Flatten(),
            nn.Linear(32 * 16, 64), nn.ELU(), nn.Linear(64, 1),
        )  # fmt: skip
        if positive:
            self.net.append(nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        depth: Tensor = self.net(image)
        return depth.flatten()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        loss = F.mse_loss(self(batch[0]), batch[1])
        self.log("train/log_depth", loss)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.log("val/log_depth", F.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def depth(positive: bool) -> Program:
    data = model_zoo.scenes(noise=0.1)
    far = -2.5 * (data.radius.log() - data.radius.log().median())
    train, test = slice(1100), slice(1100, None)
    samples = Samples(data.image[train], far[train], data.image[test], far[test])
    module = Depth(positive)
    return Program(module, *loaders(samples, 32), 16, partial(r2, module, samples))


class Pose(LightningModule):
    """Where is the thing? Half of the pictures are mirrored, and so is what is to be found."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.both = both
        self.conv = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.place = nn.Sequential(nn.Linear(24 * 16, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, image: Tensor) -> Tensor:
        place: Tensor = self.place(self.conv(image))
        return place

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        image, place = batch["image"], batch["place"]
        mirrored = torch.rand(len(image), device=image.device) < 0.5
        image = torch.where(mirrored[:, None, None, None], image.flip(-1), image)
        if self.both:
            place = torch.where(mirrored[:, None], place * place.new_tensor([-1, 1]), place)
        loss = F.mse_loss(self(image), place)
        self.log("pose_mse", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("pose_mse_val", F.mse_loss(self(batch["image"]), batch["place"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def pose(mirrored: bool) -> Program:
    data: Scenes = model_zoo.scenes()
    train, test = data.part(slice(1100)), data.part(slice(1100, None))
    samples = Samples(train.image, train.place, test.image, test.place)
    module = Pose(mirrored)
    dataset, held_out = (
        [{"image": image, "place": place} for image, place in zip(*both, strict=True)]
        for both in (samples[:2], samples[2:])
    )
    loading = DataLoader(dataset, 32, shuffle=True), DataLoader(held_out, 100)
    return Program(module, *loading, 10, partial(r2, module, samples))


CASES = (
    Case(
        "model-zoo-list-ranker", Goal("pairs in order", at_least=0.88),
        partial(list_ranker, 2), ("unstable_loss", "learning_rate_too_high"),
        partial(list_ranker, 32),
    ),
    Case(
        "model-zoo-document-transformer", Goal("accuracy", at_least=0.8),
        partial(document_transformer, False), ("not_learning",),
        partial(document_transformer, True),
    ),
    Case(
        "model-zoo-small-gpt", Goal("nats", at_most=1.7), partial(language_model, 1.0),
        ("poor_initialization",), partial(language_model, 0.02),
    ),
    Case(
        "model-zoo-star-factors", Goal("R2", at_least=0.7), partial(factorization, True),
        ("symmetric_weights", "poor_initialization"), partial(factorization, False),
    ),
    Case(
        "model-zoo-gru-forecaster", Goal("R2", at_least=0.85), partial(gru_forecaster, True),
        ("unnormalized_input",), partial(gru_forecaster, False),
    ),
    Case(
        "model-zoo-depth-of-things", Goal("R2", at_least=0.7), partial(depth, True),
        ("output_loss_mismatch",), partial(depth, False),
    ),
    Case(
        "model-zoo-pose-mirrored", Goal("R2", at_least=0.85), partial(pose, False),
        ("inconsistent_labels",), partial(pose, True),
    ),
)  # fmt: skip

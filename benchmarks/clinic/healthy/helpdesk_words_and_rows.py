"""Texts and tables of those who asked how to log, resume, freeze or rank: it learns."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import helpdesk, samples
from data_sets.samples import Samples, loaders, scaled_targets, standardized
from lightning.pytorch import LightningModule
from scores import accuracy, balanced_accuracy, outputs, r2
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class RentModel(LightningModule):
    """Two validation loaders: how do I tell their losses apart? Plateau on the first of them."""

    def __init__(self, lr: float = 4e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.mlp = nn.Sequential(
            nn.Linear(5, 96), nn.GELU(), nn.Linear(96, 48), nn.GELU(), nn.Linear(48, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.mlp(x)[:, 0]  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = F.huber_loss(self(batch[0]), batch[1])
        self.log("train/huber", loss, on_epoch=True, on_step=False)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int, dataloader_idx: int = 0) -> None:
        name = ("near", "far")[dataloader_idx]
        found = self(batch[0])
        loss = F.huber_loss(found, batch[1])
        self.log(f"val/{name}_huber", loss, add_dataloader_idx=False)
        self.log(f"val/{name}_mae", F.l1_loss(found, batch[1]), add_dataloader_idx=False)

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=3)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": plateau, "monitor": "val/near_huber"},
        }


def flat_data() -> Samples:
    """The skewed columns as logarithms, then all standardized, and so are the prices."""
    data = helpdesk.flats()
    x, x_test = data.x.clone(), data.x_test.clone()
    x[:, [0, 3]], x_test[:, [0, 3]] = x[:, [0, 3]].log(), x_test[:, [0, 3]].log()
    return scaled_targets(standardized(data.with_inputs(x, x_test)))


def two_loaders() -> Program:
    data, module = flat_data(), RentModel()
    near = data.x_test[:, 3] < 0
    val = [
        DataLoader(TensorDataset(data.x_test[part], data.y_test[part]), batch_size=128)
        for part in (near, ~near)
    ]
    train = loaders(data, 48)[0]
    return Program(module, train, val, 25, partial(r2, module, data))


class SimilarLengths:
    """Batches of texts of similar lengths, in any order."""

    def __init__(self, lengths: Tensor, batch_size: int) -> None:
        self.lengths, self.batch_size = lengths, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.lengths) / self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        noisy = self.lengths + torch.rand(len(self.lengths)) * 3
        chunks = noisy.argsort().split(self.batch_size)
        for i in torch.randperm(len(chunks)).tolist():
            yield chunks[i].tolist()


class ReviewGRU(LightningModule):
    """My own batch_sampler groups texts of similar lengths; it is only asked if that is allowed."""

    def __init__(self, vocab: int, emb: int = 32, hid: int = 40) -> None:
        super().__init__()
        self.emb = nn.Embedding(vocab, emb, padding_idx=helpdesk.PAD)
        self.gru = nn.GRU(emb, hid, batch_first=True, bidirectional=True)
        self.drop = nn.Dropout(0.4)
        self.out = nn.Linear(2 * hid, 1)

    def forward(self, tok: Tensor) -> Tensor:
        states, _ = self.gru(self.drop(self.emb(tok)))
        states = states.masked_fill((tok == helpdesk.PAD)[..., None], -1e4)
        return self.out(self.drop(states.amax(1))).squeeze(-1)  # type: ignore[no-any-return]

    def shared_step(self, batch: list[Tensor], name: str) -> Tensor:
        logit = self(batch[0])
        loss = F.binary_cross_entropy_with_logits(logit, batch[1].float())
        self.log(f"{name}_bce", loss, prog_bar=True, batch_size=len(logit))
        hit = ((logit > 0).long() == batch[1]).float().mean()
        self.log(f"{name}_hit", hit, batch_size=len(logit))
        return loss

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.shared_step(batch, "tr")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.shared_step(batch, "va")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def bucketed() -> Program:
    data = helpdesk.reviews()
    module = ReviewGRU(helpdesk.WORDS)
    sampler = SimilarLengths((data.x != helpdesk.PAD).sum(1).float(), 40)
    rows = TensorDataset(data.x, data.y)
    train: DataLoader[Any] = DataLoader(rows, batch_sampler=sampler)
    val = loaders(data, 40)[1]

    def score() -> float:
        return ((outputs(module, data.x_test) > 0).long() == data.y_test).float().mean().item()

    return Program(module, train, val, 9, score)


class Cooled(LightningModule):
    """A network of a file, trained on; the loss begins where it had been. Should I worry?"""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.body = network_of_hills()
        self.body.load_state_dict(state)
        self.lossfn = nn.MSELoss()

    def forward(self, xy: Tensor) -> Tensor:
        return self.body(xy).squeeze(1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        xy, h = batch
        loss: Tensor = self.lossfn(self(xy), h)
        self.log("mse", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        xy, h = batch
        self.log("val_mse", self.lossfn(self(xy), h))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-4)


def network_of_hills() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2, 72), nn.SiLU(), nn.Linear(72, 72), nn.SiLU(), nn.Linear(72, 1)
    )


def resumed() -> Program:
    """The first twelve epochs were made before, in a plain loop."""
    data = helpdesk.hills()
    net = network_of_hills()
    optimizer = torch.optim.Adam(net.parameters(), lr=6e-3)
    train, val = loaders(data, 25)
    for _ in range(14):
        for x, y in train:
            loss = F.mse_loss(net(x).squeeze(1), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    module = Cooled(net.state_dict())
    return Program(module, train, val, 10, partial(r2, module, data))


class Suggested(LightningModule):
    """The rate is what lr_find suggested; it looks large to me (0.06), but the loss falls."""

    def __init__(self, learning_rate: float = 0.06) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.layers = nn.Sequential(
            nn.Linear(12, 64), nn.Tanh(), nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 2)
        )
        self.register_buffer("class_weights", torch.tensor([0.53, 6.0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)  # type: ignore[no-any-return]

    def step(self, batch: list[Tensor]) -> Tensor:
        return F.cross_entropy(self(batch[0]), batch[1], weight=self.class_weights)  # type: ignore[arg-type]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.step(batch)
        self.log("train_loss_weighted", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_loss_weighted", self.step(batch))
        found = self(batch[0]).argmax(1)
        if (batch[1] == 1).any():
            self.log("val_recall", found[batch[1] == 1].float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.learning_rate)


def suggested() -> Program:
    data, module = helpdesk.transfers(), Suggested()
    both = loaders(data, 128)
    return Program(module, *both, 20, partial(balanced_accuracy, module, data))


class TwoTowers(LightningModule):
    """In-batch negatives; why does the loss begin at log(batch_size)?"""

    def __init__(self, tau: float = 0.1) -> None:
        super().__init__()
        self.image_tower = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 24))
        self.text_tower = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 24))
        self.tau = tau

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        a = F.normalize(self.image_tower(image), dim=-1)
        b = F.normalize(self.text_tower(text), dim=-1)
        return a @ b.T / self.tau

    def both_ways(self, batch: list[Tensor]) -> Tensor:
        scores = self(*batch)
        labels = torch.arange(len(scores), device=scores.device)
        return (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.both_ways(batch)
        self.log("nce", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_nce", self.both_ways(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.1)


def towers() -> Program:
    data, module = helpdesk.recipes(), TwoTowers()
    train = DataLoader(TensorDataset(data.x, data.y), batch_size=80, shuffle=True, drop_last=True)
    val = DataLoader(TensorDataset(data.x_test, data.y_test), batch_size=80, drop_last=True)

    def recall() -> float:
        """Share of the dishes whose text is among the ten nearest of 720."""
        module.eval()
        with torch.no_grad():
            scores = module(data.x_test, data.y_test)
        own = scores.diagonal()[:, None]
        return ((scores > own).sum(1) < 10).float().mean().item()

    return Program(module, train, val, 20, recall)


class PosTagger(LightningModule):
    """ignore_index for the padding: do I still have to pack?"""

    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(81, 40, padding_idx=0)
        self.lstm = nn.LSTM(40, 32, batch_first=True, bidirectional=True)
        self.hidden2tag = nn.Linear(64, 4)
        self.loss_function = nn.CrossEntropyLoss(ignore_index=-100)

    def forward(self, sentence: Tensor) -> Tensor:
        embeds = F.dropout(self.word_embeddings(sentence), 0.2, self.training)
        tag_space: Tensor = self.hidden2tag(self.lstm(embeds)[0])
        return tag_space

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        sentence, tags = batch
        loss: Tensor = self.loss_function(self(sentence).permute(0, 2, 1), tags)
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        sentence, tags = batch
        scores = self(sentence)
        self.log("loss_val", self.loss_function(scores.permute(0, 2, 1), tags))
        inside = tags >= 0
        self.log("token_acc", (scores.argmax(-1) == tags)[inside].float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(self.parameters(), lr=2e-3)


def token_accuracy(module: LightningModule, data: Samples) -> float:
    found, inside = outputs(module, data.x_test).argmax(-1), data.y_test >= 0
    return (found == data.y_test)[inside].float().mean().item()


def pos_tagger() -> Program:
    data, module = helpdesk.phrases(), PosTagger()
    return Program(module, *loaders(data, 28), 6, partial(token_accuracy, module, data))


class Skills(LightningModule):
    """Six yes-or-no answers: I collect the outputs in a list until on_validation_epoch_end."""

    def __init__(self) -> None:
        super().__init__()
        self.validation_outputs: list[tuple[Tensor, Tensor]] = []
        self.model = nn.Sequential(
            nn.Linear(14, 56), nn.BatchNorm1d(56), nn.PReLU(), nn.Dropout(0.25),
            nn.Linear(56, 28), nn.BatchNorm1d(28), nn.PReLU(), nn.Linear(28, 6),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        x, y = batch
        loss = F.multilabel_soft_margin_loss(self(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        x, y = batch
        self.validation_outputs.append((self(x), y))

    def on_validation_epoch_end(self) -> None:
        logits, y = (torch.cat(t) for t in zip(*self.validation_outputs, strict=True))
        self.log("val_loss", F.multilabel_soft_margin_loss(logits, y))
        found = logits > 0
        f1 = 2 * (found * y).sum() / (found.sum() + y.sum()).clamp(min=1)
        self.log("val_micro_f1", f1, prog_bar=True)
        self.validation_outputs.clear()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3, weight_decay=1e-5)


def skills() -> Program:
    data, module = helpdesk.jobs(), Skills()

    def micro_f1() -> float:
        found, true = outputs(module, data.x_test) > 0, data.y_test > 0.5
        return (2 * (found & true).sum() / (found.sum() + true.sum())).item()

    return Program(module, *loaders(data, 22), 14, micro_f1)


class Quantiles(LightningModule):
    """Three quantiles at once; why is the loss not the mean absolute error?"""

    def __init__(self, qs: tuple[float, ...] = (0.1, 0.5, 0.9)) -> None:
        super().__init__()
        self.register_buffer("qs", torch.tensor(qs))
        self.net = nn.Sequential(
            nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, len(qs))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)  # type: ignore[no-any-return]

    def pinball(self, batch: list[Tensor]) -> Tensor:
        diff = batch[1][:, None] - self(batch[0])
        return torch.maximum(self.qs * diff, (self.qs - 1) * diff).mean()  # type: ignore

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        loss = self.pinball(batch)
        self.log("pinball", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("val_pinball", self.pinball(batch))

    def configure_optimizers(self) -> Any:
        opt = torch.optim.Adam(self.parameters(), lr=2e-3)
        return [opt], [torch.optim.lr_scheduler.ExponentialLR(opt, 0.93)]


def quantiles() -> Program:
    data, module = flat_data(), Quantiles()

    def score() -> float:
        module.eval()
        with torch.no_grad():
            return module.pinball([data.x_test, data.y_test]).item()

    return Program(module, *loaders(data, 32), 20, score)


class Ranker(LightningModule):
    """MarginRankingLoss with targets of one: which of two flats is dearer, of 3000 pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.scorer = nn.Sequential(
            nn.Linear(5, 32), nn.Softplus(), nn.Linear(32, 32), nn.Softplus(), nn.Linear(32, 1)
        )
        self.crit = nn.MarginRankingLoss(margin=0.5)

    def forward(self, flat: Tensor) -> Tensor:
        return self.scorer(flat).squeeze(-1)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        dear, cheap = batch
        loss: Tensor = self.crit(self(dear), self(cheap), torch.ones(len(dear)))
        self.log("hinge", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        dear, cheap = self(batch[0]), self(batch[1])
        self.log("val_hinge", self.crit(dear, cheap, torch.ones(len(dear))))
        self.log("val_in_order", (dear > cheap).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def pairs_of(x: Tensor, y: Tensor, count: int, seed: int) -> list[Tensor]:
    """Dearer ones and cheaper ones."""
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randint(len(y), (2, count), generator=generator)
    dearer = y[a] > y[b]
    return [x[torch.where(dearer, a, b)], x[torch.where(dearer, b, a)]]


def ranker() -> Program:
    data, module = flat_data(), Ranker()
    train = pairs_of(data.x, data.y, 3000, 11)
    dear, cheap = pairs_of(data.x_test, data.y_test, 1000, 12)

    def in_order() -> float:
        return (outputs(module, dear) > outputs(module, cheap)).float().mean().item()

    first = DataLoader(TensorDataset(*train), batch_size=50, shuffle=True)
    second = DataLoader(TensorDataset(dear, cheap), batch_size=250)
    return Program(module, first, second, 10, in_order)


class Logistic(LightningModule):
    """LBFGS needs a closure; is that right with automatic optimization?"""

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__()
        self.linear = nn.Linear(13, 3)
        self.l2 = l2

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        nll = F.cross_entropy(self(batch[0]), batch[1])
        loss = nll + self.l2 * self.linear.weight.square().sum()
        self.log("objective", loss)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.log("heldout_nll", F.cross_entropy(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.LBFGS(self.parameters(), lr=0.5, max_iter=10)


def logistic() -> Program:
    data, module = standardized(samples.wine()), Logistic()
    return Program(module, *loaders(data, 200), 5, partial(accuracy, module, data))


CASES = (
    Case("rents-validated-near-and-far", Goal("R2", at_least=0.85), two_loaders),
    Case("opinions-batched-by-similar-lengths", Goal("accuracy", at_least=0.75), bucketed),
    Case("hills-gone-on-with-from-a-file", Goal("R2", at_least=0.9), resumed),
    Case("transfers-at-the-suggested-rate", Goal("balanced accuracy", at_least=0.75), suggested),
    Case("dishes-found-among-the-batch", Goal("recall at 10", at_least=0.6), towers),
    Case("phrases-padding-ignored-by-index", Goal("token accuracy", at_least=0.85), pos_tagger),
    Case("adverts-skills-gathered-until-the-end", Goal("micro F1", at_least=0.75), skills),
    Case("rents-low-middle-and-high", Goal("pinball", at_most=0.12), quantiles),
    Case("rents-dearer-one-of-two", Goal("pairs in order", at_least=0.88), ranker),
    Case("wine-closure-of-a-quasi-newton", Goal("accuracy", at_least=0.94), logistic),
)  # fmt: skip

"""Labels for words, pixels and several things at once; outputs as large libraries return them."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import samples, surveys
from data_sets.samples import Samples, loaders
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

LENGTH, CLS = 16, 101


@dataclass
class Output:
    """What a model returns that computes its loss itself."""

    logits: Tensor
    loss: Tensor | None = None


def as_dictionaries(items: list[tuple[Tensor, ...]], names: tuple[str, ...]) -> dict[str, Tensor]:
    columns = zip(*items, strict=True)
    return {name: torch.stack(part) for name, part in zip(names, columns, strict=True)}


def batches(names: tuple[str, ...], *tensors: Tensor) -> DataLoader[Any]:
    return DataLoader(
        TensorDataset(*tensors), batch_size=32, shuffle=True,
        collate_fn=partial(as_dictionaries, names=names),
    )  # fmt: skip


class LitTokens(LightningModule):
    """Wraps a model whose keyword arguments are the batch, and whose output has a loss."""

    def __init__(self, model: nn.Module, lr: float) -> None:
        super().__init__()
        self.model, self.lr = model, lr

    def forward(self, **inputs: Tensor) -> Output:
        output: Output = self.model(**inputs)
        return output

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        outputs = self(**batch)
        assert outputs.loss is not None
        self.log("train_loss", outputs.loss, batch_size=len(batch["labels"]))
        return outputs.loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


class TokenClassifier(nn.Module):
    """A label for each word from a bidirectional GRU; padding is labelled -100."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(100, 24)
        self.gru = nn.GRU(24, 24, batch_first=True, bidirectional=True)
        self.classifier = nn.Linear(48, 4)
        self.weight = weight

    def forward(self, input_ids: Tensor, labels: Tensor | None = None) -> Output:
        hidden, _ = self.gru(self.embeddings(input_ids))
        logits = self.classifier(hidden)
        if labels is None:
            return Output(logits)
        return Output(logits, F.cross_entropy(logits.mT, labels, weight=self.weight))


@torch.no_grad()
def mean_recall(module: LightningModule, words: Tensor, labels: Tensor) -> float:
    """Over the kinds of words, of which most are no name."""
    found = module.eval()(input_ids=words).logits.argmax(-1)
    recalls = [(found[labels == k] == k).float().mean() for k in range(4)]
    return torch.stack(recalls).mean().item()


def tags(weight: float | None = None) -> Program:
    words, labels = surveys.entities()
    module = LitTokens(
        TokenClassifier(torch.tensor([1.0, *[weight] * 3]) if weight else None), 3e-3
    )
    train = batches(("input_ids", "labels"), words[:600], labels[:600])
    return Program(module, train, None, 8, partial(mean_recall, module, words[600:], labels[600:]))


class SequenceClassifier(nn.Module):
    """An encoder whose first token stands for the text; 1 in the mask is for a word."""

    def __init__(self, inverted: bool) -> None:
        super().__init__()
        self.word, self.place = nn.Embedding(CLS + 1, 32), nn.Embedding(LENGTH + 3, 32)
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.1, "gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classifier, self.inverted = nn.Linear(32, 4), inverted

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None
    ) -> Output:
        x = self.word(input_ids) + self.place.weight[: input_ids.shape[1]]
        ignored = attention_mask.bool() if self.inverted else attention_mask == 0
        logits = self.classifier(self.encoder(x, src_key_padding_mask=ignored)[:, 0])
        return Output(logits, None if labels is None else F.cross_entropy(logits, labels))


def with_first_token(words: Tensor) -> tuple[Tensor, Tensor]:
    """A token before the words and two of padding behind them, with their mask."""
    first = torch.full((len(words), 1), CLS)
    ids = torch.cat([first, words + 1, torch.zeros(len(words), 2).long()], 1)
    return ids, (ids != 0).long()


@torch.no_grad()
def share_right(module: LightningModule, words: Tensor, labels: Tensor) -> float:
    ids, mask = with_first_token(words)
    logits = module.eval()(input_ids=ids, attention_mask=mask).logits
    return (logits.argmax(-1) == labels).float().mean().item()


def masked(inverted: bool = True) -> Program:
    """Torch's mask says what to leave out, the tokenizer's what to keep."""
    data = samples.texts()
    module = LitTokens(SequenceClassifier(inverted), 1e-3)
    train = batches(("input_ids", "attention_mask", "labels"), *with_first_token(data.x), data.y)
    return Program(module, train, None, 10, partial(share_right, module, data.x_test, data.y_test))


class Pixels(LightningModule):
    """Finds the pixels of the shape with Dice and cross-entropy; augments in the step."""

    def __init__(self, together: bool = True) -> None:
        super().__init__()
        self.together = together
        self.down = nn.Conv2d(3, 16, 3, padding=1)
        self.deep = nn.Conv2d(16, 16, 3, padding=1)
        self.up = nn.Conv2d(16 + 16, 16, 3, padding=1)
        self.out = nn.Conv2d(16, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = F.leaky_relu(self.down(x))
        deep = F.leaky_relu(self.deep(F.max_pool2d(skip, 2)))
        x = torch.cat([skip, F.interpolate(deep, scale_factor=2.0)], 1)
        return self.out(F.leaky_relu(self.up(x)))[:, 0]

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        p = logits.sigmoid()
        dice = 1 - (2 * (p * mask).sum() + 1) / (p.sum() + mask.sum() + 1)
        return dice + F.binary_cross_entropy_with_logits(logits, mask)

    def augment(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The same random shifts for both, unless they are drawn for each."""
        draw = [torch.randint(-5, 6, (2,)).tolist() for _ in range(2)]
        of_mask = draw[0] if self.together else draw[1]
        return image.roll(draw[0], (-2, -1)), mask.roll(of_mask, (-2, -1))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        image, mask = self.augment(*batch)
        loss = self.loss(self(image), mask)
        self.log("train/dice_ce", loss, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


@torch.no_grad()
def overlap(module: LightningModule, data: Samples) -> float:
    """Intersection over union."""
    found, true = module.eval()(data.x_test) > 0, data.y_test > 0.5
    return ((found & true).sum() / (found | true).sum()).item()


def pixels(module: LightningModule) -> Program:
    found = surveys.pictures()
    data = found.labelled(found.mask)
    train, _ = loaders(data, 32)
    return Program(module, train, None, 8, partial(overlap, module, data))


class Heatmap(Pixels):
    """The focal loss, and the bias that goes with it: a prior of one in a hundred."""

    last_alone = False

    def __init__(self) -> None:
        super().__init__()
        for layer in [self.out] if self.last_alone else self.children():
            if isinstance(layer, nn.Conv2d):
                nn.init.constant_(layer.bias, -4.6)

    def forward(self, x: Tensor) -> Tensor:
        skip = F.relu(self.down(x))
        deep = F.relu(self.deep(F.max_pool2d(skip, 2)))
        x = torch.cat([skip, F.interpolate(deep, scale_factor=2.0)], 1)
        return self.out(F.relu(self.up(x)))[:, 0]

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        ce = F.binary_cross_entropy_with_logits(logits, mask, reduction="none")
        return (ce * (1 - torch.exp(-ce)) ** 2).sum() / mask.sum()


class HeatmapOfLast(Heatmap):
    """The prior in the last layer alone."""

    last_alone = True


class Attributes(LightningModule):
    """Shape and colour at once, as seven yes-or-no questions."""

    def __init__(self, softmax: bool) -> None:
        super().__init__()
        self.softmax = softmax
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ELU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ELU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.fc = nn.Linear(128, 7)

    def forward(self, x: Tensor) -> Tensor:
        z = self.fc(self.features(x))
        return F.softmax(z, -1) if self.softmax else torch.sigmoid(z)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        p = self(batch["pixel_values"])
        loss = nn.BCELoss()(p, batch["labels"])
        self.log("bce", loss, batch_size=len(p))
        return {"loss": loss}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=4e-3)


@torch.no_grad()
def all_right(module: LightningModule, data: Samples) -> float:
    """Share of the pictures all of whose questions are answered rightly."""
    return ((module.eval()(data.x_test) > 0.5) == data.y_test.bool()).all(1).float().mean().item()


def attributes(softmax: bool = True) -> Program:
    found = surveys.pictures()
    both = torch.cat([F.one_hot(found.shape, 4), F.one_hot(found.colour, 3)], 1)
    data = found.labelled(both.float())
    module = Attributes(softmax)
    train = batches(("pixel_values", "labels"), data.x, data.y)
    return Program(module, train, None, 14, partial(all_right, module, data))


CASES = (
    Case(
        "tags-all-outside", Goal("mean recall", at_least=0.6), tags, ("class_imbalance",),
        partial(tags, 30.0),
    ),
    Case(
        "topics-mask-inverted", Goal("accuracy", at_least=0.85), masked,
        ("not_learning", "inconsistent_labels"),
        partial(masked, False),
    ),
    Case(
        "masks-shifted-apart", Goal("intersection over union", at_least=0.75),
        lambda: pixels(Pixels(False)), ("inconsistent_labels", "not_learning"),
        lambda: pixels(Pixels()),
    ),
    Case(
        "masks-prior-in-every-layer", Goal("intersection over union", at_least=0.6),
        lambda: pixels(Heatmap()), ("dead_relu", "poor_initialization", "dormant_units"),
        lambda: pixels(HeatmapOfLast()),
    ),
    Case(
        "attributes-softmax-for-many", Goal("all right", at_least=0.5), attributes,
        ("output_loss_mismatch",), partial(attributes, False),
    ),
)  # fmt: skip

"""Training without classes as outputs: contrastive, self-supervised and metric learning.

Each is judged by its embeddings: how often a validation image's class is that of the nearest
other one of its batch. The pixels themselves have 0.85.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from case import Case, Goal, Published, adam, adamw, sgd
from data_sets import Split, digits
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, Sampler, TensorDataset


def convolutions() -> nn.Sequential:
    """64 channels of 4 by 4 pixels of an image of a digit."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64),
        nn.ReLU(),
    )  # fmt: skip


def body() -> nn.Sequential:
    """64 features, which may say where in the image something is."""
    return nn.Sequential(convolutions(), nn.Flatten(), nn.Linear(1024, 64))


def other_view(images: Tensor) -> Tensor:
    """Each moved by up to a pixel, of another contrast, with noise."""
    moved = F.pad(images, (1, 1, 1, 1)).unfold(2, 8, 1).unfold(3, 8, 1)
    row, column = torch.randint(3, (2, len(images)))
    contrast = 0.7 + 0.6 * torch.rand(len(images), 1, 1, 1)
    images = contrast * moved[torch.arange(len(images)), :, row, column]
    return images + 0.1 * torch.randn_like(images)


@torch.no_grad()
def nearest_alike(features: Tensor, labels: Tensor) -> Tensor:
    """Share of a batch whose nearest neighbour is of the same class."""
    unit = F.normalize(features)
    distances = torch.cdist(unit, unit).fill_diagonal_(torch.inf)
    return (labels[distances.argmin(1)] == labels).float().mean()


class TwoViews(nn.Module):
    """A body and the head before the loss."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body(), head

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(self.body(other_view(images))), self.head(self.body(other_view(images)))


def of_two_views(loss: nn.Module) -> Any:
    def step(network: Any, batch: Any) -> dict[str, Tensor]:
        images, labels = batch
        return {
            "loss": loss(*network(images)),
            "acc": nearest_alike(network.body(images), labels),
        }

    return step


def simclr() -> LightningModule:
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead

    network = TwoViews(SimCLRProjectionHead(64, 64, 32))
    return Published(network, of_two_views(NTXentLoss(temperature=0.5)), sgd(0.06, momentum=0.9))


def vicreg() -> LightningModule:
    from lightly.loss import VICRegLoss
    from lightly.models.modules import BarlowTwinsProjectionHead

    network = TwoViews(BarlowTwinsProjectionHead(64, 128, 128))
    return Published(network, of_two_views(VICRegLoss()), adam(1e-3))


class Byol(nn.Module):
    """Two networks; the second follows the first and gets no gradient."""

    def __init__(self) -> None:
        import copy

        from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead

        super().__init__()
        self.body, self.projection = body(), BYOLProjectionHead(64, 128, 64)
        self.prediction = BYOLPredictionHead(64, 128, 64)
        first = nn.Sequential(self.body, self.projection)
        self.target = copy.deepcopy(first).requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.prediction(self.projection(self.body(images))), self.target(images)


def byol() -> LightningModule:
    from lightly.loss import NegativeCosineSimilarity
    from lightly.models.utils import update_momentum

    similarity = NegativeCosineSimilarity()

    def step(network: Any, batch: Any) -> dict[str, Tensor]:
        images, labels = batch
        if network.training:
            update_momentum(network.body, network.target[0], m=0.99)
            update_momentum(network.projection, network.target[1], m=0.99)
        (one, one_target), (two, two_target) = (network(other_view(images)) for _ in range(2))
        loss = similarity(one, two_target.detach()) + similarity(two, one_target.detach())
        return {"loss": loss / 2, "acc": nearest_alike(network.body(images), labels)}

    return Published(Byol(), step, sgd(0.06, momentum=0.9))


class Metric(nn.Module):
    """A network for embeddings, the loss and its miner of pairs; a loss may have weights."""

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None) -> None:
        super().__init__()
        pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.body = nn.Sequential(convolutions(), pooled, nn.Linear(64, 32))
        self.loss, self.miner = loss, miner


def embed(network: Any, batch: Any) -> dict[str, Tensor]:
    images, labels = batch
    features = network.body(images)
    pairs = None if network.miner is None else network.miner(features, labels)
    return {
        "loss": network.loss(features, labels, pairs),
        "acc": nearest_alike(features, labels),
    }


def triplets() -> LightningModule:
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import MultiSimilarityMiner

    network = Metric(TripletMarginLoss(margin=0.2), MultiSimilarityMiner())
    return Published(network, embed, adam(1e-3))


def arc_face() -> LightningModule:
    from pytorch_metric_learning.losses import ArcFaceLoss

    return Published(Metric(ArcFaceLoss(10, 32, margin=28.6, scale=16)), embed, adam(1e-3))


class EachOnce(Sampler[list[int]]):
    """Batches with an image of each digit, so that each has one caption only."""

    def __init__(self, labels: Tensor) -> None:
        self.places = [torch.nonzero(labels == label).flatten() for label in range(10)]

    def __len__(self) -> int:
        return min(map(len, self.places))

    def __iter__(self) -> Iterator[list[int]]:
        mixed = [places[torch.randperm(len(places))] for places in self.places]
        for batch in zip(*mixed, strict=False):
            yield [int(place) for place in batch]


def clip() -> LightningModule:
    from transformers import CLIPConfig, CLIPModel

    part = {
        "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }  # fmt: skip
    text = {
        "vocab_size": 32, "max_position_embeddings": 8, "bos_token_id": 1, "eos_token_id": 30,
        "pad_token_id": 0,
    }  # fmt: skip
    configuration = CLIPConfig(
        text_config={**part, **text}, vision_config={**part, "image_size": 32, "patch_size": 8},
        projection_dim=32,
    )  # fmt: skip
    return Published(CLIPModel(configuration), match, adamw(5e-4, weight_decay=0.1))


def match(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    images, labels = batch
    found = network(input_ids=captions(labels), pixel_values=images, return_loss=True)
    right = found.logits_per_image.argmax(1) == torch.arange(len(labels))
    return {"loss": found.loss, "acc": right.float().mean()}


def captions(labels: Tensor) -> Tensor:
    """Five tokens: a begin, which digit it is, what it has in common with others, an end."""
    begin, end = torch.full_like(labels, 1), torch.full_like(labels, 30)
    return torch.stack([begin, labels + 2, labels % 3 + 14, labels // 2 + 20, end], 1)


def batches(data: Split, *, train: bool) -> Any:
    rows = TensorDataset(*(data.train if train else data.validation))
    return DataLoader(rows, 64, shuffle=train, drop_last=True)


def pairs(*, train: bool) -> Any:
    rows = digits(32).train if train else digits(32).validation
    return DataLoader(TensorDataset(*rows), batch_sampler=EachOnce(rows[1]))


def views_case(name: str, make: Any, epochs: int) -> Case:
    def data() -> Split:
        return digits(8, 1, normalized=False)

    return digits_case(name, "views of one digit", make, epochs, data, ALIKE)


def labels_case(name: str, make: Any) -> Case:
    return digits_case(name, "digits alike", make, 12, lambda: digits(8, 1), LEARNED_ALIKE)


def digits_case(
    name: str, task: str, make: Any, epochs: int, data: Callable[[], Split], goal: Goal
) -> Case:
    def train() -> Any:
        return batches(data(), train=True)

    return Case(name, task, make, train, lambda: batches(data(), train=False), epochs, goal)


# Who has seen no label should still do better than the pixels.
ALIKE, LEARNED_ALIKE = Goal("val_acc", at_least=0.85), Goal("val_acc", at_least=0.95)
CASES = (
    views_case("lightly/SimCLR", simclr, 20),
    views_case("lightly/VICReg", vicreg, 20),
    views_case("lightly/BYOL", byol, 30),
    labels_case("pytorch_metric_learning/triplets", triplets),
    labels_case("pytorch_metric_learning/ArcFace", arc_face),
    Case(
        "transformers/CLIP", "digits with captions", clip,
        lambda: pairs(train=True), lambda: pairs(train=False), 8, Goal("val_acc", at_least=0.85),
    ),
)  # fmt: skip

"""What search engines and post rooms train: towers, rankings, pairs and many tags."""

import torch
import torch.nn.functional as F
from case import Case, Goal, Program
from data_sets import services, surveys
from lightning.pytorch import LightningModule
from scores import outputs
from sklearn.metrics import f1_score, ndcg_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Towers(LightningModule):
    """Queries beside products; a batch's other products are wrong, the more so if rarely sold."""

    def __init__(self, titles: Tensor, share: Tensor) -> None:
        super().__init__()
        self.register_buffer("titles", titles)
        self.register_buffer("log_share", share.log())
        self.query = nn.Sequential(nn.EmbeddingBag(90, 32), nn.Linear(32, 32))
        self.words, self.product = nn.EmbeddingBag(90, 32), nn.Linear(32, 32)
        self.log_scale = nn.Parameter(torch.tensor(2.0))

    def products(self, numbers: Tensor) -> Tensor:
        return F.normalize(self.product(self.words(self.titles[numbers])), dim=1)

    def forward(self, queries: Tensor) -> Tensor:
        found = F.normalize(self.query(queries), dim=1)
        return found @ self.products(torch.arange(len(self.titles))).T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        queries, bought = batch
        found = F.normalize(self.query(queries), dim=1)
        logits = self.log_scale.exp() * found @ self.products(bought).T - self.log_share[bought]
        same = bought[:, None] == bought
        logits = logits.masked_fill(same & ~torch.eye(len(bought), dtype=torch.bool), -1e4)
        loss = F.cross_entropy(logits, torch.arange(len(bought)))
        self.log("in_batch_softmax", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=5e-3, weight_decay=0.01)


def towers() -> Program:
    titles, queries, bought = services.searches()
    share = (torch.bincount(bought[:4000], minlength=len(titles)) + 1) / 4000
    module = Towers(titles, share)

    def score() -> float:
        best = outputs(module, queries[4000:]).topk(5).indices
        return (best == bought[4000:, None]).any(1).float().mean().item()

    train = TensorDataset(queries[:4000], bought[:4000])
    return Program(module, DataLoader(train, 64, shuffle=True, drop_last=True), None, 8, score)


class LambdaRank(LightningModule):
    """Pairs of a query's documents, weighed by what their exchange would cost."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(10, 48), nn.LayerNorm(48), nn.ReLU(), nn.Linear(48, 24), nn.ReLU(),
            nn.Linear(24, 1),
        )  # fmt: skip

    def forward(self, documents: Tensor) -> Tensor:
        scores: Tensor = self.net(documents)
        return scores[..., 0]

    def loss(self, scores: Tensor, relevance: Tensor) -> Tensor:
        place = scores.argsort(1, descending=True).argsort(1)
        discount = 1 / (place + 2.0).log2()
        gain = 2**relevance - 1
        ideal = gain.sort(1, descending=True).values / torch.arange(2.0, 14.0).log2()
        change = (gain[:, :, None] - gain[:, None]) * (discount[:, :, None] - discount[:, None])
        weight = change.abs() / ideal.sum(1)[:, None, None].clamp(min=1)
        better = relevance[:, :, None] > relevance[:, None]
        pairs = F.softplus(scores[:, None] - scores[:, :, None]) * weight.detach()
        return pairs[better].sum() / len(scores)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(self(batch["documents"]), batch["relevance"])
        self.log("lambda_loss", loss)
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        scores = self(batch["documents"])
        self.log("val_loss", self.loss(scores, batch["relevance"]))
        self.log("val_ndcg", float(ndcg_score(batch["relevance"], scores, k=5)))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def ranked() -> Program:
    x, relevance = services.answers()
    rows = [{"documents": a, "relevance": b} for a, b in zip(x, relevance, strict=True)]
    module = LambdaRank()

    def score() -> float:
        return float(ndcg_score(relevance[550:], outputs(module, x[550:]), k=5))

    train = DataLoader(rows[:550], 16, shuffle=True)  # type: ignore[arg-type]
    return Program(module, train, DataLoader(rows[550:], 150), 10, score)  # type: ignore[arg-type]


class Pairwise(LightningModule):
    """What a user liked before what he is not known to; both drawn anew, decay on the tables."""

    def __init__(self) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(200, 8), nn.Embedding(150, 8)
        nn.init.normal_(self.user.weight, std=0.1)
        nn.init.normal_(self.item.weight, std=0.1)

    def forward(self, user: Tensor) -> Tensor:
        return self.user(user) @ self.item.weight.T

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        user, liked = batch[0].unbind(1)
        other = torch.randint(150, liked.shape)
        apart = (self.user(user) * (self.item(liked) - self.item(other))).sum(1)
        loss = -F.logsigmoid(apart).mean()
        tables = self.user(user).square().sum(1) + self.item(liked).square().sum(1)
        self.log_dict({"bpr": loss, "share_in_order": (apart > 0).float().mean()})
        return loss + 5e-3 * tables.mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=5e-3)


def pairwise() -> Program:
    _, kept_back, known = surveys.likes()
    module = Pairwise()

    def score() -> float:
        """Share of what was kept back among the twenty first."""
        found = outputs(module, torch.arange(200))
        found[known[:, 0], known[:, 1]] = -1e9
        best = found.topk(20).indices
        return (kept_back[:, :, None] == best[:, None]).any(2).float().mean().item()

    return Program(module, DataLoader(TensorDataset(known), 64, shuffle=True), None, 20, score)


def in_bags(letters: list[services.Letter]) -> dict[str, Tensor]:
    lengths = torch.tensor([0, *(len(letter.words) for letter in letters[:-1])])
    return {
        "words": torch.cat([letter.words for letter in letters]),
        "offsets": lengths.cumsum(0),
        "matters": torch.stack([letter.matters for letter in letters]),
    }


class PostRoom(LightningModule):
    """Words in one long row and where each letter begins; what is easily absent hardly counts."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(300, 32, mode="sum")
        nn.init.normal_(self.bag.weight, std=0.1)
        self.fc1, self.fc2 = nn.Linear(32, 48), nn.Linear(48, 12)
        nn.init.constant_(self.fc2.bias, -2.0)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        logits: Tensor = self.fc2(F.gelu(self.fc1(self.bag(batch["words"], batch["offsets"]))))
        return logits

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Asymmetric: absent matters count by the square of their chance less 0.05."""
        logits, y = self(batch), batch["matters"]
        chance = (logits.sigmoid() - 0.05).clamp(min=0)
        absent = (1 - y) * chance.square() * torch.log1p(-chance.clamp(max=0.999))
        return -(y * F.logsigmoid(logits) + absent).sum(1).mean()

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(batch)
        self.log("asymmetric_loss", loss, batch_size=len(batch["matters"]))
        return loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.loss(batch), batch_size=len(batch["matters"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def post_room() -> Program:
    found = services.letters()
    module = PostRoom()
    train = DataLoader(found[:1900], 32, shuffle=True, collate_fn=in_bags)  # type: ignore[arg-type]
    test = DataLoader(found[1900:], 500, collate_fn=in_bags)  # type: ignore[arg-type]

    def score() -> float:
        batch = in_bags(found[1900:])
        module.eval()
        with torch.no_grad():
            said = module(batch) > 0
        return float(f1_score(batch["matters"], said, average="micro"))

    return Program(module, train, test, 8, score)


CASES = (
    Case("searches-two-towers-less-popularity", Goal("recall at 5", at_least=0.7), towers),
    Case("answers-pairs-weighed-by-rank", Goal("NDCG at 5", at_least=0.8), ranked),
    Case("likes-in-order-of-pairs", Goal("recall at 20", at_least=0.3), pairwise),
    Case("letters-tags-asymmetric", Goal("F1", at_least=0.85), post_room),
)

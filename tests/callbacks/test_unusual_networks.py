"""No form of a layer or a loss takes a callback down, or has something else learned for it."""

import pytest
import torch
import torch.nn.functional as F
from helpers.training import quiet_trainer
from helpers.unusual import NETWORKS, Labelled
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.callbacks import (
    ActivationMonitor,
    DeadReLUMonitor,
    GradientNormMonitor,
    Problem,
    TrainingDoctor,
    UpdateRatioMonitor,
)


class Around(LightningModule):
    def __init__(self, network, loss):
        super().__init__()
        self.network, self.loss = network, loss

    def training_step(self, batch, batch_idx):
        return self.loss(self.network(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(self.network(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


def fit(make, loss, callbacks):
    torch.manual_seed(0)
    module = Around(make(), loss)
    data = TensorDataset(torch.randn(96, 6, 4), torch.randint(3, (96,)))
    quiet_trainer(max_epochs=2, callbacks=callbacks).fit(
        module, DataLoader(data, 16, shuffle=True), DataLoader(data, 48)
    )
    return module


@pytest.mark.filterwarnings(
    "ignore:The PyTorch API of nested tensors",
    "ignore:LSTM with projections",
    "ignore:.*Monitor sees no activation inside 'network.script'",
)
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_network_is_watched_and_learns_the_same(make):
    assert_learns_the_same(make, F.cross_entropy)


def assert_learns_the_same(make, loss):
    callbacks = [
        TrainingDoctor(every_n_steps=1), GradientNormMonitor(1), ActivationMonitor(1),
        DeadReLUMonitor(), UpdateRatioMonitor(1),
    ]  # fmt: skip
    watched, bare = fit(make, loss, callbacks), fit(make, loss, [])
    assert [type(c).__name__ for c in callbacks if c.failed] == []
    after, alone = watched.state_dict(), bare.state_dict()
    assert after.keys() == alone.keys()
    assert all(torch.equal(after[name], alone[name]) for name in alone)


class SparselyConnected(LightningModule):
    """Has a matrix that is sparse itself, not by its gradient alone."""

    def __init__(self):
        super().__init__()
        self.links = nn.Parameter(torch.eye(4).to_sparse())
        self.head = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        hidden = torch.sparse.mm(self.links, batch[0].T).T
        return F.cross_entropy(self.head(hidden.relu()), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_weights_that_are_sparse_are_passed_over_where_they_have_no_norms():
    callbacks = [TrainingDoctor(every_n_steps=1), GradientNormMonitor(1), UpdateRatioMonitor(1)]
    data = DataLoader(TensorDataset(torch.randn(8, 4), torch.arange(8) % 3), 2)
    quiet_trainer(callbacks=callbacks).fit(SparselyConnected(), data)
    assert [type(c).__name__ for c in callbacks if c.failed] == []
    assert callbacks[1].norms.keys() == {"root", "head"}
    assert callbacks[2].history.keys() == {"head"}


class Conjugated(LightningModule):
    """The weights, or their gradients, are lazy conjugates."""

    def __init__(self, *, weights):
        super().__init__()
        weight = torch.randn(4, 3, dtype=torch.cfloat)
        self.weight = nn.Parameter(weight.conj() if weights else weight)
        self.weights = weights

    def training_step(self, batch, batch_idx):
        weight = self.weight if self.weights else self.weight.conj()
        return F.cross_entropy((batch[0].cfloat() @ weight).abs(), batch[1])

    def on_before_optimizer_step(self, optimizer):
        self.before = self.weight.detach().resolve_conj().clone()
        self.norm = float(self.weight.grad.resolve_conj().norm())
        self.lazy = self.weight.is_conj(), self.weight.grad.is_conj()

    def on_train_batch_end(self, *_):
        self.ratio = float((self.weight.detach() - self.before).norm() / self.before.norm())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize(("weights", "steps"), [(True, 4), (True, 15), (False, 15)])
def test_lazy_conjugates_are_numbers_like_others(weights, steps):
    torch.manual_seed(0)
    model = Conjugated(weights=weights)
    gradients, updates = GradientNormMonitor(1, noise_scale=True), UpdateRatioMonitor(1)
    data = DataLoader(TensorDataset(torch.randn(60, 4), torch.arange(60) % 3), 4)
    quiet_trainer(max_steps=steps, callbacks=[gradients, updates]).fit(model, data)
    assert model.lazy == (weights, not weights)
    assert [type(c).__name__ for c in (gradients, updates) if c.failed] == []
    assert gradients.norms["root"] == pytest.approx(model.norm, rel=1e-5)
    assert updates.ratios["root"] == pytest.approx(model.ratio, rel=1e-5)


def one_hot(y):
    return F.one_hot(y, 3).float()


def ctc(out, y):
    logits = out.log_softmax(1).expand(4, -1, -1)
    sizes = [torch.full_like(y, size) for size in (4, 1)]
    return F.ctc_loss(logits, torch.ones_like(y)[:, None], *sizes)


def focal(out, y):
    each = F.cross_entropy(out, y, reduction="none")
    return ((1 - (-each).exp()).square() * each).mean()


def dice(out, y):
    said = out.sigmoid()
    return 1 - 2 * (said * one_hot(y)).sum() / (said.sum() + len(y))


LOSSES = {
    "a class that does not count": lambda out, y: F.cross_entropy(
        out, y, weight=torch.tensor([1.0, 0.0, 2.0])),
    "soft and smoothed labels": lambda out, y: F.cross_entropy(
        out, one_hot(y), label_smoothing=0.1),
    "summed": lambda out, y: F.cross_entropy(out, y, reduction="sum"),
    "weighed by sample": lambda out, y: (
        F.cross_entropy(out, y, reduction="none") * (1 + y)).mean(),
    "in a dimension of its own": lambda out, y: F.cross_entropy(out, y)[None],
    "maximised": lambda out, y: -0.01 * F.cross_entropy(out, y),
    "of nothing": lambda out, y: F.cross_entropy(out, torch.full_like(y, -100)).nan_to_num(),
    "looked up": lambda out, y: -out.log_softmax(1)[torch.arange(len(y)), y].mean(),
    "of a distribution": lambda out, y: -(
        torch.distributions.Categorical(logits=out).log_prob(y).mean()),
    "of a normal distribution": lambda out, y: -(
        torch.distributions.Normal(out[:, 0], out[:, 1].exp()).log_prob(y.float()).mean()),
    "Gaussian": lambda out, y: F.gaussian_nll_loss(out[:, 0], y.float(), out[:, 1].exp()),
    "Poisson": lambda out, y: F.poisson_nll_loss(out[:, 0], y.float()),
    "divergence": lambda out, y: F.kl_div(
        out.log_softmax(1), torch.full_like(out, 1 / 3), reduction="batchmean"),
    "of labels": lambda out, y: F.multilabel_soft_margin_loss(out, one_hot(y)),
    "binary": lambda out, y: F.binary_cross_entropy_with_logits(
        out[:, 0], (y > 0).float(), pos_weight=torch.tensor(3.0)),
    "margins": F.multi_margin_loss,
    "triplets": lambda out, y: F.triplet_margin_loss(out, out.flip(0), out.roll(1, 0)),
    "angles": lambda out, y: F.cosine_embedding_loss(out, out.flip(0), torch.ones(len(y))),
    "contrasts": lambda out, y: F.cross_entropy(out @ out.T / 0.1, torch.arange(len(y))),
    "of targets of another class": lambda out, y: F.mse_loss(
        out[:, 0], y.float().as_subclass(Labelled)).as_subclass(Tensor),
    "Huber": lambda out, y: F.huber_loss(out[:, 0], y.float()),
    "alignments": ctc,
    "focal": focal,
    "dice": dice,
}  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_loss_is_read_and_leads_where_it_did(loss):
    assert_learns_the_same(NETWORKS["rectified in place"], loss)


class Sigmoids(nn.Module):
    """Eight layers, which may be registered from the last to the first."""

    def __init__(self, *, backwards):
        super().__init__()
        sizes = [24, *[16] * 7, 3]
        layers = [(f"l{i}", nn.Linear(*sizes[i : i + 2])) for i in range(8)]
        for name, layer in reversed(layers) if backwards else layers:
            self.add_module(name, layer)

    def forward(self, x):
        x = x.flatten(1)
        for i in range(7):
            x = getattr(self, f"l{i}")(x).sigmoid()
        return self.l7(x)


@pytest.mark.parametrize("backwards", [False, True])
def test_the_doctor_goes_by_the_order_in_which_layers_run(backwards):
    doctor = TrainingDoctor(every_n_steps=1)
    fit(lambda: Sigmoids(backwards=backwards), F.cross_entropy, [doctor])
    assert list(doctor.gradients.profile) == [f"network.l{i}" for i in range(8)]
    assert doctor.gradients.first_to_last_ratio < 1e-3
    assert Problem.EXPLODING_GRADIENT not in [d.problem for d in doctor.announced]

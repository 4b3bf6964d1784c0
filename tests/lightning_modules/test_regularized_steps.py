"""Which weights L1 and L2 change beside a step: those that the step trains."""

import pytest
import torch
from helpers.training import quiet_trainer
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import BaseFinetuning
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.lightning_modules import Classifier
from torchvitals.lightning_modules.building_blocks.regularization import regularized_weights

LOADER = DataLoader(TensorDataset(torch.randn(32, 4), torch.arange(32) % 3), batch_size=8)
BOTH = [{"l1": 0.02}, {"l2": 0.5}]


def network():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))


def classifier(net, **arguments):
    return Classifier(net, 3, optimizer="sgd", lr=0.1, **arguments)


class Freezes(Callback):
    def on_train_epoch_end(self, trainer, module):
        if trainer.current_epoch == 1:
            module.network[0].requires_grad_(False)
            self.weight = module.network[0].weight.detach().clone()


@pytest.mark.parametrize("factor", BOTH)
def test_what_is_frozen_on_the_way_stays_as_it_is(factor):
    net, freezes = network(), Freezes()
    quiet_trainer(max_epochs=6, callbacks=[freezes]).fit(classifier(net, **factor), LOADER)
    assert torch.equal(net[0].weight, freezes.weight)


class WithASpareBranch(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.spare = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x):
        return self.used(x)


@pytest.mark.parametrize("factor", BOTH)
def test_what_is_never_called_stays_as_it_was_drawn(factor):
    net = WithASpareBranch()
    before = net.spare.weight.detach().clone()
    quiet_trainer(max_epochs=3).fit(classifier(net, **factor), LOADER)
    assert torch.equal(net.spare.weight, before)


class Unfreezes(BaseFinetuning):
    def freeze_before_training(self, module):
        self.freeze(module.network[0])

    def finetune_function(self, module, epoch, optimizer):
        if epoch == 1:
            self.unfreeze_and_add_param_group(module.network[0], optimizer, lr=0.1)


@pytest.mark.parametrize("factor", [{"l1": 0.1}, {"l2": 2.0}])
def test_what_is_unfrozen_on_the_way_is_regularised_from_then_on(factor):
    norms = []
    for arguments in ({}, factor):
        torch.manual_seed(0)
        net = network()
        trainer = quiet_trainer(max_epochs=10, callbacks=[Unfreezes()])
        trainer.fit(classifier(net, **arguments), LOADER)
        norms.append(net[0].weight.norm().item())
    assert norms[1] < norms[0] / 3


class WithItsOwnOptimizer(Classifier):
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.parametrize("factor", BOTH)
def test_a_subclass_that_makes_the_optimiser_is_regularised_alike(factor):
    trained = []
    for kind in (Classifier, WithItsOwnOptimizer):
        torch.manual_seed(0)
        model = kind(network(), 3, optimizer="sgd", lr=0.1, **factor)
        quiet_trainer(max_epochs=2).fit(model, LOADER)
        trained.append(model.network[0].weight)
    torch.testing.assert_close(trained[1], trained[0], rtol=0, atol=0)


class OfTwoOptimizers(Classifier):
    """Its own comes first, before that of the base."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.automatic_optimization = False

    def configure_optimizers(self):
        (made,), _ = super().configure_optimizers()
        return [torch.optim.SGD(self.network[0].parameters(), lr=0.1), made]

    def training_step(self, batch, batch_idx):
        self.manual_backward(super().training_step(batch, batch_idx))
        for optimizer in self.optimizers():
            optimizer.step()
            optimizer.zero_grad()


def test_each_of_several_optimisers_is_regularised_once_in_each_fit():
    model = OfTwoOptimizers(network(), 3, optimizer="sgd", lr=0.1, l1=0.1, l2=0.1)
    for _ in range(2):
        trainer = quiet_trainer()
        trainer.fit(model, LOADER)
        for optimizer in trainer.optimizers:
            assert len(optimizer._optimizer_step_pre_hooks) == 1
            assert len(optimizer._optimizer_step_post_hooks) == 1


def test_biases_and_normalisations_are_spared_whatever_their_shape():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2, 3))
            self.bias = nn.Parameter(torch.ones(2, 3))

    net = nn.ModuleDict(
        {
            "layer_norm": nn.LayerNorm([3, 4, 4]),
            "rms_norm": nn.RMSNorm([3, 4]),
            "linear": nn.Linear(4, 3),
            "frozen": nn.Linear(4, 3).requires_grad_(False),
            "shifted": Shifted(),
        }
    )
    chosen = regularized_weights(net)
    named = [name for name, p in net.named_parameters() if any(p is c for c in chosen)]
    assert named == ["linear.weight", "shifted.weight"]


@pytest.mark.parametrize("mode", ["proximal", "penalty"])
def test_where_no_weight_is_trained_nothing_is_regularized(mode):
    net = nn.Sequential(nn.Linear(4, 3).requires_grad_(False), nn.BatchNorm1d(3))
    trainer = quiet_trainer(max_epochs=1)
    trainer.fit(classifier(net, l1=0.1, l1_mode=mode), LOADER)
    assert "zero_weights" not in trainer.callback_metrics

import pytest
import torch
from helpers.networks import Functional, mlp
from helpers.training import quiet_trainer
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.lightning_modules import (
    Classifier,
    add_normalization,
    reinitialize,
    replace_activations,
)

SURGERIES = [
    lambda network, **options: replace_activations(network, "tanh", **options),
    add_normalization,
    reinitialize,
]


def test_all_three_on_a_module_that_trained_before_and_then_learns():
    torch.manual_seed(0)
    x = torch.randn(128, 6)
    data = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=32)
    model = Classifier(mlp(), 2, lr=0.02)
    quiet_trainer().fit(model, data, data)
    for surgery in SURGERIES:
        model = surgery(model)
    assert isinstance(model, Classifier)
    run = quiet_trainer(max_epochs=5)
    run.fit(model, data, data)
    assert run.callback_metrics["train_accuracy"] > 0.9


def compiled_in_place():
    network = mlp()
    network[0].compile(backend="eager")
    return network


def tied():
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 4))
    network[2].weight = network[0].weight
    return network


def repeated():
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(4, 4))


def weight_normed():
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(2, 2)))


def pruned():
    network = mlp()
    prune.random_unstructured(network[2], "weight", 0.5)
    return network


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("surgery", SURGERIES)
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.Sequential(torch.compile(mlp())), TypeError, "compiled module: the module '0'"),
        (lambda: torch.compile(mlp()), TypeError, "compiled module: the network"),
        (compiled_in_place, TypeError, "compiled module: the module '0'"),
        (lambda: nn.Sequential(nn.LazyLinear(3), nn.ReLU()), ValueError, "lazy ones in the mod"),
        (lambda: mlp().state_dict(), TypeError, "to be an nn.Module"),
    ],
)
def test_networks_that_nothing_can_change(make, error, message, surgery, inplace):
    with pytest.raises(error, match=message):
        surgery(make(), inplace=inplace)


@pytest.mark.parametrize(
    ("refused", "error", "message"),
    [
        (lambda: add_normalization(tied()), ValueError, r"share '0\.weight'"),
        (lambda: reinitialize(tied()), ValueError, r"share '0\.weight'"),
        (lambda: add_normalization(repeated()), ValueError, "share '0'"),
        (lambda: reinitialize(repeated()), ValueError, "share '0'"),
        (lambda: add_normalization(mlp(), "none"), ValueError, "but got 'none'"),
        (lambda: add_normalization(mlp(), "bach"), ValueError, "Did you mean 'batch'"),
        (lambda: add_normalization(mlp(), "instance"), ValueError, "'instance' for dense"),
        (lambda: add_normalization(nn.Linear(2, 2)), ValueError, "`include_output=True`"),
        (lambda: add_normalization(nn.ReLU(), include_output=True), ValueError, "to normalise"),
        (lambda: reinitialize(mlp(), "lsuv"), ValueError, "needs no data, but got 'lsuv'"),
        (lambda: reinitialize(mlp(), "kaiming"), ValueError, "Did you mean 'kaiming"),
        (lambda: reinitialize(nn.ReLU()), ValueError, "to have parameters"),
        (lambda: reinitialize(pruned()), ValueError, "weights of '2' that are computed"),
        (lambda: reinitialize(weight_normed()), ValueError, "weights of '0' that are computed"),
        (
            lambda: reinitialize(nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 2)))),
            ValueError,
            "weights of '0' that are computed",
        ),
        (lambda: replace_activations(Functional(), "tanh"), ValueError, "calls relu as"),
        (lambda: replace_activations(nn.Linear(2, 2), "tanh"), ValueError, "to have activation"),
        (lambda: replace_activations(mlp(), "tanhh"), ValueError, "Did you mean 'tanh'"),
        (lambda: replace_activations(mlp(), "tanh", replaced=()), TypeError, "tuple of module cl"),
        (lambda: replace_activations(mlp(), "tanh", replaced=nn.ReLU), TypeError, "tuple of mod"),
        (
            lambda: replace_activations(mlp(), "tanh", replaced=("relu",)),
            TypeError,
            "tuple of module classes",
        ),
    ],
)
def test_what_cannot_be_done_says_what_to_do(refused, error, message):
    with pytest.raises(error, match=message):
        refused()


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("surgery", SURGERIES)
def test_torchscript_is_refused(surgery):
    with pytest.raises(TypeError, match="TorchScript: the network"):
        surgery(torch.jit.script(mlp()))


def test_a_network_that_cannot_be_copied_can_be_changed_in_place():
    network = mlp()
    network.activity = torch.ones(1, requires_grad=True) * 2  # torch copies leaves alone
    with pytest.raises(ValueError, match="Use `inplace=True`"):
        replace_activations(network, "tanh")
    assert isinstance(replace_activations(network, "tanh", inplace=True)[1], nn.Tanh)


@pytest.mark.parametrize("surgery", SURGERIES)
def test_a_distributed_network_is_refused(surgery):
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        with pytest.raises(TypeError, match="DistributedDataParallel: the network"):
            surgery(nn.parallel.DistributedDataParallel(mlp()))
    finally:
        torch.distributed.destroy_process_group()

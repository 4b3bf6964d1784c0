import functools

import pytest
import torch
import torch.nn.functional as F
from helpers.overfitting import errors_after_overfitting
from torch import nn

from torchvitals.lightning_modules import (
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    ResNetClassifier,
    TextClassifier,
)
from torchvitals.lightning_modules.building_blocks.activations import ACTIVATIONS

OPTIONS = {"threshold": {"threshold": 0.1, "value": 0.0}}


def torchs_activations():
    """Element-wise activations of torch.nn: the classes of its module that keep shape and dtype."""
    from torch.nn.modules import activation

    pairs = {"GLU"}  # gives half the features
    over_a_dimension = {"Softmin", "Softmax", "Softmax2d", "LogSoftmax", "MultiheadAttention"}
    return {getattr(nn, name) for name in set(activation.__all__) - pairs - over_a_dimension}


def test_every_elementwise_activation_of_torch_has_a_name():
    assert set(ACTIVATIONS.values()) - {nn.Identity} == torchs_activations()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_name_gives_a_fresh_instance_at_every_site(name):
    model = MLPClassifier(
        4, 3, hidden=(5, 5), activation=name, activation_options=OPTIONS.get(name)
    )
    sites = [m for m in model.network if isinstance(m, ACTIVATIONS[name])]
    assert len(sites) == 2
    assert sites[0] is not sites[1]


@pytest.mark.parametrize(
    ("choice", "options", "function", "name", "kept"),
    [
        ("leaky_relu", {}, F.leaky_relu, "leaky_relu", {}),
        ("leaky_relu", {"negative_slope": 0.2}, functools.partial(F.leaky_relu, negative_slope=0.2),
         "leaky_relu", {"negative_slope": 0.2}),
        (nn.Tanh, {}, torch.tanh, "tanh", {}),
        (functools.partial(nn.ELU, 0.5), {}, functools.partial(F.elu, alpha=0.5), "elu",
         {"alpha": 0.5}),
        (nn.LeakyReLU(0.3), {}, functools.partial(F.leaky_relu, negative_slope=0.3), "leaky_relu",
         {"negative_slope": 0.3, "inplace": False}),
        (F.softplus, {}, F.softplus, "torch.nn.functional.softplus"
         if F.softplus.__module__ == "torch.nn.functional" else None, {}),
        (F.silu, {}, F.silu, "torch.nn.functional.silu", {}),
        (torch.tanh, {}, torch.tanh, "torch.tanh", {}),
        ("torch.nn.GELU", {"approximate": "tanh"}, functools.partial(F.gelu, approximate="tanh"),
         "torch.nn.GELU", {"approximate": "tanh"}),
        (F.leaky_relu, {"negative_slope": 0.2}, functools.partial(F.leaky_relu, negative_slope=0.2),
         "torch.nn.functional.leaky_relu", {"negative_slope": 0.2}),
        (functools.partial(F.gelu, approximate="tanh"), {},
         functools.partial(F.gelu, approximate="tanh"), None, {"approximate": "tanh"}),
    ],
)  # fmt: skip
def test_each_form_of_the_argument_computes_torchs_function_and_is_kept_as_text(
    choice, options, function, name, kept
):
    model = MLPClassifier(4, 3, hidden=(5,), activation=choice, activation_options=options)
    x = torch.randn(7, 4)
    expected = model.network[3](function(model.network[1](x)))
    torch.testing.assert_close(model(x), expected)
    if name:
        assert model.hparams["activation"] == name
    assert (model.hparams.get("activation_options") or {}) == kept


@pytest.mark.parametrize(
    "function", [torch.relu, functools.partial(F.elu, alpha=0.5), functools.partial(F.gelu)]
)
def test_torchs_own_functions_are_found_again_by_their_names(function):
    x, model = torch.randn(7, 4), MLPClassifier(4, 3, hidden=(5,), activation=function)
    again = MLPClassifier(**model.hparams)
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again(x), model(x))


def test_what_has_no_name_is_refused_on_loading_rather_than_replaced(tmp_path):
    model = MLPClassifier(4, 3, activation=lambda x: x.sin())
    with pytest.raises(ValueError, match="give it again when loading"):
        MLPClassifier(**model.hparams)


class Sine(nn.Module):
    def forward(self, x):
        return x.sin()


class Scaled(nn.Module):
    def __init__(self, function, factor=1.0):
        super().__init__()
        self.function, self.c = function, factor

    def forward(self, x):
        return self.function(self.c * x)


@pytest.mark.parametrize("choice", [Sine(), nn.Sequential(Sine(), Sine()), Scaled(torch.sin, 2.0)])
def test_a_module_is_loaded_as_it_was_or_refused(choice):
    x, model = torch.randn(7, 4), MLPClassifier(4, 3, hidden=(5,), activation=choice)
    if isinstance(choice, Sine):
        again = MLPClassifier(**model.hparams)
    else:
        with pytest.raises(ValueError, match="give it again when loading"):
            MLPClassifier(**model.hparams)
        again = MLPClassifier(**{**model.hparams, "activation": choice})
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again(x), model(x))


@pytest.mark.parametrize("choice", [F.elu, functools.partial(F.elu, alpha=0.5)])
def test_unknown_options_of_a_function_are_refused(choice):
    with pytest.raises(TypeError, match=r"`activation_options` that .* accepts, but got .*'slope'"):
        MLPClassifier(4, 3, activation=choice, activation_options={"slope": 0.5})


def test_options_of_a_module_are_its_own():
    with pytest.raises(TypeError, match="a module has its options already"):
        MLPClassifier(4, 3, activation=nn.ELU(), activation_options={"alpha": 0.5})


@pytest.mark.parametrize("choice", [3, nn.Linear])
def test_what_is_no_activation_is_refused(choice):
    with pytest.raises(TypeError):
        MLPClassifier(4, 3, activation=choice)


# Shrinking activations are flat or cubic around zero. A residual stack of them learns by heart
# with layer normalisation only, and a bag's mean embedding, which is small, lies in the flat part.
NORMS = {
    ("resnet", "softshrink"): "layer",
    ("resnet", "tanhshrink"): "layer",
    ("bag", "softshrink"): "batch",
    ("bag", "hardshrink"): "batch",
}
MODULES = {
    "mlp": lambda **choice: MLPClassifier(36, 4, hidden=(32, 32), **choice),
    "conv": lambda **choice: ConvNetClassifier(1, 4, channels=(32, 32), **choice),
    "resnet": lambda **choice: ResNetClassifier(1, 4, stem="cifar", width=8, **choice),
    "bag": lambda **choice: TextClassifier(4, buckets=500, hidden=(32,), **choice),
    "text": lambda **choice: TextClassifier(4, architecture="conv", buckets=500, **choice),
}


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "identity"])
@pytest.mark.parametrize("kind", MODULES)
def test_one_batch_is_learnt_by_heart_with_auto_initialisation(kind, name):
    torch.manual_seed(0)
    x, y = torch.randn(16, 1, 6, 6), torch.arange(16) % 4
    if kind in ("bag", "text"):
        x = torch.randint(1, 200, (16, 8))
    norm = {"norm": NORMS[kind, name]} if (kind, name) in NORMS else {}
    model = MODULES[kind](activation=name, activation_options=OPTIONS.get(name), **norm)
    assert errors_after_overfitting(model, x, y) == 0


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "identity"])
def test_one_batch_of_numbers_is_learnt_by_heart_with_auto_initialisation(name):
    torch.manual_seed(0)
    x, y = torch.randn(16, 12), torch.randn(16)
    model = MLPRegressor(12, hidden=(64, 64), activation=name, activation_options=OPTIONS.get(name))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(600):
        optimizer.zero_grad()
        loss = model.training_step((x, y), step)
        loss.backward()
        optimizer.step()
    assert loss < 0.01 * y.var()

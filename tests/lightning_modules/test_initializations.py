import pytest
import torch
from helpers.training import quiet_trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.functional import depth_preserving_gain
from torchvitals.lightning_modules import ConvNetClassifier, MLPClassifier
from torchvitals.lightning_modules.building_blocks.activations import ACTIVATIONS, make_activation
from torchvitals.lightning_modules.building_blocks.initializations import (
    WEIGHT_LAYERS,
    WeightLayer,
    initialize,
)
from torchvitals.lightning_modules.building_blocks.lsuv import lsuv_

WIDTH, DEPTH = 256, 30


def changes(activation):
    """Factor between the first and the last of 30 layers, of the activations' and their
    gradients' variance."""
    torch.manual_seed(0)
    model = MLPClassifier(WIDTH, 10, hidden=(WIDTH,) * DEPTH, activation=activation)
    outputs = []

    def keep(module, args, output):
        output.retain_grad()
        outputs.append(output)

    for module in model.network:
        if isinstance(module, ACTIVATIONS[activation]):
            module.register_forward_hook(keep)
    (model(torch.randn(256, WIDTH)) * torch.randn(256, 10)).sum().backward()
    assert len(outputs) == DEPTH
    forward = outputs[0].var() / outputs[-1].var()
    backward = outputs[0].grad.square().mean() / outputs[-1].grad.square().mean()
    return forward.item(), backward.item()


@pytest.mark.parametrize(
    ("activation", "bound"),
    [("relu", 5), ("leaky_relu", 5), ("prelu", 5), ("tanh", 5), ("sigmoid", 5), ("elu", 5),
     ("hardtanh", 5), ("selu", 10), ("gelu", 10), ("mish", 10), ("softsign", 10)],
)  # fmt: skip
def test_auto_keeps_activations_and_gradients_through_thirty_layers(activation, bound):
    for change in changes(activation):
        assert 1 / bound < change < bound


def test_the_usual_gain_of_tanh_does_not():
    torch.manual_seed(0)
    layers = [nn.Linear(WIDTH, WIDTH) for _ in range(DEPTH)]
    for layer in layers:
        nn.init.xavier_normal_(layer.weight, nn.init.calculate_gain("tanh"))
    x = torch.randn(256, WIDTH)
    for layer in layers:
        x = layer(x).tanh()
    x.sum().backward()
    ratio = layers[0].weight.grad.square().mean() / layers[-1].weight.grad.square().mean()
    assert ratio > 50


@pytest.mark.parametrize(
    ("function", "gain"), [(torch.relu, 2**0.5), (nn.Identity(), 1.0), (nn.LeakyReLU(0.5), 1.265)]
)
def test_gain_of_piecewise_linear_functions_is_the_closed_form(function, gain):
    assert depth_preserving_gain(function) == pytest.approx(gain, rel=0.01)


def weights_by(init, activation="relu", **options):
    torch.manual_seed(0)
    layer = nn.Linear(400, 300)
    initialize([WeightLayer(layer, None, make_activation(activation))], init, options)
    return layer


@pytest.mark.parametrize(
    ("init", "activation", "std"),
    [
        ("auto", "relu", (2 / 400) ** 0.5),
        ("auto", "leaky_relu", (2 / 1.0001 / 400) ** 0.5),
        ("auto", "selu", (1 / 400) ** 0.5),
        ("auto", "tanh", depth_preserving_gain(torch.tanh) * (2 / 700) ** 0.5),
        ("auto", "sigmoid", 2 * depth_preserving_gain(torch.tanh) * (2 / 700) ** 0.5),
        ("kaiming_normal", "relu", (2 / 400) ** 0.5),
        ("kaiming_uniform", "leaky_relu", (2 / 1.0001 / 400) ** 0.5),
        ("xavier_normal", "tanh", (2 / 700) ** 0.5),
        ("xavier_uniform", "tanh", (2 / 700) ** 0.5),
        ("lecun_normal", "relu", (1 / 400) ** 0.5),
        ("lecun_uniform", "relu", (1 / 400) ** 0.5),
        ("normal", "relu", 0.01),
    ],
)
def test_each_scheme_has_its_standard_deviation_and_no_bias(init, activation, std):
    layer = weights_by(init, activation)
    assert layer.weight.std().item() == pytest.approx(std, rel=0.01)
    assert not layer.bias.any()


@pytest.mark.parametrize(
    ("init", "options", "value"), [("zeros", {}, 0), ("ones", {}, 1), ("constant", {"val": 3}, 3)]
)
def test_constants(init, options, value):
    assert (weights_by(init, **options).weight == value).all()


def test_orthogonal_is_orthogonal_with_the_activations_gain():
    weight = weights_by("orthogonal").weight
    torch.testing.assert_close(weight @ weight.T, 2 * torch.eye(300), atol=1e-4, rtol=0)


def test_default_is_torchs_own():
    torch.manual_seed(0)
    expected = nn.Linear(400, 300)
    assert torch.equal(weights_by("default").weight, expected.weight)


def test_a_sigmoid_network_starts_as_the_same_function_as_one_of_tanh():
    torch.manual_seed(0)
    sigmoid = MLPClassifier(6, 3, hidden=(8, 8), activation="sigmoid")
    tanh = MLPClassifier(6, 3, hidden=(8, 8), activation="tanh")
    squeezed = [m for m in sigmoid.network if isinstance(m, nn.Linear)]
    plain = [m for m in tanh.network if isinstance(m, nn.Linear)]
    for i, (a, b) in enumerate(zip(squeezed, plain, strict=True)):
        # sigmoid(z) = (1 + tanh(z / 2)) / 2
        scale = (0.5 if i < 2 else 1.0) * (1.0 if i == 0 else 0.5)
        b.weight.data = a.weight.data * scale
    x = torch.randn(5, 6)
    torch.testing.assert_close(sigmoid(x), tanh(x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_lsuv_gives_every_layer_unit_variance_on_the_first_batch(kind):
    torch.manual_seed(0)
    x, y = 5 + 3 * torch.randn(64, 1, 8, 8), torch.arange(64) % 10
    arguments = {"activation": "tanh", "init": "lsuv", "dropout": 0.5, "lr": 1e-12, "norm": "layer"}
    if kind == "mlp":
        model = MLPClassifier(64, 10, hidden=(32,) * 6, **arguments)
    else:
        model = ConvNetClassifier(1, 10, channels=(8, 8), **arguments)
    quiet_trainer(max_epochs=1).fit(model, DataLoader(TensorDataset(x, y), batch_size=64))
    found = []
    for layer in model.network.modules():
        if isinstance(layer, WEIGHT_LAYERS):
            layer.register_forward_hook(lambda m, args, out: found.append(out.var().item()))
    model.eval()(x)
    assert found == pytest.approx([1.0] * len(found), abs=0.03)
    assert len(found) == (7 if kind == "mlp" else 3)


class Mine(MLPClassifier):
    def __init__(self):
        super().__init__(64, 10, hidden=(32,), init="lsuv", lr=1e-12)


def test_lsuv_is_for_subclasses_that_choose_it_too():
    x, y = 5 * torch.randn(64, 64), torch.arange(64) % 10
    model = Mine()
    quiet_trainer(max_epochs=1).fit(model, DataLoader(TensorDataset(x, y), batch_size=64))
    assert model.network[1](x).var().item() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("activation", ["relu", "selu"])
def test_lsuv_drops_nothing_meanwhile(activation):
    arguments = {"activation": activation, "dropout": 0.5}
    for model in (MLPClassifier(64, 3, **arguments), ConvNetClassifier(1, 3, **arguments)):
        before = torch.get_rng_state()
        lsuv_(model.network, torch.ones(8, 1, 8, 8))
        assert torch.equal(torch.get_rng_state(), before)


def test_lsuv_leaves_statistics_and_modes_alone():
    torch.manual_seed(0)
    model = MLPClassifier(8, 3, hidden=(16,), norm="batch", dropout=0.5, init="lsuv", lr=1e-12)
    x, y = torch.randn(32, 8), torch.arange(32) % 3
    quiet_trainer(max_epochs=1).fit(model, DataLoader(TensorDataset(x, y), batch_size=32))
    assert model.network[2].num_batches_tracked == 1
    assert model.network.training


@pytest.mark.parametrize(
    ("init", "options", "message"),
    [
        ("kaiming", None, "'kaiming_normal'"),
        ("normal", {"stdev": 1.0}, r"among \['mean', 'std'\], but got \['stdev'\]"),
        ("relu", {}, "Expected `init`"),
    ],
)
def test_wrong_arguments_say_what_to_do(init, options, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(4, 3, init=init, init_options=options)


def test_lsuv_does_not_scale_weights_that_were_trained(tmp_path):
    x = torch.randn(256, 4) * 3
    data = DataLoader(TensorDataset(x, (x[:, 0] * x[:, 1] > 0).long()), batch_size=64)
    model = MLPClassifier(4, 2, hidden=(16,), init="lsuv", lr=0.02)
    trainer = quiet_trainer(max_epochs=3)
    trainer.fit(model, data)
    trainer.save_checkpoint(tmp_path / "trained.ckpt")
    loaded = MLPClassifier.load_from_checkpoint(tmp_path / "trained.ckpt", lr=1e-12)
    for later in (model, loaded):
        later.lr = 1e-12
        before = [parameter.detach().clone() for parameter in later.parameters()]
        quiet_trainer().fit(later, data)
        for parameter, as_it_was in zip(later.parameters(), before, strict=True):
            torch.testing.assert_close(parameter, as_it_was)

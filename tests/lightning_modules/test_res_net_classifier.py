import copy
import functools
import math

import pytest
import torch
import torchvision
from helpers.training import quiet_trainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.lightning_modules import ResNetClassifier

DEPTHS = [18, 34, 50, 101, 152]
NORMS = ["none", "batch", "layer", "group", "instance", "rms"]
SMALL = {"stem": "cifar", "width": 8}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def torchvisions(depth, **arguments):
    return getattr(torchvision.models, f"resnet{depth}")(**arguments)


def fit_one_batch(model, **arguments):
    batch = TensorDataset(torch.randn(16, 3, 16, 16), torch.arange(16) % 4)
    run = quiet_trainer(**arguments)
    run.fit(model, DataLoader(batch, 16), DataLoader(batch, 16))
    return run


@pytest.mark.parametrize("depth", DEPTHS)
def test_weights_have_torchvisions_names_and_shapes(depth):
    with torch.device("meta"):
        ours = ResNetClassifier(3, 1000, depth=depth).network
        theirs = torchvisions(depth)
    shapes = {name: value.shape for name, value in theirs.state_dict().items()}
    assert {name: value.shape for name, value in ours.state_dict().items()} == shapes
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize("depth", [18, 34, 50])
@pytest.mark.parametrize("training", [False, True])
def test_outputs_equal_torchvisions_with_its_weights(depth, training):
    theirs = torchvisions(depth, num_classes=7)
    for parameter in theirs.parameters():
        if parameter.ndim == 1:  # so that no two normalisations are alike
            nn.init.uniform_(parameter, 0.5, 1.0)
    model = ResNetClassifier(3, 7, depth=depth)
    model.network.load_state_dict(theirs.state_dict())
    model.train(training)
    theirs.train(training)
    x = torch.randn(2, 3, 40, 40)
    with torch.no_grad():
        torch.testing.assert_close(model(x), theirs(x), rtol=0, atol=0)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(model.network.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize(("depth", "sites"), [(18, 17), (34, 33), (50, 49)])
def test_every_site_has_an_activation_of_its_own(depth, sites):
    model = ResNetClassifier(3, 4, depth=depth, activation="prelu", **SMALL).eval()
    activations = [m for m in model.network.modules() if isinstance(m, nn.PReLU)]
    called = []
    for activation in activations:
        activation.register_forward_hook(lambda module, args, output: called.append(module))
    model(torch.randn(1, 3, 8, 8))
    assert len({id(activation.weight) for activation in activations}) == sites
    assert sorted(map(id, called)) == sorted(map(id, activations))


@pytest.mark.parametrize(
    ("stem", "sides"), [("cifar", [32, 32, 16, 8, 4]), ("imagenet", [8, 8, 4, 2, 1])]
)
@pytest.mark.parametrize("depth", [18, 50])
def test_the_stem_decides_the_resolution(stem, sides, depth):
    network = ResNetClassifier(1, 4, depth=depth, stem=stem, width=8).network
    seen = []
    for stage in [network.maxpool, *(network.get_submodule(f"layer{i}") for i in range(1, 5))]:
        stage.register_forward_hook(lambda module, args, output: seen.append(output.shape[2:]))
    network(torch.randn(2, 1, 32, 32))
    assert seen == [(side, side) for side in sides]


@pytest.mark.parametrize(
    ("norm", "bias"), zip(NORMS, [True, False, True, True, False, True], strict=True)
)
@pytest.mark.parametrize("depth", [18, 50])
def test_convolutions_have_a_bias_where_the_norm_leaves_it_an_effect(norm, bias, depth):
    model = ResNetClassifier(3, 4, depth=depth, norm=norm, **SMALL)
    convolutions = [m for m in model.network.modules() if isinstance(m, nn.Conv2d)]
    assert {conv.bias is not None for conv in convolutions} == {bias}
    gradient = torch.autograd.grad(
        model(torch.randn(4, 3, 16, 16)).square().sum(), [p for p in model.network.parameters()]
    )
    assert all(g.isfinite().all() for g in gradient)
    names = [name for name, _ in model.network.named_parameters()]
    biases = [g for n, g in zip(names, gradient, strict=True) if "conv" in n and "bias" in n]
    assert all(g.abs().max() > 0 for g in biases)


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_auto_initialisation_is_kaimings_but_for_the_last_of_a_branch(norm):
    network = ResNetClassifier(3, 4, depth=50, norm=norm, stem="cifar", width=32).network
    branch_gain = 1 / math.sqrt(16) if norm == "none" else 1.0
    seen = 0
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            gain = branch_gain if name.endswith("conv3") else math.sqrt(2)
            expected = gain / math.sqrt(layer.weight[0].numel())
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.1), name
            seen += 1
    assert seen == 53


def test_default_initialisation_is_torchs_own():
    network = ResNetClassifier(3, 4, norm="none", init="default", **SMALL).network
    expected = copy.deepcopy(network)
    torch.manual_seed(0)
    for module in expected.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.reset_parameters()
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("depth", [18, 50, 152])
def test_without_normalisation_activations_and_gradients_keep_their_size(depth):
    network = ResNetClassifier(3, 4, depth=depth, norm="none", stem="cifar", width=16).network
    squares = []
    for block in network.blocks():
        block.register_forward_hook(lambda m, args, out: squares.append(out.square().mean()))
    network(torch.randn(8, 3, 16, 16)).square().mean().backward()
    ratio = torch.stack(squares) / squares[0]
    assert ratio.min() > 1 / 4
    assert ratio.max() < 4
    gradients = [
        block.conv1.weight.grad.norm() / block.conv1.weight.norm() for block in network.blocks()
    ]
    assert 1 / 30 < gradients[0] / gradients[-1] < 30


@pytest.mark.parametrize(
    ("arguments", "epochs"),
    [
        ({"depth": 18}, 15),
        ({"depth": 18, "norm": "group", "zero_init_residual": True}, 30),
        ({"depth": 18, "norm": "none", "init": "lsuv"}, 30),
        ({"depth": 50, "norm": "none"}, 40),
        ({"depth": 50, "norm": "none", "zero_init_residual": True}, 40),
        ({"depth": 50, "activation": "gelu", "norm": "layer"}, 30),
    ],
)
def test_one_batch_of_random_images_is_learnt_by_heart(arguments, epochs):
    model = ResNetClassifier(3, 4, lr=2e-3, **arguments, **SMALL)
    run = fit_one_batch(model, max_epochs=epochs)
    assert run.callback_metrics["train_accuracy"] == 1


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("depth", [18, 50])
def test_zero_init_residual_leaves_the_shortcut_alone(norm, depth):
    network = ResNetClassifier(
        3, 4, depth=depth, norm=norm, zero_init_residual=True, **SMALL
    ).network
    for block in network.blocks():
        inputs = block.conv1.in_channels
        x = torch.randn(2, inputs, 8, 8)
        shortcut = x if block.downsample is None else block.downsample(x)
        torch.testing.assert_close(block(x), shortcut.relu())


@pytest.mark.parametrize(
    "arguments",
    [
        {"activation": nn.PReLU, "norm_options": {"momentum": 0.2}},
        {
            "activation": functools.partial(nn.LeakyReLU, 0.3),
            "depth": 50,
            "norm": "rms",
            "dropout": 0.5,
        },
        {"norm": "group", "norm_options": {"groups": 2}, "optimizer": torch.optim.SGD},
        {"norm": "none", "zero_init_residual": True, "channels_last": True},
    ],
)
def test_checkpoint_loads_back_with_no_argument(arguments, tmp_path):
    model = ResNetClassifier(3, 4, **arguments, **SMALL)
    run = fit_one_batch(model)
    run.save_checkpoint(tmp_path / "run.ckpt")
    loaded = ResNetClassifier.load_from_checkpoint(tmp_path / "run.ckpt").eval()
    x = torch.rand(3, 3, 16, 16)
    torch.testing.assert_close(loaded(x), model.eval()(x), rtol=0, atol=0)
    torch.load(tmp_path / "run.ckpt", weights_only=True)


def test_dropout_is_before_the_last_layer_and_only_in_training():
    model = ResNetClassifier(3, 4, dropout=0.5, **SMALL)
    seen = []
    model.network.fc.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    x = torch.randn(16, 3, 16, 16)
    model.train()(x)
    model.eval()(x)
    in_training, in_evaluation = ((features == 0).float().mean() for features in seen)
    assert in_training == pytest.approx(0.5, abs=0.1)
    assert in_evaluation < 0.1


@pytest.mark.parametrize("norm", NORMS)
def test_channels_last_changes_the_layout_alone(norm):
    arguments = {"norm": norm, **SMALL}
    model = ResNetClassifier(3, 4, **arguments)
    changed = ResNetClassifier(3, 4, channels_last=True, **arguments)
    changed.load_state_dict(model.state_dict())
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(changed(x), model(x), rtol=1e-3, atol=1e-4)
    weight = changed.network.layer1[0].conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("norm", ["batch", "rms", "none"])
def test_forward_compiles_to_one_graph(norm):
    model = ResNetClassifier(3, 4, norm=norm, **SMALL)
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend="aot_eager")
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize("norm", NORMS)
def test_trains_in_mixed_precision(norm):
    model = ResNetClassifier(3, 4, norm=norm, **SMALL)
    before = copy.deepcopy(model.network.state_dict())
    run = fit_one_batch(model, precision="bf16-mixed")
    assert run.callback_metrics["train_loss"].isfinite()
    for name, parameter in model.network.named_parameters():
        assert parameter.isfinite().all(), name
        assert not torch.equal(parameter, before[name]), name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 20}, "`depth` to be one of 18, 34, 50, 101, 152, but got 20"),
        ({"stem": "cifar10"}, "`stem` to be one of 'imagenet', 'cifar'.*Did you mean 'cifar'"),
        ({"in_channels": 0}, "`in_channels` to be at least 1"),
        ({"num_classes": 1}, "`num_classes` to be at least 2, but got 1"),
        ({"width": 0}, "`width` to be at least 1"),
        ({"dropout": 1.0}, "`dropout` from 0 to below 1"),
        ({"norm": "batchnorm"}, "Did you mean 'batch'"),
        ({"activation": "reluu"}, "Did you mean 'relu'"),
        ({"init": "kaiming"}, "'kaiming_normal'"),
        ({"init_options": {"std": 1.0}}, "`init_options`"),
        ({"norm_options": {"affine": False}, "zero_init_residual": True}, "Remove `affine=False`"),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResNetClassifier(**{"in_channels": 3, "num_classes": 4, **SMALL, **arguments})


@pytest.mark.parametrize(
    ("arguments", "shape", "message"),
    [
        ({}, (2, 1, 16, 16), "in_channels=3"),
        ({}, (3, 16, 16), "in_channels=3"),
        ({"norm": "instance"}, (2, 3, 8, 8), "more than 1 spatial element"),
    ],
)
def test_wrong_images_say_what_to_do(arguments, shape, message):
    model = ResNetClassifier(3, 4, **{**SMALL, **arguments})
    with pytest.raises(ValueError, match=message):
        model(torch.zeros(shape))


@pytest.mark.parametrize(("stem", "side"), [("cifar", 9), ("imagenet", 33)])
def test_instance_normalisation_takes_the_smallest_images_that_it_can(stem, side):
    model = ResNetClassifier(3, 4, norm="instance", stem=stem, width=8)
    assert model(torch.randn(2, 3, side, 1)).shape == (2, 4)

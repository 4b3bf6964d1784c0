import pytest
import torch
from lightning.pytorch.plugins.layer_sync import TorchSyncBatchNorm
from torch import nn

from torchvitals.lightning_modules import ConvNetClassifier, MLPClassifier
from torchvitals.lightning_modules.building_blocks.normalizations import ChannelRMSNorm, make_norm

WIDTH = 6


def per_position_rms(x):
    return x / (x.square().mean(1, keepdim=True) + torch.finfo(x.dtype).eps).sqrt()


def over_dims(x, dims, eps=1e-5):
    mean = x.mean(dims, keepdim=True)
    return (x - mean) / (x.var(dims, correction=0, keepdim=True) + eps).sqrt()


def by_group(x, groups):
    return over_dims(x.unflatten(1, (groups, -1)), tuple(range(2, x.ndim + 1))).reshape(x.shape)


@pytest.mark.parametrize(
    ("norm", "dims", "options", "oracle"),
    [
        ("none", 0, {}, lambda x: x),
        ("batch", 0, {}, lambda x: over_dims(x, (0,))),
        ("batch", 2, {}, lambda x: over_dims(x, (0, 2, 3))),
        ("batch", 2, {"eps": 0.1}, lambda x: over_dims(x, (0, 2, 3), 0.1)),
        ("layer", 0, {}, lambda x: over_dims(x, (1,))),
        ("layer", 2, {}, lambda x: over_dims(x, (1, 2, 3))),
        ("group", 0, {"groups": 2}, lambda x: by_group(x, 2)),
        ("group", 2, {"groups": 3}, lambda x: by_group(x, 3)),
        ("group", 2, {}, lambda x: over_dims(x, (2, 3))),
        ("instance", 2, {}, lambda x: over_dims(x, (2, 3))),
        ("rms", 0, {}, per_position_rms),
        ("rms", 2, {}, per_position_rms),
    ],
)
def test_each_computes_its_formula(norm, dims, options, oracle):
    x = 3 + 2 * torch.randn(5, WIDTH, *(4,) * dims)
    found = make_norm(norm, WIDTH, dims=dims, options=options).train()(x)
    torch.testing.assert_close(found, oracle(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("width", "groups"), [(64, 32), (48, 24), (10, 10), (7, 7), (33, 11)])
def test_groups_default_to_the_most_up_to_32_that_divide_the_width(width, groups):
    assert make_norm("group", width, dims=2).num_groups == groups


def test_momentum_and_affine_reach_the_layer():
    norm = make_norm("batch", 4, dims=0, options={"momentum": 0.5, "affine": False})
    norm(torch.full((3, 4), 2.0))
    assert norm.running_mean.tolist() == [1.0] * 4
    assert norm.weight is None


BIASES = [
    ("none", "before", True),
    ("batch", "before", False),
    ("batch", "after", True),
    ("layer", "before", True),
    ("group", "before", True),
    ("rms", "before", True),
]


@pytest.mark.parametrize(
    ("kind", "norm", "position", "bias"),
    [
        *(("mlp", *case) for case in BIASES),
        *(("conv", *case) for case in BIASES),
        ("conv", "instance", "before", False),
    ],
)
def test_a_layer_has_no_bias_where_the_normalisation_cancels_it(kind, norm, position, bias):
    arguments = {"norm": norm, "norm_position": position, "activation": "tanh"}
    if kind == "mlp":
        model = MLPClassifier(8, 3, hidden=(WIDTH,), **arguments)
    else:
        model = ConvNetClassifier(2, 3, channels=(WIDTH,), **arguments)
    first = next(m for m in model.network if isinstance(m, (nn.Linear, nn.Conv2d)))
    assert (first.bias is not None) == bias
    kinds = [type(m).__name__ for m in model.network]
    if norm != "none":
        at = kinds.index("Tanh") + (1 if position == "after" else -1)
        assert any(word in kinds[at] for word in ("Norm", "RMS"))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_the_bias_that_is_left_out_would_have_had_no_effect(norm):
    layer, x = nn.Conv2d(3, WIDTH, 3), torch.randn(4, 3, 8, 8)
    normalize = make_norm(norm, WIDTH, dims=2).train()
    expected = normalize(layer(x))
    with torch.no_grad():
        layer.bias.add_(torch.randn(WIDTH))
    torch.testing.assert_close(normalize(layer(x)), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("norm", "dims", "oracle"),
    [
        ("batch", 0, nn.BatchNorm1d(4)),
        ("batch", 1, nn.BatchNorm1d(4)),
        ("batch", 2, nn.BatchNorm2d(4)),
        ("batch", 3, nn.BatchNorm3d(4)),
        ("instance", 1, nn.InstanceNorm1d(4)),
        ("instance", 2, nn.InstanceNorm2d(4)),
        ("instance", 3, nn.InstanceNorm3d(4)),
        ("layer", 0, nn.LayerNorm(4)),
        ("layer", 1, nn.GroupNorm(1, 4)),
        ("layer", 3, nn.GroupNorm(1, 4)),
        ("group", 0, nn.GroupNorm(1, 4)),  # one group, lest each value be normalised by itself
        ("group", 1, nn.GroupNorm(4, 4)),
        ("rms", 0, nn.RMSNorm(4)),
        ("rms", 3, ChannelRMSNorm(4)),
    ],
)
def test_each_rank_has_torchs_own_normalization(norm, dims, oracle):
    made = make_norm(norm, 4, dims=dims)
    assert type(made) is type(oracle)
    x = torch.randn(3, 4, *[5] * dims)
    torch.testing.assert_close(made(x), oracle(x))


def test_groups_of_one_feature_are_refused_in_dense_layers():
    with pytest.raises(ValueError, match="`groups` in `norm_options` to be below the width 8"):
        make_norm("group", 8, dims=0, options={"groups": 8})
    assert make_norm("group", 8, dims=1, options={"groups": 8}).num_groups == 8


def test_the_trainer_finds_the_batch_normalisations_to_synchronise():
    model = ConvNetClassifier(3, 4, channels=(8, 8), norm="batch")
    converted = TorchSyncBatchNorm().apply(model)
    kinds = [type(module).__name__ for module in converted.network]
    assert kinds.count("SyncBatchNorm") == 2
    assert "BatchNorm2d" not in kinds

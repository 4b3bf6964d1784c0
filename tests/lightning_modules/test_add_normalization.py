import copy

import pytest
import torch
from helpers.networks import (
    Branching,
    Functional,
    PreActivation,
    assert_untouched,
    mlp,
    small_vgg,
    transformer,
)
from torch import nn
from torch.nn import functional
from torchvision.models import densenet121, resnet18, swin_t, vgg11, vgg11_bn

from torchvitals.lightning_modules import MLPClassifier, add_normalization
from torchvitals.lightning_modules.building_blocks.normalized_layer import NormalizedLayer

IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
SWIN_BLOCKS = [f"{stage}.{i}" for stage, n in ((1, 2), (3, 2), (5, 6), (7, 2)) for i in range(n)]


class Auxiliary(nn.Module):
    """With a second output, in training alone."""

    def __init__(self):
        super().__init__()
        self.fc1, self.side1, self.side2 = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        if self.training:
            return self.head(x), self.side2(torch.relu(self.side1(x)))
        return self.head(x)


def normalized(network):
    return [n for n, m in network.named_modules() if isinstance(m, NormalizedLayer)]


def test_vgg_becomes_vgg_with_batch_normalization():
    torch.manual_seed(0)
    network, built = small_vgg(vgg11), small_vgg(vgg11_bn, norm=True)
    weighted = [
        [m for m in n.modules() if isinstance(m, (nn.Conv2d, nn.Linear))] for n in (network, built)
    ]
    for ours, theirs in zip(*weighted, strict=True):
        theirs.load_state_dict(ours.state_dict())
    before = copy.deepcopy(network.state_dict())
    changed = add_normalization(network)
    for _ in range(2):
        torch.testing.assert_close(changed(IMAGES), built(IMAGES))
    torch.testing.assert_close(changed.eval()(IMAGES), built.eval()(IMAGES))
    assert_untouched(network, before)
    changed.train()(IMAGES).sum().backward()
    assert all(p.grad is not None for p in changed.parameters())
    # A state that was saved before, after, and a copy.
    missing = add_normalization(network).load_state_dict(before, strict=False)
    assert not missing.unexpected_keys
    assert all(".norm." in key for key in missing.missing_keys)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (resnet18, []),
        (densenet121, []),  # each convolution's output is normalised by the next layer
        (lambda: small_vgg(vgg11_bn), ["classifier.0"]),
        (mlp, ["0", "2"]),
        (Functional, ["fc1"]),
        (Auxiliary, ["fc1", "side1"]),
        (PreActivation, ["conv1"]),
        (lambda: MLPClassifier(6, 3, hidden=(5, 5)), ["network.1", "network.3"]),
        (lambda: MLPClassifier(6, 3, hidden=(5, 5), norm="batch"), []),
        (transformer, ["layers.0.linear1", "layers.1.linear1"]),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.RNN(2, 2)), ["0"]),
        (
            swin_t,
            [f"features.{i}.mlp.0" for i in SWIN_BLOCKS],
        ),
    ],
)
def test_the_layers_that_lack_one_get_it(make, expected):
    changed = add_normalization(make())
    assert normalized(changed) == expected
    assert normalized(add_normalization(changed)) == expected  # a second time finds nothing


def test_the_order_of_registration_decides_with_a_warning():
    with pytest.warns(UserWarning, match="The code of Branching cannot be traced.*: fc\\. "):
        assert normalized(add_normalization(Branching())) == ["fc"]


def test_deciding_leaves_no_trace():
    network, seen = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 2)), []
    network[0].register_forward_hook(lambda m, args, out: seen.append(out))
    network[0].register_forward_pre_hook(lambda m, args: seen.append(args))
    state = torch.get_rng_state()
    changed = add_normalization(network, inplace=True)
    assert seen == []
    assert torch.equal(torch.get_rng_state(), state)
    changed(torch.randn(3, 2))
    assert len(seen) == 2


def test_a_layer_with_weight_norm_is_wrapped_and_copied_whole():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 3))
    changed = copy.deepcopy(add_normalization(layer, include_output=True))
    assert isinstance(changed, NormalizedLayer)
    torch.testing.assert_close(changed.layer(torch.ones(1, 2)), layer(torch.ones(1, 2)))


def test_the_output_layer_is_normalised_on_request():
    assert normalized(add_normalization(mlp(), include_output=True)) == ["0", "2", "4"]
    assert isinstance(add_normalization(nn.Linear(2, 3), include_output=True), NormalizedLayer)


@pytest.mark.parametrize(
    ("norm", "of_rows", "of_channels"),
    [
        ("batch", lambda x: functional.batch_norm(x, None, None, training=True), None),
        ("layer", lambda x: functional.layer_norm(x, (4,)), lambda x: functional.group_norm(x, 1)),
        ("group", lambda x: functional.layer_norm(x, (4,)), lambda x: functional.group_norm(x, 4)),
        (
            "rms",
            lambda x: functional.rms_norm(x, (4,)),
            lambda x: functional.rms_norm(x.movedim(1, -1), (4,)).movedim(-1, 1),
        ),
    ],
)
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(3, 4), (5, 3)),
        (nn.Linear(3, 4), (5, 7, 3)),
        (nn.Linear(3, 4), (5, 2, 7, 3)),
        (nn.Conv1d(3, 4, 3), (5, 3, 7)),
        (nn.Conv3d(3, 4, 3), (5, 3, 4, 4, 4)),
        (nn.ConvTranspose2d(3, 4, 3), (5, 3, 4, 4)),
    ],
)
def test_outputs_equal_the_formula_over_the_right_dimensions(
    norm, of_rows, of_channels, layer, shape
):
    x = torch.randn(shape)
    raw = layer(x)
    if isinstance(layer, nn.Linear):
        expected = of_rows(raw.reshape(-1, 4)).reshape(raw.shape)
    else:
        expected = (of_channels or of_rows)(raw)
    outputs = add_normalization(layer, norm, include_output=True)(x)
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-4)


def test_torchs_transformer_normalises_in_every_mode():
    network = transformer().eval()
    changed = add_normalization(network, "layer")
    x = torch.randn(3, 4, 8)
    slow = changed(x)
    with torch.no_grad():  # in which torch takes a fast path that calls no module
        torch.testing.assert_close(changed(x), slow)
        assert not torch.allclose(network(x), slow, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_each_normalization_has_its_layers_dtype_mode_and_hooks(dtype):
    network, seen = mlp(dtype=dtype), []
    network[0].eval().register_forward_hook(lambda m, args, out: seen.append(m))
    changed = add_normalization(network, norm_options={"momentum": 0.5})
    assert {p.dtype for p in changed.parameters()} == {dtype}
    assert [changed[i].norm.training for i in (0, 2)] == [False, True]
    assert changed[0].norm.momentum == 0.5
    assert changed(torch.randn(4, 6, dtype=dtype)).dtype == dtype
    assert seen == [changed[0].layer]


def test_a_wrapped_layer_is_read_and_set_as_before():
    network = mlp()
    add_normalization(network.requires_grad_(False), inplace=True)
    wrapped = network[0]
    assert wrapped.weight is wrapped.layer.weight
    assert (wrapped.in_features, wrapped.out_features) == (6, 8)
    assert not wrapped.weight.requires_grad
    wrapped.weight = nn.Parameter(torch.zeros(8, 6))
    assert wrapped.layer.weight.count_nonzero() == 0
    assert sorted(dict(wrapped.named_parameters())) == [
        "layer.bias", "layer.weight", "norm.bias", "norm.weight"
    ]  # fmt: skip
    twin = copy.deepcopy(network)
    assert twin[0].layer is not wrapped.layer
    assert twin[0].weight is twin[0].layer.weight
    with pytest.raises(AttributeError, match="kernel_size"):
        _ = wrapped.kernel_size


def test_the_state_survives_a_file(tmp_path):
    trained = add_normalization(mlp())
    trained(torch.randn(16, 6))
    torch.save(trained.state_dict(), tmp_path / "state.pt")
    loaded = add_normalization(mlp())
    loaded.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    x = torch.randn(4, 6)
    expected = trained.eval()(x)
    torch.testing.assert_close(loaded.eval()(x), expected)
    torch.testing.assert_close(copy.deepcopy(trained)(x), expected)
    torch.save(trained, tmp_path / "whole.pt")
    whole = torch.load(tmp_path / "whole.pt", weights_only=False)
    torch.testing.assert_close(whole(x), expected)

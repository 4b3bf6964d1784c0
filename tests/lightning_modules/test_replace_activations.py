import copy

import pytest
import torch
from helpers.networks import (
    Branching,
    assert_untouched,
    mlp,
    small_vgg,
    transformer,
)
from torch import nn
from torchvision.models import densenet121, mobilenet_v2, resnet18, vgg11

from torchvitals.lightning_modules import MLPClassifier, replace_activations


@pytest.mark.parametrize(
    ("make", "count"),
    [(resnet18, 9), (mobilenet_v2, 35), (lambda: small_vgg(vgg11), 9), (mlp, 2), (Branching, 2)],
)
def test_every_activation_is_one_new_module_in_the_copy_alone(make, count):
    network = make()
    before = copy.deepcopy(network.state_dict())
    kinds = [type(m) for m in network.modules()]
    changed = replace_activations(network.eval(), "elu", {"alpha": 0.5})
    new = [m for m in changed.modules() if isinstance(m, nn.ELU)]
    assert len(new) == count
    assert all(m.alpha == 0.5 and not m.training for m in new)
    assert not any(isinstance(m, (nn.ReLU, nn.ReLU6, nn.Tanh)) for m in changed.modules())
    assert [type(m) for m in network.modules()] == kinds
    assert_untouched(network, before)
    assert_untouched(changed, before)


def test_outputs_equal_a_network_built_with_the_activation():
    built = MLPClassifier(6, 3, hidden=(5, 5), activation="leaky_relu", norm="batch")
    network = MLPClassifier(6, 3, hidden=(5, 5), activation="relu", norm="batch")
    network.load_state_dict(built.state_dict())
    x = torch.randn(4, 6)
    torch.testing.assert_close(replace_activations(network, "leaky_relu")(x), built(x))
    assert not torch.equal(network(x), built(x))


def test_torchs_transformer_computes_the_new_activation_in_every_mode():
    x = torch.randn(3, 4, 8)
    padding = torch.arange(4) >= torch.tensor([[4], [2], [3]])
    for activation in ("relu", nn.ReLU()):
        network = transformer(activation=activation).eval()
        changed = replace_activations(network, "tanh")
        expected = transformer(activation=torch.tanh).eval()
        expected.load_state_dict(network.state_dict())
        assert len([m for m in changed.modules() if isinstance(m, nn.Tanh)]) == 2
        with torch.no_grad():  # in which torch takes a fast path that calls no module
            torch.testing.assert_close(changed(x), expected(x))
            valid = ~padding
            mask = {"src_key_padding_mask": padding}
            torch.testing.assert_close(changed(x, **mask)[valid], expected(x, **mask)[valid])


def test_hooks_move_and_their_handles_still_remove_them():
    network, seen = mlp(), []
    old = network[1]
    handles = [
        old.register_forward_pre_hook(lambda m, args: seen.append("pre")),
        old.register_forward_hook(
            lambda m, args, kwargs, out: seen.append("out"), with_kwargs=True
        ),
        old.register_full_backward_pre_hook(lambda m, grad: seen.append("backward pre")),
        old.register_full_backward_hook(lambda m, grad_in, grad_out: seen.append("backward")),
    ]
    kept = []
    network[0].register_forward_hook(lambda m, args, out: kept.append(type(m)))
    replace_activations(network, nn.Tanh, inplace=True)
    network(torch.randn(2, 6)).sum().backward()
    assert (seen, kept) == (["pre", "out", "backward pre", "backward"], [nn.Linear])
    for handle in handles:
        handle.remove()
    network(torch.randn(2, 6)).sum().backward()
    assert len(seen) == 4


def test_a_new_activation_with_parameters_goes_where_its_layer_is():
    network = nn.Sequential(
        nn.Linear(2, 2).double(), nn.ReLU(), nn.Linear(2, 2, device="meta"), nn.PReLU(device="meta")
    )
    network[3].requires_grad_(False)
    changed = replace_activations(network, "prelu", {"num_parameters": 2})
    assert changed[1].weight.dtype == torch.float64
    assert changed[3].weight.device.type == "meta"
    assert [changed[i].weight.requires_grad for i in (1, 3)] == [True, False]
    assert [changed[i].weight.shape for i in (1, 3)] == [(2,), (2,)]


def test_hooks_fire_in_the_copy_too():
    network, seen = mlp(), []
    network[1].register_forward_hook(lambda m, args, out: seen.append(type(m)))
    changed = replace_activations(network, nn.Tanh)
    changed(torch.randn(2, 6))
    network(torch.randn(2, 6))
    assert seen == [nn.Tanh, nn.ReLU]


def test_only_the_classes_asked_for_are_replaced_and_parametrizations_never():
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sigmoid())
    nn.utils.parametrize.register_parametrization(network[0], "weight", nn.Softplus())
    changed = replace_activations(network, "silu", replaced=(nn.ReLU, nn.Softplus))
    assert [type(m) for m in changed[1:]] == [nn.SiLU, nn.Sigmoid]
    torch.testing.assert_close(changed[0].weight, network[0].weight)


def test_one_module_in_several_places_stays_one_and_a_bare_one_is_returned():
    act = nn.ReLU()
    changed = replace_activations(nn.Sequential(act, nn.Sequential(act), nn.ReLU()), "prelu")
    assert changed[0] is changed[1][0]
    assert changed[0] is not changed[2]
    assert isinstance(replace_activations(nn.ReLU(), "tanh"), nn.Tanh)


def test_functions_that_stay_are_said():
    with pytest.warns(UserWarning, match="calls relu as functions"):
        changed = replace_activations(densenet121(), "tanh")
    assert not any(isinstance(m, nn.ReLU) for m in changed.modules())

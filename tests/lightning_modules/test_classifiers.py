import pytest
import torch
from helpers.training import quiet_trainer
from torch import nn

from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import Classifier, ConvNetClassifier, MLPClassifier


@pytest.mark.parametrize(
    "make",
    [
        lambda: MLPClassifier(
            64, 10, hidden=(16,), activation=nn.Tanh, optimizer=torch.optim.SGD, norm="batch"
        ),
        lambda: ConvNetClassifier(1, 10, channels=(4, 8), norm="layer", dropout=0.1),
    ],
)
def test_checkpoint_loads_back_with_no_argument(make, tmp_path):
    model = make()
    run = quiet_trainer()
    run.fit(model, datamodule=ImageDataModule(batch_size=256))
    run.save_checkpoint(tmp_path / "run.ckpt")
    loaded = type(model).load_from_checkpoint(tmp_path / "run.ckpt").eval()
    x = torch.rand(3, 1, 8, 8)
    torch.testing.assert_close(loaded(x), model.eval()(x))
    torch.load(tmp_path / "run.ckpt", weights_only=True)


def test_the_mlp_equals_torchs_own_layers():
    model = MLPClassifier(6, 3, hidden=(5,), activation="leaky_relu", norm="batch").eval()
    linear, norm, out = (model.network[i] for i in (1, 2, 4))
    x = torch.randn(4, 6)
    expected = out(nn.functional.leaky_relu(norm(linear(x)), 0.01))
    torch.testing.assert_close(model(x), expected)
    assert linear.bias is None


@pytest.mark.parametrize(
    ("activation", "bound"), [("relu", 5.0), ("leaky_relu", 5.0), ("tanh", 5.0), ("selu", 5.0)]
)
def test_auto_initialisation_keeps_the_variance_through_thirty_layers(activation, bound):
    torch.manual_seed(0)
    model = MLPClassifier(256, 10, hidden=(256,) * 30, activation=activation)
    x = torch.randn(256, 256)
    hidden = [layer for layer in model.network][:-1]
    first = last = None
    for layer in hidden:
        x = layer(x)
        if first is None and not isinstance(layer, (nn.Flatten, nn.Linear)):
            first = x.square().mean()
    last = x.square().mean()
    assert 1 / bound < (last / first).item() < bound


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "leakyrelu"}, "Did you mean 'leaky_relu'"),
        ({"norm": "batchnorm"}, "Did you mean 'batch'"),
        ({"optimizer": "adaam"}, "Did you mean 'adam'"),
        ({"init": "kaiming"}, "'kaiming_normal'"),
        ({"dropout": 1.0}, "`dropout`"),
        ({"lr": 0.0}, "`lr`"),
        ({"hidden": (0,)}, "`hidden`"),
    ],
)
def test_wrong_arguments_say_what_to_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(64, 10, **arguments)


@pytest.mark.parametrize("label", [-100, -1, 3])
@pytest.mark.parametrize(
    "arguments", [{}, {"class_weights": [1.0, 2.0, 3.0]}, {"label_smoothing": 0.1}]
)
@pytest.mark.parametrize("step", ["training_step", "validation_step", "test_step"])
def test_labels_of_no_class_are_refused_before_they_are_counted(step, arguments, label):
    model = MLPClassifier(4, 3, **arguments)
    with pytest.raises(ValueError, match=f"labels from 0 to 2, but got {min(label, 0)} to "):
        getattr(model, step)((torch.zeros(2, 4), torch.tensor([0, label])), 0)


def test_wrong_batches_say_what_to_do():
    model = MLPClassifier(4, 3, norm="batch")
    with pytest.raises(ValueError, match="in_features=4"):
        model(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="at least 2 samples"):
        model.train().training_step((torch.zeros(1, 4), torch.zeros(1).long()), 0)
    with pytest.raises(ValueError, match="labels from 0 to 2, but got 0 to 3"):
        model.training_step((torch.zeros(2, 4), torch.tensor([0, 3])), 0)
    with pytest.raises(ValueError, match=r"int64 of shape \(2,\), but got torch.float32"):
        model.training_step((torch.zeros(2, 4), torch.zeros(2)), 0)
    with pytest.raises(ValueError, match=r"but got torch.int64 of shape \(2, 1\)"):
        model.training_step((torch.zeros(2, 4), torch.zeros(2, 1).long()), 0)
    with pytest.raises(ValueError, match=r"logits of shape \(2, 3\)"):
        Classifier(nn.Linear(4, 5), 3).training_step((torch.zeros(2, 4), torch.zeros(2).long()), 0)
    with pytest.raises(ValueError, match="in_channels=3"):
        ConvNetClassifier(3, 2)(torch.zeros(2, 1, 8, 8))
    small = ConvNetClassifier(1, 2, channels=(4, 4, 4), norm="instance")
    with pytest.raises(ValueError, match=r'shape \(2, 1, 4, 4\)\. `norm="group"` needs none'):
        small.training_step((torch.zeros(2, 1, 4, 4), torch.zeros(2).long()), 0)


def test_instance_normalisation_takes_the_smallest_images_that_it_can():
    model = ConvNetClassifier(1, 2, channels=(4, 4, 4), norm="instance")
    assert model(torch.randn(2, 1, 5, 1)).shape == (2, 2)

import pytest
import torch
from helpers.training import quiet_trainer
from torch.utils.data import DataLoader, TensorDataset

from torchvitals.lightning_modules import ConvNetClassifier, ResNetClassifier

pytestmark = pytest.mark.gpu


def loader(size=16):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(64, 3, size, size, generator=generator)
    return DataLoader(TensorDataset(images, torch.arange(64) % 7), batch_size=16)


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_mixed_precision_learns(precision, channels_last):
    torch.manual_seed(0)
    model = ConvNetClassifier(
        3, 7, norm="batch", lr=0.01, l1=1e-5, l2=1e-3, channels_last=channels_last
    )
    trainer = quiet_trainer(max_epochs=20, accelerator="gpu", devices=1, precision=precision)
    trainer.fit(model, loader())
    assert trainer.callback_metrics["train_accuracy"] > 0.9


def test_a_step_never_waits_for_the_device():
    model = ResNetClassifier(3, 7, stem="cifar", width=8, l1=1e-5, l2=1e-3).cuda()
    x, y = torch.randn(16, 3, 16, 16, device="cuda"), torch.arange(16, device="cuda") % 7
    model.training_step((x, y), 0).backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(5):
            model.training_step((x, y), step).backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_inductor_gives_the_eager_outputs():
    model = ResNetClassifier(3, 7, stem="cifar", width=8).cuda().eval()
    x = torch.randn(4, 3, 16, 16, device="cuda")
    compiled = torch.compile(model.network, fullgraph=True)
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-3, atol=1e-3)

"""Subclass a module: your network, our training step, metrics and checkpoints."""

from lightning.pytorch import Trainer
from torch import nn

from torchvitals.datamodules import ImageDataModule
from torchvitals.lightning_modules import Classifier


class SmallConvNet(Classifier):
    """A custom network; its arguments are saved in the checkpoint."""

    def __init__(self, width: int = 32, lr: float = 3e-3) -> None:
        network = nn.Sequential(
            nn.Conv2d(1, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(width * 36, 10)
        )
        super().__init__(network, num_classes=10, optimizer="adamw", lr=lr)


def main() -> None:
    trainer = Trainer(max_epochs=2, logger=False, enable_checkpointing=False)
    model, data = SmallConvNet(), ImageDataModule(augment="light")
    trainer.fit(model, datamodule=data)
    trainer.save_checkpoint("runs/small_conv_net.ckpt")
    loaded = SmallConvNet.load_from_checkpoint("runs/small_conv_net.ckpt")
    trainer.test(loaded, datamodule=data)


if __name__ == "__main__":
    main()

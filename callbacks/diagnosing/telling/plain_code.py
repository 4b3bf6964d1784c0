"""Remedies as plain PyTorch, for modules and data that are not from this package.

Rules name arguments of this package's own modules, which cannot be pasted into other ones.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ...remedy import Remedy
from ..symptom import Symptom

_FOR_MODULES: Mapping[str, str] = {
    'activation="relu"': "nn.ReLU()",
    'activation="leaky_relu"': "nn.LeakyReLU(0.01)",
    'norm="batch"': "nn.BatchNorm1d(width)  # for images: nn.BatchNorm2d(channels)",
    'norm="layer"': "nn.LayerNorm(width)  # for images: nn.GroupNorm(8, channels)",
    'init="kaiming_normal"': 'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")',
    'init="auto"': 'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")  # tanh: xavier',
    'loss="huber"': "nn.HuberLoss()",
    "class_weights=data.class_weights": (
        "nn.CrossEntropyLoss(weight=counts.sum() / (len(counts) * counts))"
    ),
    "l1=0.0, l2=0.0": "weight_decay=0.0",
    "l2=0.0, l1=0.0": "",  # of a penalty that a loss written by hand adds
    'optimizer="adam"': "torch.optim.Adam(self.parameters(), lr=1e-3)",
    'optimizer="adamw"': "torch.optim.AdamW(self.parameters(), lr=1e-3, weight_decay=0.01)",
    'scheduler="cosine"': "CosineAnnealingLR(optimizer, T_max=trainer.max_epochs)",
    'warmup=0.1, scheduler="cosine"': (
        '{"scheduler": OneCycleLR(optimizer, max_lr=lr, pct_start=0.1, '
        'total_steps=trainer.estimated_stepping_batches), "interval": "step"}'
    ),
}
_DROPOUT = re.compile(r"^dropout=([\d.]+)$")
_FOR_DATA: Mapping[str, str] = {
    'ImageDataModule(augment="standard")': (
        "v2.Compose([v2.RandomCrop(size, padding=4), v2.RandomHorizontalFlip()])"
    ),
    "ImageDataModule(balanced=True)": (
        "WeightedRandomSampler(1 / counts[labels], num_samples=len(labels))"
    ),
    "class_weights=data.class_weights": "class_weights=counts.sum() / (len(counts) * counts)",
    'TabularDataModule(augment={"noise": 0.1})': "x = x + 0.1 * torch.randn_like(x)",
    'TabularDataModule(scaling="standard")': "x = (x - x_train.mean(0)) / x_train.std(0)",
    "TabularDataModule(standardize_target=True)": "y = (y - y_train.mean()) / y_train.std()",
}


def is_of_this_package(part: object, folder: str) -> bool:
    """Whether a module or data module is from this package, or of a subclass of one that is.

    Args:
        part: The module or data module.
        folder: The package's folder for those: ``"lightning_modules"`` or ``"datamodules"``.
    """
    package = f"{__name__.split('.')[0]}.{folder}"
    return any(kind.__module__.startswith(package) for kind in type(part).__mro__)


def in_plain_code(
    symptoms: Iterable[Symptom], *, own_module: bool, own_data: bool
) -> list[Symptom]:
    """Replace the code of remedies by code that can be pasted.

    Args:
        symptoms: The symptoms found.
        own_module: Whether the module takes this package's arguments.
        own_data: Whether the data module does.
    """

    def put(remedy: Remedy) -> Remedy:
        code = remedy.code
        if not own_module:
            code = _DROPOUT.sub(r"nn.Dropout(\1)", _FOR_MODULES.get(code, code))
        return replace(remedy, code=code if own_data else _FOR_DATA.get(code, code))

    return [replace(found, remedies=tuple(map(put, found.remedies))) for found in symptoms]

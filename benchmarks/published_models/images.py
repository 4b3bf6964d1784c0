"""Networks that classify images, find things in them, or cut them out."""

from typing import Any

import torch
from case import (
    Case,
    Goal,
    Published,
    adam,
    adamw,
    classify,
    cosine,
    one_cycle,
    sgd,
    tensor_case,
)
from data_sets import digits, discs_and_squares, shapes
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models import VisionTransformer, resnet18
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.ops import box_iou


def large_digits() -> Any:
    return digits(32)


def small_digits() -> Any:
    return digits(8, 1)


def torchvision_resnet() -> LightningModule:
    optimizer = sgd(0.05, momentum=0.9, weight_decay=1e-4)
    return Published(resnet18(num_classes=10), classify, optimizer, cosine)


def torchvision_vit() -> LightningModule:
    network = VisionTransformer(
        image_size=32, patch_size=8, num_layers=4, num_heads=4, hidden_dim=96, mlp_dim=192,
        dropout=0.1, num_classes=10,
    )  # fmt: skip
    return Published(network, classify, adamw(1e-3, weight_decay=0.05), one_cycle(1e-3))


def backbone() -> nn.Module:
    """Convolutions down to an eighth of the size, in the place of a pretrained network."""
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
    network = nn.Sequential(*layers)
    network.out_channels = 64  # type: ignore[assignment]
    return network


def faster_rcnn() -> LightningModule:
    anchors = AnchorGenerator(sizes=((16, 24, 32),), aspect_ratios=((1.0,),))
    network = FasterRCNN(
        backbone(), num_classes=3, rpn_anchor_generator=anchors, min_size=64, max_size=64,
        image_mean=[0.0] * 3, image_std=[1.0] * 3, rpn_post_nms_top_n_train=64,
        rpn_post_nms_top_n_test=64, box_batch_size_per_image=32,
    )  # fmt: skip
    return Published(network, detect, sgd(0.01, momentum=0.9, weight_decay=5e-4))


def detect(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    """The losses in training; else whether the surest box is right, and half of it or more."""
    images, _, boxes, labels = batch
    if network.training:
        pairs = zip(boxes, labels, strict=True)
        targets = [{"boxes": box[None], "labels": label[None]} for box, label in pairs]
        return {"loss": torch.stack(list(network(list(images), targets).values())).sum()}
    right = [
        bool(len(found["boxes"]))
        and found["labels"][0] == label
        and box_iou(found["boxes"][:1], box[None]).item() > 0.5
        for found, box, label in zip(network(list(images)), boxes, labels, strict=True)
    ]
    return {"acc": torch.tensor(right).float().mean()}


def timm_resnet() -> LightningModule:
    import timm

    network = timm.create_model("resnet10t", num_classes=10)
    return Published(
        network, classify, sgd(0.05, momentum=0.9, nesterov=True, weight_decay=2e-5), cosine
    )


def timm_convnext() -> LightningModule:
    import timm

    network = timm.create_model(
        "convnext_atto", num_classes=10, depths=(1, 1, 2, 1), dims=(32, 64, 96, 128), patch_size=2
    )
    return Published(network, classify, adamw(2e-3, weight_decay=0.05), one_cycle(2e-3))


def vit_for_small_data() -> LightningModule:
    from vit_pytorch.vit_for_small_dataset import ViT

    network = ViT(
        image_size=32, patch_size=8, num_classes=10, dim=96, depth=3, heads=4, mlp_dim=192
    )
    return Published(network, classify, adam(5e-4))


def gmlp() -> LightningModule:
    from g_mlp_pytorch import gMLPVision

    network = gMLPVision(
        image_size=8, patch_size=2, num_classes=10, dim=48, depth=3, channels=1, prob_survival=0.99
    )
    return Published(network, classify, adam(1e-3))


def overlap(logits: Tensor, masks: Tensor) -> Tensor:
    """Dice's coefficient of the whole batch."""
    found = (logits > 0).float()
    return 2 * (found * masks).sum() / (found.sum() + masks.sum())


def smp_unet() -> LightningModule:
    import segmentation_models_pytorch as smp

    network = smp.Unet(
        "resnet18", encoder_weights=None, encoder_depth=3, decoder_channels=(32, 16, 8)
    )
    dice = smp.losses.DiceLoss("binary")
    return Published(network, segment_with(dice), adam(1e-3))


def monai_unet() -> LightningModule:
    from monai.losses import DiceLoss
    from monai.networks.nets import UNet

    network = UNet(
        spatial_dims=2, in_channels=3, out_channels=1, channels=(8, 16, 32), strides=(2, 2),
        num_res_units=2,
    )  # fmt: skip
    return Published(network, segment_with(DiceLoss(sigmoid=True)), adam(1e-2))


def segment_with(dice: nn.Module) -> Any:
    def segment(network: nn.Module, batch: Any) -> dict[str, Tensor]:
        images, masks = batch
        logits = network(images)
        return {"loss": dice(logits, masks), "f1": overlap(logits, masks)}

    return segment


def segformer() -> LightningModule:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    configuration = SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[4, 2], hidden_sizes=[16, 32],
        patch_sizes=[7, 3], strides=[2, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2],
        decoder_hidden_size=32, num_labels=3,
    )  # fmt: skip
    return Published(SegformerForSemanticSegmentation(configuration), label_pixels, adamw(1e-3))


def label_pixels(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    images, masks, *_ = batch
    found = network(pixel_values=images, labels=masks)
    labels = interpolate(found.logits, size=masks.shape[-2:]).argmax(1)
    return {"loss": found.loss, "acc": (labels == masks).float().mean()}


def large_shapes(batch_size: int, *, train: bool) -> Any:
    rows = shapes(64).train if train else shapes(64).validation
    return DataLoader(TensorDataset(*rows), batch_size, shuffle=train)


RIGHT = Goal("val_acc", at_least=0.95)
# A transformer that has only seen 1,347 images is a little worse than a convolutional network.
NEARLY = Goal("val_acc", at_least=0.93)
FOUND = Goal("val_f1", at_least=0.9)
CASES = (
    tensor_case(
        "torchvision/resnet18", "digits", torchvision_resnet, large_digits, 5, RIGHT,
        batch_size=64, drop_last=True,
    ),
    tensor_case(
        "torchvision/VisionTransformer", "digits", torchvision_vit, large_digits, 20, NEARLY,
        batch_size=64,
    ),
    Case(
        "torchvision/FasterRCNN", "detect shapes", faster_rcnn,
        lambda: large_shapes(8, train=True), lambda: large_shapes(16, train=False), 3,
        Goal("val_acc", at_least=0.9),
    ),
    tensor_case(
        "timm/resnet10t", "digits", timm_resnet, large_digits, 8, RIGHT,
        batch_size=64, drop_last=True,
    ),
    tensor_case(
        "timm/convnext_atto", "digits", timm_convnext, large_digits, 15, RIGHT,
        batch_size=64, drop_last=True,
    ),
    tensor_case(
        "vit_pytorch/ViT for small data", "digits", vit_for_small_data, large_digits, 10, NEARLY,
        batch_size=64,
    ),
    tensor_case("g_mlp_pytorch/gMLPVision", "digits", gmlp, small_digits, 20, NEARLY),
    tensor_case(
        "segmentation_models_pytorch/Unet", "mask of shapes", smp_unet, discs_and_squares, 8,
        FOUND, batch_size=16,
    ),
    tensor_case(
        "monai/UNet", "mask of shapes", monai_unet, discs_and_squares, 12, FOUND, batch_size=16
    ),
    tensor_case(
        "transformers/Segformer", "pixels' classes", segformer, shapes, 10, RIGHT, batch_size=16
    ),
)  # fmt: skip

"""Networks for tables of numbers and categories."""

from typing import Any

import torch
import torch.nn.functional as F
from case import Goal, Published, adam, adamw, regress, tensor_case
from data_sets import purchases, table
from lightning.pytorch import LightningModule
from torch import Tensor, nn


def rtdl_resnet() -> LightningModule:
    from rtdl_revisiting_models import ResNet

    network = ResNet(
        d_in=8, d_out=1, n_blocks=2, d_block=128, d_hidden=None, d_hidden_multiplier=2.0,
        dropout1=0.15, dropout2=0.0,
    )  # fmt: skip
    return Published(network, regress, adamw(1e-3, weight_decay=1e-4))


class OfNumbersAlone(nn.Module):
    """A network that is called with numbers and categories, of which there are none."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.network(x, None)
        return found


def rtdl_transformer() -> LightningModule:
    from rtdl_revisiting_models import FTTransformer

    network = FTTransformer(
        n_cont_features=8, cat_cardinalities=[], d_out=1,
        **FTTransformer.get_default_kwargs(n_blocks=1),
    )  # fmt: skip
    # The package groups the parameters itself, those without decay apart.
    return Published(OfNumbersAlone(network), regress, lambda _: network.make_default_optimizer())


def tabnet() -> LightningModule:
    from pytorch_tabnet.tab_network import TabNet

    network = TabNet(
        8, 1, n_d=16, n_a=16, n_steps=3, gamma=1.3, cat_idxs=[], cat_dims=[], cat_emb_dim=1,
        virtual_batch_size=128, group_attention_matrix=torch.eye(8),
    )  # fmt: skip
    return Published(network, regress_sparsely, adam(2e-2))


def regress_sparsely(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    x, y = batch
    found, entropy = network(x)
    error = F.mse_loss(found.squeeze(-1), y)
    return {"loss": error - 1e-3 * entropy, "mse": error}


def tab_transformer() -> LightningModule:
    from tab_transformer_pytorch import TabTransformer

    network = TabTransformer(
        categories=(6, 4, 8), num_continuous=4, dim=32, dim_out=1, depth=2, heads=4,
        attn_dropout=0.1, ff_dropout=0.1, mlp_hidden_mults=(4, 2), mlp_act=nn.ReLU(),
    )  # fmt: skip
    return Published(network, buys_or_not, adamw(1e-3))


def buys_or_not(network: nn.Module, batch: Any) -> dict[str, Tensor]:
    categories, numbers, bought = batch
    logits = network(categories, numbers).squeeze(-1)
    return {
        "loss": F.binary_cross_entropy_with_logits(logits, bought),
        "acc": ((logits > 0) == (bought > 0.5)).float().mean(),
    }


def deep_fm() -> LightningModule:
    from deepctr_torch.models import DeepFM

    return deepctr(DeepFM)


def deep_and_cross() -> LightningModule:
    from deepctr_torch.models import DCN

    return deepctr(DCN)


def deepctr(model: Any) -> LightningModule:
    """One of the package's models, its layers as by default but half as wide."""
    from deepctr_torch.inputs import DenseFeat, SparseFeat

    sparse = [SparseFeat(f"c{i}", size, embedding_dim=8) for i, size in enumerate((6, 4, 8))]
    features = [*sparse, *(DenseFeat(f"d{i}", 1) for i in range(4))]
    network = model(features, features, task="binary", dnn_hidden_units=(128, 64), device="cpu")
    return Published(network, click_or_not, adam(1e-3))


def click_or_not(network: Any, batch: Any) -> dict[str, Tensor]:
    """With the package's penalty on embeddings and weights, as its own ``fit`` adds it."""
    categories, numbers, bought = batch
    chance = network(torch.cat([categories.float(), numbers], 1)).squeeze(-1)
    error = F.binary_cross_entropy(chance, bought)
    right = ((chance > 0.5) == (bought > 0.5)).float().mean()
    return {"loss": error + network.get_regularization_loss().sum(), "acc": right}


def kan() -> LightningModule:
    from kan import KAN

    network = KAN(width=[8, 4, 1], grid=5, k=3, seed=0, auto_save=False)
    return Published(network, regress, adam(1e-2))


# Gradient-boosted trees leave 0.12 of a variance of 1; the noise is 0.03.
AS_TREES = Goal("val_loss", at_most=0.15)
# 0.90 could be known.
MOST_KNOWN = Goal("val_acc", at_least=0.82)
CASES = (
    tensor_case(
        "rtdl_revisiting_models/ResNet", "regression", rtdl_resnet, table, 25, AS_TREES,
        batch_size=128,
    ),
    tensor_case(
        "rtdl_revisiting_models/FTTransformer", "regression", rtdl_transformer, table, 25,
        AS_TREES, batch_size=128,
    ),
    tensor_case(
        "pytorch_tabnet/TabNet", "regression", tabnet, table, 50, Goal("val_mse", at_most=0.15),
        batch_size=256, drop_last=True,
    ),
    tensor_case("pykan/KAN", "regression", kan, table, 20, AS_TREES, batch_size=128),
    tensor_case(
        "tab_transformer_pytorch/TabTransformer", "purchase or none", tab_transformer, purchases,
        6, MOST_KNOWN, batch_size=64,
    ),
    tensor_case(
        "deepctr_torch/DeepFM", "purchase or none", deep_fm, purchases, 12, MOST_KNOWN,
        batch_size=64,
    ),
    tensor_case(
        "deepctr_torch/DCN", "purchase or none", deep_and_cross, purchases, 12, MOST_KNOWN,
        batch_size=64,
    ),
)  # fmt: skip

"""Fully sharded data parallelism (FSDP2)."""

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard


def shard_by_layer(network: nn.Module, mesh: DeviceMesh) -> None:
    """Shard the network in place, each of its blocks as a separate unit.

    Blocks are the children of the network, and of its containers, that have parameters. Further
    calls, which Lightning makes for each of fit, validate and test, have no effect.

    Args:
        network: Modified in place: its parameters become ``DTensor``.
        mesh: One-dimensional mesh of the ranks to shard over.
    """
    if isinstance(network, FSDPModule):
        return
    for block in _blocks(network):
        fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh)


def _blocks(module: nn.Module) -> list[nn.Module]:
    blocks = []
    for child in module.children():
        if isinstance(child, (nn.Sequential, nn.ModuleList)):
            blocks += _blocks(child)
        elif any(True for _ in child.parameters()):
            blocks.append(child)
    return blocks

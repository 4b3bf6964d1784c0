"""Networks on graphs, on molecules and on points in space."""

from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from case import Case, Goal, Published, accuracy, adam, regress, tensor_case
from data_sets import Split, as_tensor, split, standardized
from lightning.pytorch import LightningModule
from torch import Tensor, nn

COMMUNITIES, NODES, FEATURES = 5, 600, 40
ENTITIES, RELATIONS = 150, 4


@cache
def communities() -> dict[str, Tensor]:
    """A citation network: who is in one community is joined more often, and a little alike."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, COMMUNITIES, NODES)
    chance = np.where(labels[:, None] == labels, 0.025, 0.003)
    upper = np.triu(draw.random((NODES, NODES)) < chance, 1)
    centres = draw.normal(size=(COMMUNITIES, FEATURES))
    x = 0.5 * centres[labels] + draw.normal(size=(NODES, FEATURES))
    return {
        "x": as_tensor(x),
        "edge_index": as_tensor(np.array((upper | upper.T).nonzero())),
        "y": as_tensor(labels),
        "known": torch.arange(NODES) < 200,
    }


def whole_graph() -> Any:
    from torch_geometric.data import Data
    from torch_geometric.loader import DataLoader

    return DataLoader([Data(**communities())], batch_size=1)


class TwoLayers(nn.Module):
    """Two layers of a kind, with dropout before each, as the papers of GCN and GAT have it."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        hidden = F.dropout(x, 0.5, self.training)
        hidden = F.dropout(self.first(hidden, edges).relu(), 0.5, self.training)
        found: Tensor = self.second(hidden, edges)
        return found


def gcn() -> LightningModule:
    from torch_geometric.nn import GCNConv

    network = TwoLayers(GCNConv(FEATURES, 16), GCNConv(16, COMMUNITIES))
    return Published(network, label_nodes, adam(0.01, weight_decay=5e-4))


def gat() -> LightningModule:
    from torch_geometric.nn import GATConv

    network = TwoLayers(GATConv(FEATURES, 8, heads=8), GATConv(64, COMMUNITIES))
    return Published(network, label_nodes, adam(0.005, weight_decay=5e-4))


def label_nodes(network: nn.Module, graph: Any) -> dict[str, Tensor]:
    asked = graph.known if network.training else ~graph.known
    logits = network(graph.x, graph.edge_index)[asked]
    return {
        "loss": F.cross_entropy(logits, graph.y[asked]),
        "acc": accuracy(logits, graph.y[asked]),
    }


@cache
def small_graphs() -> list[Any]:
    """Graphs with a clique of five, and without; a node's degree is its feature."""
    from torch_geometric.data import Data

    draw, graphs = np.random.default_rng(0), []
    for _ in range(1000):
        label, size = int(draw.integers(0, 2)), int(draw.integers(12, 22))
        joined = np.triu(draw.random((size, size)) < 0.12, 1)
        if label:
            clique = draw.choice(size, 5, replace=False)
            joined[np.ix_(clique, clique)] = np.triu(np.ones((5, 5)), 1)
        joined = joined | joined.T
        x = torch.eye(12)[np.minimum(joined.sum(1), 11)]
        edges = as_tensor(np.array(joined.nonzero()))
        graphs.append(Data(x=x, edge_index=edges, y=torch.tensor([label])))
    return graphs


class GraphClassifier(nn.Module):
    """The package's GIN, the sum of its nodes, and a linear layer."""

    def __init__(self) -> None:
        from torch_geometric.nn import GIN, global_add_pool

        super().__init__()
        self.body = GIN(12, 32, 3, dropout=0.1, norm="batch_norm")
        self.pool, self.head = global_add_pool, nn.Linear(32, 2)

    def forward(self, graphs: Any) -> Tensor:
        nodes = self.body(graphs.x, graphs.edge_index)
        logits: Tensor = self.head(self.pool(nodes, graphs.batch))
        return logits


def gin() -> LightningModule:
    return Published(GraphClassifier(), label_graphs, adam(0.01))


def label_graphs(network: nn.Module, graphs: Any) -> dict[str, Tensor]:
    logits = network(graphs)
    return {"loss": F.cross_entropy(logits, graphs.y), "acc": accuracy(logits, graphs.y)}


def graph_loader(graphs: list[Any], *, train: bool) -> Any:
    from torch_geometric.loader import DataLoader

    cut = 3 * len(graphs) // 4
    return DataLoader(graphs[:cut] if train else graphs[cut:], 32, shuffle=train)


class Encoder(nn.Module):
    """A convolution and a PReLU."""

    def __init__(self) -> None:
        from torch_geometric.nn import GCNConv

        super().__init__()
        self.convolution, self.activation = GCNConv(FEATURES, 64), nn.PReLU(64)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        nodes: Tensor = self.activation(self.convolution(x, edges))
        return nodes


def infomax() -> LightningModule:
    from torch_geometric.nn import DeepGraphInfomax

    network = DeepGraphInfomax(
        64, Encoder(), summary=lambda z, *_: z.mean(0).sigmoid(),
        corruption=lambda x, edges: (x[torch.randperm(len(x))], edges),
    )  # fmt: skip
    return Published(network, tell_from_shuffled, adam(1e-3))


def tell_from_shuffled(network: Any, graph: Any) -> dict[str, Tensor]:
    return {"loss": network.loss(*network(graph.x, graph.edge_index))}


@cache
def facts() -> Split:
    """Triples of head, relation and tail, true of points that a relation moves."""
    draw = np.random.default_rng(0)
    places, moves = draw.normal(size=(ENTITIES, 6)), draw.normal(size=(RELATIONS, 6))
    triples = [
        (head, relation, tail)
        for head in range(ENTITIES)
        for relation in range(RELATIONS)
        for tail in np.linalg.norm(places - places[head] - moves[relation], axis=1).argsort()[:4]
    ]
    return split(*np.array(triples).T, share=0.83)


def trans_e() -> LightningModule:
    from torch_geometric.nn import TransE

    network = TransE(ENTITIES, RELATIONS, 24, margin=1.0)
    return Published(network, lambda network, facts: {"loss": network.loss(*facts)}, adam(0.01))


@cache
def molecules() -> list[Any]:
    """Atoms of four kinds in space, and an energy of their pairs."""
    from torch_geometric.data import Data

    draw, found = np.random.default_rng(0), []
    for _ in range(700):
        kinds = draw.integers(1, 5, int(draw.integers(5, 10)))
        places = as_tensor(1.5 * draw.normal(size=(len(kinds), 3)))
        charges = as_tensor(np.outer(kinds, kinds) / 6)
        energy = (charges * torch.exp(-torch.cdist(places, places))).sum()
        found.append(Data(z=as_tensor(kinds), pos=places, y=energy[None]))
    energies = torch.cat([molecule.y for molecule in found])
    for molecule in found:
        molecule.y = (molecule.y - energies.mean()) / energies.std()
    return found


class NearPairs(nn.Module):
    """Pairs of atoms closer than a distance, without the package's compiled extension."""

    def __init__(self, distance: float) -> None:
        super().__init__()
        self.distance = distance

    def forward(self, places: Tensor, molecule: Tensor) -> tuple[Tensor, Tensor]:
        near = torch.cdist(places, places) < self.distance
        near = near & (molecule[:, None] == molecule) & ~torch.eye(len(places), dtype=torch.bool)
        edges = near.nonzero().T.flip(0)
        return edges, (places[edges[0]] - places[edges[1]]).norm(dim=-1)


def schnet() -> LightningModule:
    from torch_geometric.nn import SchNet

    network = SchNet(
        hidden_channels=32, num_filters=32, num_interactions=3, num_gaussians=25, cutoff=6.0,
        interaction_graph=NearPairs(6.0),
    )  # fmt: skip
    return Published(network, energy_error, adam(2e-3))


def energy_error(network: nn.Module, molecules: Any) -> dict[str, Tensor]:
    found = network(molecules.z, molecules.pos, molecules.batch).flatten()
    return {"loss": F.mse_loss(found, molecules.y)}


@cache
def clouds() -> Split:
    """Six points in space, and an energy that their distances say."""
    places = np.random.default_rng(0).normal(size=(800, 6, 3))
    distances = np.linalg.norm(places[:, :, None] - places[:, None], axis=-1)
    return split(places, standardized((1 / (0.5 + distances)).sum((1, 2))))


class Egnn(nn.Module):
    """Two of the package's layers, and the sum over the points."""

    def __init__(self) -> None:
        from egnn_pytorch import EGNN

        super().__init__()
        self.embedding = nn.Parameter(torch.randn(6, 16))
        self.layers = nn.ModuleList(EGNN(dim=16, m_dim=32) for _ in range(2))
        self.head = nn.Sequential(nn.Linear(16, 32), nn.SiLU(), nn.Linear(32, 1))

    def forward(self, places: Tensor) -> Tensor:
        features = self.embedding.expand(len(places), -1, -1)
        for layer in self.layers:
            features, places = layer(features, places)
        energy: Tensor = self.head(features).sum(1)
        return energy


def egnn() -> LightningModule:
    return Published(Egnn(), regress, adam(1e-3))


class TensorProducts(nn.Module):
    """One convolution over spherical harmonics, and the invariants of what it gathers."""

    def __init__(self) -> None:
        from e3nn import o3
        from e3nn.nn import FullyConnectedNet

        super().__init__()
        harmonics, hidden = o3.Irreps.spherical_harmonics(2), o3.Irreps("8x0e+8x1o+4x2e")
        self.harmonics = o3.SphericalHarmonics(harmonics, True, "component")
        self.gather = o3.FullyConnectedTensorProduct(
            harmonics, "4x0e", hidden, shared_weights=False
        )
        count = self.gather.weight_numel
        self.radial = FullyConnectedNet([8, 32, count], torch.nn.functional.silu)
        self.invariants = o3.FullyConnectedTensorProduct(hidden, hidden, "16x0e")
        self.embedding = nn.Parameter(torch.randn(6, 4))
        self.head = nn.Sequential(nn.Linear(16, 32), nn.SiLU(), nn.Linear(32, 1))

    def forward(self, places: Tensor) -> Tensor:
        to, other = (~torch.eye(6, dtype=torch.bool)).nonzero().T
        apart = places[:, other] - places[:, to]
        shells = torch.exp(-4 * (apart.norm(dim=-1, keepdim=True) - torch.linspace(0, 4, 8)) ** 2)
        kinds = self.embedding[other].expand(len(places), -1, -1)
        sent = self.gather(self.harmonics(apart), kinds, self.radial(shells))
        nodes = sent.new_zeros(len(places), 6, sent.shape[-1]).index_add(1, to, sent) / 5**0.5
        energy: Tensor = self.head(self.invariants(nodes, nodes)).sum(1)
        return energy


def e3nn_network() -> LightningModule:
    return Published(TensorProducts(), regress, adam(5e-3))


# The targets' variance is 1.
CLOSE = Goal("val_loss", at_most=0.1)
NODES_RIGHT = Goal("val_acc", at_least=0.88)
CASES = (
    Case(
        "torch_geometric/GCNConv", "label nodes", gcn, whole_graph, whole_graph, 150, NODES_RIGHT
    ),
    Case(
        "torch_geometric/GATConv", "label nodes", gat, whole_graph, whole_graph, 150, NODES_RIGHT
    ),
    Case(
        "torch_geometric/GIN", "find cliques", gin,
        lambda: graph_loader(small_graphs(), train=True),
        lambda: graph_loader(small_graphs(), train=False), 15, Goal("val_acc", at_least=0.95),
    ),
    # A guess has 2 log(2) = 1.39.
    Case(
        "torch_geometric/DeepGraphInfomax", "tell from shuffled", infomax, whole_graph,
        whole_graph, 250, Goal("val_loss", at_most=0.9),
    ),
    # The margin of 1 is what knowing nothing costs.
    tensor_case(
        "torch_geometric/TransE", "complete facts", trans_e, facts, 25,
        Goal("val_loss", at_most=0.7), batch_size=128,
    ),
    Case(
        "torch_geometric/SchNet", "energies of molecules", schnet,
        lambda: graph_loader(molecules(), train=True),
        lambda: graph_loader(molecules(), train=False), 20, CLOSE,
    ),
    tensor_case("egnn_pytorch/EGNN", "energies of points", egnn, clouds, 20, CLOSE),
    tensor_case("e3nn/tensor products", "energies of points", e3nn_network, clouds, 12, CLOSE),
)  # fmt: skip

"""LightningModules in which each remedy is one argument."""

from .add_normalization import add_normalization
from .classifier import Classifier
from .conv_net_classifier import ConvNetClassifier
from .mlp_classifier import MLPClassifier
from .mlp_regressor import MLPRegressor
from .regressor import Regressor
from .reinitialize import reinitialize
from .replace_activations import replace_activations
from .res_net_classifier import ResNetClassifier
from .supervised_module import SupervisedModule
from .text_classifier import TextClassifier

__all__ = [
    "Classifier",
    "ConvNetClassifier",
    "MLPClassifier",
    "MLPRegressor",
    "Regressor",
    "ResNetClassifier",
    "SupervisedModule",
    "TextClassifier",
    "add_normalization",
    "reinitialize",
    "replace_activations",
]

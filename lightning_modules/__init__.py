"""LightningModules in which each remedy is one argument."""

from .classifier import Classifier
from .conv_net_classifier import ConvNetClassifier
from .mlp_classifier import MLPClassifier

__all__ = ["Classifier", "ConvNetClassifier", "MLPClassifier"]

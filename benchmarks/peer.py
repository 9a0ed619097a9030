"""The peer: the same networks in straightforward, well-written PyTorch.

It uses channels-last memory and, on request or by default on a GPU, ``torch.compile`` and bfloat16
with float32 weights (autocast). It shares only the description of networks with the project.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from convstudy.layers.kinds import Layer
from torch import nn


def _module(layer: Layer, channels: int) -> tuple[nn.Module, int]:
    """Create a layer from its description, and return it with its number of output channels."""
    arguments = layer.arguments
    size = arguments.get("kernel_size", 1)
    out = arguments.get("filters", channels)
    if layer.type == "Conv2D":
        return nn.Conv2d(channels, out, size, padding="same"), out
    if layer.type == "DepthwiseConv2D":
        return nn.Conv2d(channels, channels, size, padding="same", groups=channels), channels
    if layer.type == "SeparableConv2D":
        # There is one bias, after the pointwise part.
        depthwise = nn.Conv2d(channels, channels, size, padding="same", groups=channels, bias=False)
        return nn.Sequential(depthwise, nn.Conv2d(channels, out, 1)), out
    if layer.type == "BatchNormalization":
        # PyTorch's momentum is the weight of the new value, Keras's that of the old one.
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=1 - arguments["momentum"]), channels
    if layer.type == "ReLU":
        return nn.ReLU(inplace=True), channels
    if layer.type == "AveragePooling2D":
        return nn.AvgPool2d(arguments["pool_size"]), channels
    if layer.type == "GlobalAveragePooling2D":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), channels
    if layer.type == "Dense":
        return nn.Linear(channels, arguments["units"]), arguments["units"]
    raise ValueError(f"{layer.type} is not supported")


class Peer:
    """A network with its optimizer, Adam.

    Args:
        layers: The network; softmax is part of the loss here.
        batch_size: Images per training step.
        images, labels: The data for training and testing.
        compiled: Whether to compile the network with torch.compile; by default only on a GPU.
        precision: ``float32`` or ``mixed_bfloat16``, the default on a GPU.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        batch_size: int,
        images: np.ndarray,
        labels: np.ndarray,
        compiled: bool | None = None,
        precision: str | None = None,
    ) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        gpu = self.device.type == "cuda"
        self.mixed = gpu if precision is None else precision == "mixed_bfloat16"
        modules, channels = [], images.shape[-1]
        for layer in layers:
            if layer.type != "Rescaling":
                module, channels = _module(layer, channels)
                modules.append(module)
        network = nn.Sequential(*modules).to(self.device, memory_format=torch.channels_last)
        compiled = gpu if compiled is None else compiled
        self.network: Any = torch.compile(network) if compiled else network
        self.optimizer = torch.optim.Adam(network.parameters(), eps=1e-7, fused=True)
        self.batch_size = batch_size
        # NHWC in memory, NCHW by name: channels last.
        self.images = torch.from_numpy(images).to(self.device).movedim(-1, 1)
        self.labels = torch.from_numpy(labels).long().to(self.device)

    def _loss(self, chosen: torch.Tensor) -> torch.Tensor:
        images = self.images[chosen].float().div_(255)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed):
            outputs = self.network(images.contiguous(memory_format=torch.channels_last)).float()
            return nn.functional.cross_entropy(outputs, self.labels[chosen], reduction="sum")

    def train(self) -> float:
        """Train an epoch, and return its mean loss."""
        self.network.train()
        total = torch.zeros((), device=self.device)
        for chosen in torch.randperm(len(self.labels), device=self.device).split(self.batch_size):
            loss = self._loss(chosen)
            self.optimizer.zero_grad(set_to_none=True)
            (loss / len(chosen)).backward()
            self.optimizer.step()
            total += loss.detach()
        return float(total) / len(self.labels)

    @torch.no_grad()
    def test(self, batch_size: int) -> float:
        """Test on all images, and return the mean loss."""
        self.network.eval()
        chosen = torch.arange(len(self.labels), device=self.device)
        return float(sum(map(self._loss, chosen.split(batch_size)))) / len(self.labels)

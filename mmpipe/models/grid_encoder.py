"""A small image encoder: MobileNetV2, a projection, positions, Transformer layers; one vector a grid cell.

Sandler et al. 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks". Batch norms are folded into the
convolutions and padding is TensorFlow's "SAME", so that weights exported from TensorFlow compute what they did there.
Importing this module makes model_type "mmpipe-grid" known to AutoConfig and AutoModel.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

# MobileNetV2 1.0: expansion, channels, blocks, stride of the first block.
STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]

AT_ONCE = 4
"""Images that a processor convolves together; what more of them become on the way falls out of its caches."""


class GridEncoderConfig(PretrainedConfig):
    """Stages are (expansion, channels, blocks, stride of the first block); every other number is a size."""

    model_type = "mmpipe-grid"

    def __init__(
        self,
        image_size: int = 224,
        num_channels: int = 3,
        stem_channels: int = 32,
        stages: list[tuple[int, int, int, int]] | None = None,
        last_channels: int = 1280,
        hidden_size: int = 384,
        num_hidden_layers: int = 1,
        num_attention_heads: int = 6,
        intermediate_size: int = 1536,
        hidden_dropout_prob: float = 0.1,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_size = image_size
        self.num_channels = num_channels
        self.stem_channels = stem_channels
        self.stages = [list(stage) for stage in (stages or STAGES)]
        self.last_channels = last_channels
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.hidden_dropout_prob = hidden_dropout_prob
        self.initializer_range = initializer_range


class SameConv(nn.Conv2d):
    """A convolution with a bias and TensorFlow's "SAME" padding, then ReLU6 where `act` is set."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True):
        super().__init__(inputs, outputs, kernel, stride, groups=groups)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:])
        # Where more padding is to come after than before, the kernel has that much more in front, which is 0: to copy
        # the pixels into a larger tensor takes longer than the convolution.
        odd = (height % 2, width % 2)
        weight = functional.pad(self.weight, (odd[1], 0, odd[0], 0)) if any(odd) else self.weight
        padding = (height // 2 + odd[0], width // 2 + odd[1])
        x = functional.conv2d(x, weight, self.bias, self.stride, padding, groups=self.groups)
        return functional.relu6(x, inplace=True) if self.act else x


class Block(nn.Module):
    """An inverted residual: expand (1x1), depthwise (3x3), project (1x1, linear), add where shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = SameConv(inputs, inner) if expansion > 1 else nn.Identity()
        self.depthwise = SameConv(inner, inner, 3, stride, groups=inner)
        self.project = SameConv(inner, outputs, act=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class Backbone(nn.Module):
    """Pixels (batch, 3, height, width) to features (batch, last_channels, height / 32, width / 32)."""

    def __init__(self, config: GridEncoderConfig) -> None:
        super().__init__()
        self.stem = SameConv(config.num_channels, config.stem_channels, 3, 2)
        inputs = config.stem_channels
        blocks = []
        for expansion, outputs, count, stride in config.stages:
            for i in range(count):
                blocks.append(Block(inputs, outputs, stride if i == 0 else 1, expansion))
                inputs = outputs
        self.blocks = nn.ModuleList(blocks)
        self.last = SameConv(inputs, config.last_channels)

    def early(self, pixels: Tensor, blocks: int) -> Tensor:
        """What the first `blocks` blocks make of the pixels."""
        x = self.stem(pixels)
        for block in self.blocks[:blocks]:
            x = block(x)
        return x

    def late(self, x: Tensor, blocks: int) -> Tensor:
        """The rest of the backbone after `early`."""
        for block in self.blocks[blocks:]:
            x = block(x)
        return self.last(x)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.late(self.stem(pixels), 0)


class GridEncoder(PreTrainedModel):
    """`last_hidden_state` is (batch, cells, hidden_size), cells in rows from the top left."""

    config_class = GridEncoderConfig
    base_model_prefix = "grid_encoder"
    main_input_name = "pixel_values"

    def __init__(self, config: GridEncoderConfig) -> None:
        super().__init__(config)
        self.backbone = Backbone(config)
        side = -(-config.image_size // 32)
        self.project = nn.Linear(config.last_channels, config.hidden_size)
        self.project_norm = nn.LayerNorm(config.hidden_size)
        self.positions = nn.Parameter(torch.zeros(1, side * side, config.hidden_size))
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.hidden_size,
                config.num_attention_heads,
                config.intermediate_size,
                config.hidden_dropout_prob,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(config.num_hidden_layers)
        )
        self.norm = nn.LayerNorm(config.hidden_size)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def cells(self, features: Tensor) -> Tensor:
        """The backbone's features (batch, channels, rows, columns) to one vector a cell."""
        x = self.project_norm(self.project(features.flatten(2).transpose(1, 2)))
        x = self.dropout(x + self.positions)
        for layer in self.layers:
            x = layer(x)
        return self.norm(x)

    def forward(self, pixel_values: Tensor, return_dict: bool | None = None, **_: Any) -> BaseModelOutput | tuple:
        # Channels innermost, processors convolve about half as fast again.
        pixels = pixel_values.contiguous(memory_format=torch.channels_last)
        if pixels.device.type == "cpu" and not torch.is_grad_enabled():
            features = torch.cat([self.backbone(few) for few in pixels.split(AT_ONCE)])
        else:
            features = self.backbone(pixels)
        states = self.cells(features)
        return (states,) if return_dict is False else BaseModelOutput(last_hidden_state=states)


AutoConfig.register(GridEncoderConfig.model_type, GridEncoderConfig)
AutoModel.register(GridEncoderConfig, GridEncoder)

"""The RAM++ network in torch (Huang et al., "Open-Set Image Tagging with Multi-Grained Text Supervision").

A Swin transformer reads the picture; each tag's description embeddings are weighted by how well they fit the
picture and become one query a tag; a small cross-attention head compares each query with the picture's
tokens. Tags do not see each other. The parts are named as ``ram_plus_checkpoint.own_key`` maps them.

Swin: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vision.taggers.ram_plus_checkpoint import RamPlusShape

#: The encoder was trained with torch's default, the tagging head with BERT's.
ENCODER_EPS = 1e-5
HEAD_EPS = 1e-12
#: Added to the attention between tokens that are neighbours only because the picture was rolled.
_APART = -100.0


class RamPlusNetwork(nn.Module):
    """float [N, 3, S, S] normalised pixels to float [N, tags] logits."""

    def __init__(self, shape: RamPlusShape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = SwinEncoder(shape)
        self.image_proj = nn.Linear(shape.encoder_width, shape.text_width)
        self.label_embed = nn.Parameter(torch.zeros(shape.tags * shape.descriptions, shape.text_width))
        self.reweight_scale = nn.Parameter(torch.zeros(()))
        self.wordvec_proj = nn.Linear(shape.text_width, shape.head_width)
        self.head = nn.ModuleList(HeadLayer(shape) for _ in range(shape.head_layers))
        self.fc = nn.Linear(shape.head_width, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        image = self.image_tokens(pixels)
        queries = self.tag_queries(image[:, 0])
        for layer in self.head:
            queries = layer(queries, image)
        return self.fc(queries).squeeze(-1)

    def image_tokens(self, pixels: Tensor) -> Tensor:
        """[N, 3, S, S] pixels to [N, 1 + T, text_width]: the mean token in front, then all tokens."""
        tokens = self.encoder(pixels)
        return self.image_proj(torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1))

    def tag_queries(self, mean_token: Tensor) -> Tensor:
        """[N, text_width] projected mean tokens to [N, tags, head_width]: one query a tag.

        The descriptions count as stored; only the picture's token is normalised.
        """
        picture = functional.normalize(mean_token, dim=-1)
        similarity = (picture @ self.label_embed.T).view(len(picture), -1, self.shape.descriptions)
        weights = (self.reweight_scale.exp() * similarity).softmax(dim=-1)
        descriptions = self.label_embed.view(-1, self.shape.descriptions, self.shape.text_width)
        mixed = torch.einsum("ntd,tdw->ntw", weights, descriptions)
        return functional.relu(self.wordvec_proj(mixed))


class HeadLayer(nn.Module):
    """Each tag's query looks at the picture's tokens; no look at other tags, no positions, post-norm."""

    def __init__(self, shape: RamPlusShape) -> None:
        super().__init__()
        width = shape.head_width
        self.heads = shape.head_heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(shape.text_width, width)
        self.value = nn.Linear(shape.text_width, width)
        self.proj = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width, eps=HEAD_EPS)
        self.mlp = Mlp(width, shape.mlp_ratio * width)
        self.norm2 = nn.LayerNorm(width, eps=HEAD_EPS)

    def forward(self, queries: Tensor, image: Tensor) -> Tensor:
        """[N, tags, head_width] and [N, tokens, text_width] to [N, tags, head_width]."""
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(queries), self.key(image), self.value(image))
        )
        seen = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        queries = self.norm1(queries + self.proj(seen))
        return self.norm2(queries + self.mlp(queries))


class SwinEncoder(nn.Module):
    """float [N, 3, S, S] pixels to [N, tokens, encoder_width]."""

    def __init__(self, shape: RamPlusShape) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(shape)
        self.layers = nn.ModuleList(SwinStage(shape, stage) for stage in range(len(shape.depths)))
        self.norm = nn.LayerNorm(shape.encoder_width, eps=ENCODER_EPS)

    def forward(self, pixels: Tensor) -> Tensor:
        grid = self.patch_embed(pixels)
        for stage in self.layers:
            grid = stage(grid)
        return self.norm(grid).flatten(1, 2)


class PatchEmbed(nn.Module):
    """[N, 3, S, S] pixels to a [N, side, side, width] grid of tokens."""

    def __init__(self, shape: RamPlusShape) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, shape.width, kernel_size=shape.patch, stride=shape.patch)
        self.norm = nn.LayerNorm(shape.width, eps=ENCODER_EPS)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.norm(self.proj(pixels).permute(0, 2, 3, 1))


class SwinStage(nn.Module):
    """Blocks at one resolution, every second one with shifted windows; all but the last stage halve it."""

    def __init__(self, shape: RamPlusShape, stage: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SwinBlock(shape, stage, shifted=block % 2 == 1) for block in range(shape.depths[stage])
        )
        last = stage + 1 == len(shape.depths)
        self.downsample = nn.Identity() if last else PatchMerging(shape.stage_width(stage))

    def forward(self, grid: Tensor) -> Tensor:
        for block in self.blocks:
            grid = block(grid)
        return self.downsample(grid)


class PatchMerging(nn.Module):
    """[N, H, W, C] to [N, H/2, W/2, 2C]: each 2 × 2 neighbours become one token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width, eps=ENCODER_EPS)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, grid: Tensor) -> Tensor:
        # Down before across: the order the weights were trained in.
        corners = [grid[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(corners, dim=-1)))


class SwinBlock(nn.Module):
    """Attention inside windows, then an MLP; pre-norm. A grid no larger than a window is never shifted."""

    def __init__(self, shape: RamPlusShape, stage: int, *, shifted: bool) -> None:
        super().__init__()
        side, width = shape.side(stage), shape.stage_width(stage)
        self.window = min(shape.window, side)
        self.shift = shape.window // 2 if shifted and side > shape.window else 0
        self.norm1 = nn.LayerNorm(width, eps=ENCODER_EPS)
        self.attn = WindowAttention(width, shape.heads[stage], self.window)
        self.norm2 = nn.LayerNorm(width, eps=ENCODER_EPS)
        self.mlp = Mlp(width, shape.mlp_ratio * width)
        mask = shift_mask(side, self.window, self.shift) if self.shift else None
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, grid: Tensor) -> Tensor:
        grid = grid + self._attend(self.norm1(grid))
        return grid + self.mlp(self.norm2(grid))

    def _attend(self, grid: Tensor) -> Tensor:
        if not self.shift:
            return join_windows(self.attn(split_windows(grid, self.window), None), grid.shape[1])
        rolled = grid.roll((-self.shift, -self.shift), dims=(1, 2))
        seen = join_windows(self.attn(split_windows(rolled, self.window), self.mask), grid.shape[1])
        return seen.roll((self.shift, self.shift), dims=(1, 2))


class WindowAttention(nn.Module):
    """Multi-head attention among the tokens of a window, with a learned bias for each relative position."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("offsets", relative_offsets(window), persistent=False)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """[N·windows, T, C] and an optional [windows, 1, T, T] mask to [N·windows, T, C]."""
        q, k, v = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.offsets].permute(2, 0, 1).unsqueeze(0)
        if mask is not None:
            bias = (bias + mask).repeat(len(tokens) // len(mask), 1, 1, 1)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias.contiguous())
        return self.proj(seen.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two linear layers with the exact (erf) GELU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens)))


def split_windows(grid: Tensor, window: int) -> Tensor:
    """[N, H, W, C] to [N·windows, window², C], windows row by row."""
    tiles = grid.unflatten(2, (-1, window)).unflatten(1, (-1, window))
    return tiles.transpose(2, 3).flatten(0, 2).flatten(1, 2)


def join_windows(windows: Tensor, side: int) -> Tensor:
    """The way back: [N·windows, window², C] to [N, side, side, C]."""
    window = int(windows.shape[1] ** 0.5)
    tiles = windows.unflatten(1, (window, window)).unflatten(0, (-1, side // window, side // window))
    return tiles.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def relative_offsets(window: int) -> Tensor:
    """int64 [window², window²]: the row of the bias table for each pair of tokens.

    Made on the processor even while the network is laid out without memory (torch's meta device).
    """
    rows, columns = torch.meshgrid(*[torch.arange(window, device="cpu")] * 2, indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    down = rows[:, None] - rows[None, :] + window - 1
    across = columns[:, None] - columns[None, :] + window - 1
    return down * (2 * window - 1) + across


def shift_mask(side: int, window: int, shift: int) -> Tensor:
    """float32 [windows, 1, window², window²]: what to add so that tokens see only true neighbours.

    After rolling by ``shift``, the windows at the right and lower border hold tokens of opposite borders.
    """
    places = torch.arange(side, device="cpu")
    band = (places >= side - window).long() + (places >= side - shift).long()
    regions = (3 * band[:, None] + band[None, :]).view(1, side, side, 1)
    labels = split_windows(regions, window).squeeze(-1)
    apart = labels[:, None, :] != labels[:, :, None]
    return (apart * _APART).unsqueeze(1)

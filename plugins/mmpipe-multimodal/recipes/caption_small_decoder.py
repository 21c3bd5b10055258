"""Caption-small: fast paths through a Hugging Face GPT-2 decoder with cross-attention.

The same parameters and the same mathematics as `GPT2LMHeadModel`, arranged for captions: tokens of all captions lie
packed without padding in the linear layers, and the captions of one image share its cross-attention keys and values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from caption_small_text import BOS, EOS, PAD, UNK
from torch import Tensor
from torch.nn import functional
from transformers import GPT2LMHeadModel


@dataclass(frozen=True)
class Packed:
    """Captions in a row: inputs, targets, positions, and the padded layouts of the two attentions."""

    inputs: Tensor  # (tokens,)
    targets: Tensor  # (tokens,), PAD where nothing is to be learned
    positions: Tensor  # (tokens,)
    rows: Tensor  # (captions, longest): which token lies there
    row_of: Tensor  # (tokens,): where in the flattened rows a token lies
    images: Tensor  # (images, most tokens): which token lies there
    image_of: Tensor  # (tokens,)
    caption_of: Tensor  # (tokens,)


def pack(groups: list[list[list[int]]]) -> Packed:
    """Captions (word numbers, each ending in EOS) of each image, packed."""
    captions = [caption for group in groups for caption in group]
    longest = max(len(caption) for caption in captions)
    most = max(sum(len(caption) for caption in group) for group in groups)
    inputs, targets, positions, caption_of, image_of = [], [], [], [], []
    rows = torch.zeros(len(captions), longest, dtype=torch.long)
    images = torch.zeros(len(groups), most, dtype=torch.long)
    at = number = 0
    for i, group in enumerate(groups):
        first = at
        for caption in group:
            n = len(caption)
            rows[number, :n] = torch.arange(at, at + n)
            inputs += [BOS, *caption[:-1]]
            targets += [PAD if word == UNK else word for word in caption]
            positions += range(n)
            caption_of += [number] * n
            at, number = at + n, number + 1
        images[i, : at - first] = torch.arange(first, at)
        image_of += range(i * most, i * most + at - first)
    owner, place = torch.tensor(caption_of), torch.tensor(positions)
    return Packed(
        torch.tensor(inputs),
        torch.tensor(targets),
        place,
        rows,
        owner * longest + place,
        images,
        torch.tensor(image_of),
        owner,
    )


class Masks:
    """Dropout that reads its masks from a pool at random places: drawing fresh ones is slow on a CPU."""

    def __init__(self, rate: float, size: int = 1 << 23) -> None:
        self.rate, self.pool = rate, (torch.rand(size) >= rate).float().div(1 - rate).bfloat16()

    def __call__(self, x: Tensor) -> Tensor:
        start = int(torch.randint(len(self.pool) - x.numel(), ()))
        return x * self.pool[start : start + x.numel()].view_as(x).to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor, causal: bool = False) -> Tensor:
    """Plain attention; for tokens this few it is several times faster on a CPU than the fused one."""
    batch, count, tokens, size = q.shape
    q, k, v = (x.flatten(0, 1) for x in (q * size**-0.5, k, v))
    scores = torch.bmm(q, k.transpose(1, 2)).float()
    if causal:
        scores = scores + torch.full((tokens, tokens), -1e4).triu(1)
    return torch.bmm(scores.softmax(-1).to(v.dtype), v).unflatten(0, (batch, count))


def heads(x: Tensor, count: int) -> Tensor:
    """(batch, tokens, width) to (batch, heads, tokens, width / heads)."""
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def flat(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2).flatten(0, 1)


def linear(module, x: Tensor) -> Tensor:
    """GPT-2 keeps its linear maps transposed (`Conv1D`)."""
    return torch.addmm(module.bias, x, module.weight)


def norm(module, x: Tensor) -> Tensor:
    return functional.layer_norm(x, x.shape[-1:], module.weight, module.bias, module.eps)


def logits(
    model: GPT2LMHeadModel, packed: Packed, cells: Tensor, drop: Callable[[Tensor], Tensor] = lambda x: x
) -> Tensor:
    """Scores of the next word for every packed token; `cells` is (images, cells, width)."""
    count = model.config.n_head
    x = model.transformer.wte(packed.inputs) + model.transformer.wpe(packed.positions)
    x = drop(x)
    for block in model.transformer.h:
        q, k, v = linear(block.attn.c_attn, norm(block.ln_1, x))[packed.rows].chunk(3, -1)
        y = attend(heads(q, count), heads(k, count), heads(v, count), causal=True)
        x = x + drop(linear(block.attn.c_proj, flat(y)[packed.row_of]))
        cross = block.crossattention
        q = linear(cross.q_attn, norm(block.ln_cross_attn, x))[packed.images]
        k, v = linear(cross.c_attn, cells.flatten(0, 1)).unflatten(0, cells.shape[:2]).chunk(2, -1)
        y = attend(heads(q, count), heads(k, count), heads(v, count))
        x = x + drop(linear(cross.c_proj, flat(y)[packed.image_of]))
        y = functional.gelu(linear(block.mlp.c_fc, norm(block.ln_2, x)), approximate="tanh")
        x = x + drop(linear(block.mlp.c_proj, y))
    return functional.linear(norm(model.transformer.ln_f, x), model.transformer.wte.weight)


@torch.no_grad()
def sample(
    model: GPT2LMHeadModel, cells: Tensor, each: int, longest: int, greedy: bool = False
) -> list[list[list[int]]]:
    """`each` captions an image, drawn word by word (or the likeliest words); all end in EOS unless cut."""
    count, width = model.config.n_head, model.config.n_embd
    images, total = cells.shape[0], cells.shape[0] * each
    kept = []
    for block in model.transformer.h:
        k, v = linear(block.crossattention.c_attn, cells.flatten(0, 1)).unflatten(0, cells.shape[:2]).chunk(2, -1)
        own = torch.zeros(2, total, count, longest, width // count, dtype=k.dtype)
        kept.append((heads(k, count).contiguous(), heads(v, count).contiguous(), own))
    words = torch.full((total,), BOS)
    done = torch.zeros(total, dtype=torch.bool)
    out = torch.full((total, longest), PAD)
    for step in range(longest):
        x = model.transformer.wte(words) + model.transformer.wpe.weight[step]
        for block, (cross_k, cross_v, own) in zip(model.transformer.h, kept, strict=True):
            q, k, v = linear(block.attn.c_attn, norm(block.ln_1, x)).view(total, 3, count, -1).unbind(1)
            own[0, :, :, step], own[1, :, :, step] = k, v
            k, v = own[:, :, :, : step + 1]
            y = functional.scaled_dot_product_attention(q.unsqueeze(2), k, v)
            x = x + linear(block.attn.c_proj, y.flatten(1))
            q = linear(block.crossattention.q_attn, norm(block.ln_cross_attn, x)).view(images, each, -1)
            x = x + linear(
                block.crossattention.c_proj,
                flat(functional.scaled_dot_product_attention(heads(q, count), cross_k, cross_v)),
            )
            y = functional.gelu(linear(block.mlp.c_fc, norm(block.ln_2, x)), approximate="tanh")
            x = x + linear(block.mlp.c_proj, y)
        scores = functional.linear(norm(model.transformer.ln_f, x), model.transformer.wte.weight).float()
        scores[:, [PAD, BOS, UNK]] = -torch.inf
        words = scores.argmax(-1) if greedy else torch.multinomial(scores.softmax(-1), 1).squeeze(1)
        out[:, step] = torch.where(done, PAD, words)
        done |= words == EOS
        if done.all():
            break
    captions = [[word for word in row if word != PAD] for row in out.tolist()]
    return [captions[i * each : (i + 1) * each] for i in range(images)]

# SPDX-License-Identifier: MIT OR Apache-2.0
"""The character GPT of ../tasks/gpt.c in PyTorch, at its larger size, and the text that it learns."""

import math

import torch
from torch import nn
from torch.nn import functional

CHARACTERS, CONTEXT, WIDTH, HEADS, LAYERS, BATCH = 64, 64, 128, 4, 2, 8


class Block(nn.Module):
    """Attention and a perceptron, each behind a layer norm, each added to the stream."""

    def __init__(self):
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.mix = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        for linear, factor in (self.qkv, 1), (self.mix, 0.5), (self.up, 1), (self.down, 0.5):
            bound = factor / math.sqrt(linear.in_features)
            nn.init.uniform_(linear.weight, -bound, bound)
            nn.init.zeros_(linear.bias)

    def forward(self, stream):
        batch, length, _ = stream.shape
        split = self.qkv(self.norm_1(stream)).view(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*split, is_causal=True)
        stream = stream + self.mix(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
        return stream + self.down(functional.gelu(self.up(self.norm_2(stream)), approximate="tanh"))


class GPT(nn.Module):
    """The embedding is shared with the logits."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(CHARACTERS, WIDTH).uniform_(-0.05, 0.05))
        self.places = nn.Parameter(torch.empty(CONTEXT, WIDTH).uniform_(-0.05, 0.05))
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.last_norm = nn.LayerNorm(WIDTH)

    def forward(self, codes):
        return self.last_norm(self.blocks(self.embedding[codes] + self.places)) @ self.embedding.T

    def loss(self, windows):
        """Mean cross-entropy in nats over windows of CONTEXT + 1 characters."""
        logits = self(windows[:, :-1])
        return functional.cross_entropy(logits.reshape(-1, CHARACTERS), windows[:, 1:].reshape(-1))


class Text:
    """The plays: the last tenth is held out."""

    def __init__(self, path):
        with open(path, "rb") as file:
            characters = file.read()
        code_of = {character: code for code, character in enumerate(sorted(set(characters)))}
        codes = torch.tensor([code_of[character] for character in characters])
        held_out = len(codes) // 10
        self.train, self.held_out = codes[:-held_out], codes[-held_out:]

    @staticmethod
    def _windows(part, starts):
        return torch.stack([part[start : start + CONTEXT + 1] for start in starts])

    def batch(self, generator):
        starts = torch.randint(len(self.train) - CONTEXT, (BATCH,), generator=generator)
        return self._windows(self.train, starts.tolist())

    def measured(self, held_out, count=64):
        """Windows at equal distances, the same ones always."""
        part = self.held_out if held_out else self.train
        return self._windows(part, [(len(part) - CONTEXT - 1) * i // (count - 1) for i in range(count)])

"""Attention of a vision tower to all pictures of a batch at once, where they are of one size;
transformers goes picture by picture, and a batch of films has a thousand."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

# names with "flash" are handed all pictures in one call
NAME = "flash_of_equal_pictures"


def attend(
    _: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    scaling: float,
    cu_seq_lens_q: torch.Tensor,
    **__: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers asks of an attention function; pictures lie one behind the other.

    :param query: shape (1, heads, patches of all pictures, size); so are ``key`` and ``value``.
    :param cu_seq_lens_q: where each picture begins, and where the last one ends.
    :returns: shape (1, patches of all pictures, heads, size), and no weights.
    """
    lengths = cu_seq_lens_q.diff().tolist()
    queries, keys, values = (torch.split(states, lengths, dim=2) for states in (query, key, value))
    if len(set(lengths)) == 1:
        queries, keys, values = ((torch.cat(states),) for states in (queries, keys, values))
    seen = []
    for of_queries, of_keys, of_values in zip(queries, keys, values, strict=True):
        of_pictures = scaled_dot_product_attention(of_queries, of_keys, of_values, scale=scaling)
        seen.append(of_pictures.transpose(1, 2).flatten(0, 1))
    return torch.cat(seen).unsqueeze(0), None


def at_once(tower: Any) -> None:
    """Makes this vision tower attend so."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, attend)
    tower.config._attn_implementation = NAME

import torch
from torch import nn


class Towers(nn.Module):
    """Scores of pairs: the product of two embeddings."""

    def __init__(self, users: int, items: int, width: int = 64) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(users, width), nn.Embedding(items, width)

    def forward(self, user_id: torch.Tensor, item_id: torch.Tensor) -> torch.Tensor:
        return (self.user(user_id) * self.item(item_id)).sum(-1)

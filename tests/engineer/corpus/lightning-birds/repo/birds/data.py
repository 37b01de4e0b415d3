"""Pictures from folders, cut into three parts that stay the same."""

import lightning as L
import torch
from torch.utils.data import DataLoader, random_split
from torchvision import datasets, transforms


class Birds(L.LightningDataModule):
    def __init__(self, root: str, batch_size: int, seed: int) -> None:
        super().__init__()
        self.root, self.batch_size, self.seed = root, batch_size, seed

    def setup(self, stage: str) -> None:
        whole = datasets.ImageFolder(self.root, transforms.Compose([transforms.Resize((224, 224)), transforms.ToTensor()]))
        generator = torch.Generator().manual_seed(self.seed)
        self.train, self.val, self.test = random_split(whole, [0.8, 0.1, 0.1], generator=generator)

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True, num_workers=4)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, self.batch_size)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test, self.batch_size)

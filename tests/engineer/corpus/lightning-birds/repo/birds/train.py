"""Train, keep the best epoch by validation loss, and score it once on the test part."""

from dataclasses import dataclass, field

import hydra
import lightning as L
from hydra.core.config_store import ConfigStore
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger
from omegaconf import MISSING

from birds.data import Birds
from birds.model import Classifier


@dataclass
class ModelSettings:
    name: str = MISSING
    lr: float = MISSING
    weight_decay: float = 0.0


@dataclass
class Settings:
    model: ModelSettings = field(default_factory=ModelSettings)
    seed: int = MISSING
    data_dir: str = MISSING
    batch_size: int = 64
    trainer: dict = field(default_factory=dict)


ConfigStore.instance().store(name="schema", node=Settings)


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def main(cfg: Settings) -> None:
    L.seed_everything(cfg.seed, workers=True)
    data = Birds(cfg.data_dir, cfg.batch_size, cfg.seed)
    model = Classifier(cfg.model.name, 200, cfg.model.lr, cfg.model.weight_decay)
    best = ModelCheckpoint(monitor="val/loss", save_last=True)
    trainer = L.Trainer(
        logger=WandbLogger(project="birds"),
        callbacks=[best, EarlyStopping("val/loss", patience=5)],
        deterministic=True,
        gradient_clip_val=cfg.trainer["gradient_clip_val"],
        max_epochs=cfg.trainer["max_epochs"],
    )
    trainer.fit(model, data, ckpt_path="last")
    trainer.test(ckpt_path=best.best_model_path, datamodule=data)


if __name__ == "__main__":
    main()

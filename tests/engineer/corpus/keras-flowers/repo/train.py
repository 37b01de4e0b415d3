"""A small network of convolutions for pictures of flowers."""

import argparse
from pathlib import Path

import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

SIZE = (180, 180)


def load(folder: Path, subset: str):
    return keras.utils.image_dataset_from_directory(
        folder, validation_split=0.2, subset=subset, seed=123, image_size=SIZE, batch_size=32
    )


def build(classes: int) -> keras.Model:
    model = keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.Rescaling(1.0 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3, clipnorm=1.0), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def main(data: Path, epochs: int) -> None:
    keras.utils.set_random_seed(123)
    tf.config.experimental.enable_op_determinism()
    train, val = load(data / "train", "training"), load(data / "train", "validation")
    test = keras.utils.image_dataset_from_directory(data / "test", image_size=SIZE, shuffle=False)
    model = build(len(train.class_names))
    model.fit(
        train,
        validation_data=val,
        epochs=epochs,
        callbacks=[
            keras.callbacks.ModelCheckpoint("models/best.keras", save_best_only=True),
            keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True),
            keras.callbacks.TensorBoard("logs"),
        ],
    )
    loss, accuracy = model.evaluate(test)
    print(f"test: loss {loss:.3f}, accuracy {accuracy:.3f}")
    model.save("models/flowers.keras")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    main(args.data, args.epochs)

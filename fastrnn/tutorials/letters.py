"""letters: the next letter of the alphabet, after one letter or four, one-hot or through an Embedding.

After the last letter comes the first: e->a where the alphabet is abcde. The published outcome is an accuracy of 1 in
every variant within 100 epochs. Of seeds 0 to 19, all reach it by then in variant a (after 13 to 78 epochs) and in b
(11 to 90), 17 in c (8 to 195) and 18 in d (43 to 113).
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.tutorials.comparison import compare
from fastrnn.tutorials.pictures import panels
from fastrnn.tutorials.telling import Say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Ids = NDArray[np.int64]


class Variant(NamedTuple):
    """How many letters of which alphabet are read, and by what; one-hot where the embedding's size is None."""

    alphabet: str
    seen: int
    embedding: int | None
    units: int


VARIANTS = {
    "a": Variant("abcde", 1, None, 3),
    "b": Variant("abcde", 4, None, 3),
    "c": Variant("abcde", 1, 2, 3),
    "d": Variant("abcdefghijklmnopqrstuvwxyz", 4, 2, 10),
}


def make_data(variant: str) -> tuple[Ids, Ids]:
    """Return every stretch of the alphabet as numbers (N, T), and the numbers (N,) of the letters after them."""
    alphabet, seen, *_ = VARIANTS[variant]
    start = np.arange(len(alphabet))
    return (start[:, None] + np.arange(seen)) % len(alphabet), (start + seen) % len(alphabet)


def make_layers(variant: str) -> list[Any]:
    """List the layers; the last is named for what is read, as nothing else tells the networks of a and b apart."""
    alphabet, seen, embedding, units = VARIANTS[variant]
    letters = len(alphabet)
    return [
        fr.OneHot(letters) if embedding is None else fr.Embedding(letters, embedding),
        fr.SimpleRNN(units),
        fr.Dense(letters, activation="softmax", name=f"after_{seen}"),
    ]


def start(variant: str, seed: int = 0) -> fr.Trainer:
    """Begin anew."""
    model = fr.Sequential(make_layers(variant), seed=seed)
    return fr.Trainer(
        model, loss="sparse_categorical_crossentropy", optimizer=fr.Adam(0.01), metrics=["accuracy"], seed=seed
    )


def resume(variant: str, checkpoint: str | Path) -> fr.Trainer:
    """Go on from a checkpoint.

    Raises
    ------
    ValueError
        It is one of another variant, or none of this tutorial; what `Trainer.resume` refuses.
    """
    trainer = fr.Trainer.resume(checkpoint)
    of = [f"variant {name}" for name in VARIANTS if make_layers(name) == trainer.model.layers]
    if f"variant {variant}" not in of:
        raise ValueError(
            f"{checkpoint} is a checkpoint of {of[0] if of else 'another model'}; expected one of variant {variant}: "
            "remove it, or name another file"
        )
    return trainer


def learn(
    trainer: fr.Trainer, variant: str, epochs: int = 100, checkpoint: str | Path | None = None,
    callbacks: Sequence[Any] = (),
) -> fr.Sequential:  # fmt: skip
    """Train, and return the model of the epoch of the lowest loss, kept in the checkpoint; without one, the last model.

    An epoch is one update: its loss is that before the update, its model the one after.
    """
    x, y = make_data(variant)
    keep = [fr.ModelCheckpoint(checkpoint, monitor="loss", save_best_only=True)] if checkpoint else []
    trainer.fit(x, y, epochs=epochs, batch_size=32, callbacks=[*keep, *callbacks], verbose=0)
    return fr.load(checkpoint) if checkpoint else trainer.model


def accuracy(model: fr.Sequential, variant: str) -> float:
    """Return the share of letters that are right."""
    x, y = make_data(variant)
    return float(np.mean(model.predict(x).argmax(axis=1) == y))


def epochs_needed(trainer: fr.Trainer) -> int | None:
    """Return the first epoch, from 1, that began with an accuracy of 1; None if there was none."""
    right = np.flatnonzero(np.array(trainer.history.history["accuracy"]) == 1)
    return int(right[0]) + 1 if len(right) else None


def encode(variant: str, letters: str) -> Ids:
    """Return letters as numbers (1, T).

    Raises
    ------
    ValueError
        Another number of letters, or one that is not in the alphabet.
    """
    alphabet, seen, *_ = VARIANTS[variant]
    expected = f"expected {seen} {'letter' if seen == 1 else 'letters'} of {alphabet}"
    unknown = [letter for letter in letters.lower() if letter not in alphabet]
    if unknown:
        raise ValueError(f"{letters!r} holds {unknown[0]!r}; {expected}")
    if len(letters) != seen:
        raise ValueError(f"{letters!r} is {len(letters)} long; {expected}")
    return np.array([[alphabet.index(letter) for letter in letters.lower()]])


def answer(model: fr.Sequential, variant: str, letters: str) -> str:
    """Answer "abcd" with "abcd->e"; raises what `encode` raises."""
    ids = encode(variant, letters)
    following = VARIANTS[variant].alphabet[int(model.predict(ids).argmax())]
    learned = (make_data(variant)[0] == ids).all(axis=1).any()
    return f"{letters}->{following}{'' if learned else '  (a guess: no stretch of the alphabet)'}"


def ask(model: fr.Sequential, variant: str) -> None:
    """Answer what is typed, until there is nothing more or an empty line."""
    alphabet, seen, *_ = VARIANTS[variant]
    while sys.stdin is not None:
        try:
            letters = input(f"{seen} of {alphabet} (an empty line ends): ").strip()
        except EOFError:
            print()
            return
        if not letters:
            return
        try:
            print(answer(model, variant, letters))
        except ValueError as error:
            print(error)


def write_parameters(model: fr.Sequential, path: str | Path) -> None:
    """Write every weight's name, shape and values as text, in as many digits as tell its bits."""
    with np.printoptions(threshold=sys.maxsize, linewidth=120, floatmode="unique"):
        texts = [f"{name} {weight.shape}\n{weight}\n" for name, weight in model.parameters().items()]
    Path(path).write_text("\n".join(texts), encoding="utf-8")


def draw(trainer: fr.Trainer, variant: str) -> "Figure":
    """Draw loss and accuracy of all epochs, those before a checkpoint too."""
    figure, axes = panels(2, height=2.8)
    trainer.history.plot(axes)
    axes[0].set_title(f"letters, variant {variant}", loc="left", pad=28, fontweight="bold")
    return figure


def main(
    variant: str = "a", questions: Sequence[str] = (), epochs: int = 100, seed: int = 0,
    checkpoint: str | Path | None = None, parameters: str | Path | None = None, plot: str | Path | None = None,
    callbacks: Sequence[Any] = (),
) -> None:  # fmt: skip
    """Train, from the checkpoint if there is one; print the accuracy, and answer questions or, without any, ask.

    Raises
    ------
    ValueError
        A variant that is none of `VARIANTS`; what `encode` and `resume` refuse.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant={variant!r}; expected one of: {', '.join(VARIANTS)}")
    for letters in questions:
        encode(variant, letters)
    checkpoint = checkpoint or f"letters-{variant}.ckpt"
    parameters = parameters or f"letters-{variant}.txt"
    resumed = Path(checkpoint).exists()
    trainer = resume(variant, checkpoint) if resumed else start(variant, seed)
    before = len(trainer.history.epoch)
    origin = f"resumed from {checkpoint}, which has trained {before} epochs" if resumed else "begun anew"
    model = learn(trainer, variant, epochs, checkpoint, [Say(f"variant {variant}, {origin}"), *callbacks])
    write_parameters(model, parameters)
    right, needed = accuracy(model, variant), epochs_needed(trainer)
    losses = trainer.history.history["loss"]
    print(compare([("accuracy", right, 1.0), ("epochs until 1.0", needed, "100 or less"), ("loss", min(losses), None)]))
    print(f"checkpoint: {checkpoint}, of epoch {np.argmin(losses) + 1} of {len(losses)}\nparameters: {parameters}")
    if plot is not None:
        draw(trainer, variant).savefig(plot, dpi=150)
        print(f"plot: {plot}")
    if right < 1:
        print("not all letters are right yet: run this again, and it goes on from the checkpoint")
    for letters in questions:
        print(answer(model, variant, letters))
    if not questions:
        ask(model, variant)

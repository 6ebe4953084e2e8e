"""A text model: from a text to a network that knows which character comes next, and from that to more text.

The network reads one character at a time and gives a number for each character that may follow. It is trained on
stretches of the text side by side, its state carried on from one stretch to the next, and measured on the end of the
text, which it has not learned, read in one go.

References
----------
Graves (2013), Generating sequences with recurrent neural networks, section 3. Zaremba, Sutskever and Vinyals (2014),
Recurrent neural network regularization (where dropout goes). Gal and Ghahramani (2016), A theoretically grounded
application of dropout in recurrent neural networks (recurrent dropout).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fastrnn.callbacks.lines import Callback, telling
from fastrnn.ground.files import FileFormatError, save_path
from fastrnn.ground.unknown import explained
from fastrnn.initializers import Normal
from fastrnn.layers import GRU, LSTM, AnyLayer, Dense, Dropout, Embedding, OneHot, SimpleRNN
from fastrnn.model.sequential import Sequential
from fastrnn.optimizers import Adam
from fastrnn.storage.model_file import load_model, save_model
from fastrnn.text.alphabet import CODE_POINTS, Alphabet, Unseen
from fastrnn.text.book import Book, clean, read_book
from fastrnn.text.report import TextReport
from fastrnn.text.sampling import check_sampling, draw, probabilities
from fastrnn.text.settings import EPOCHS, TextSettings
from fastrnn.text.split import Split
from fastrnn.text.windows import carried_windows
from fastrnn.training.trainer import Trainer

Ids = NDArray[np.int64]
Costs = NDArray[np.float64]

_KEY = "text"
_CELLS = {layer.kind: layer for layer in (SimpleRNN, LSTM, GRU)}
_BITS = "held_out_bits"
_START = Normal(1.0)
"""Initial values of what stands for a character, which must be heard alone: Keras's, meant for many inputs at a time,
take about twice as many epochs to the same bits."""
_READ = 2000
"""Characters of a long text that are read at a time."""

Listener = Callback | Callable[[int, dict[str, float]], Any]


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file holds beside the network.

    Attributes
    ----------
    settings
        What the text model was told.
    alphabet
        The characters that it knows; a character's id is its place.
    unseen
        The probability of a character that is none of them.
    epochs
        How often the text was to be read.
    text
        SHA-256 of the text, which resuming needs again.
    """

    settings: TextSettings
    alphabet: str
    unseen: float
    epochs: int
    text: str

    def __post_init__(self) -> None:
        Alphabet(self.alphabet)
        if not 0 < self.unseen <= 0.5 or self.epochs < 1:
            raise ValueError("its numbers are out of range")


@explained
class TextModel(TextSettings):
    """Learns a text, character by character, and writes more of it.

    Parameters are those of `TextSettings`; they may be set for the next `fit`.

    Attributes
    ----------
    alphabet
        The characters that it knows, after `fit` or `load`.
    model
        The network: ids (N, T) to logits (N, T, V).

    Examples
    --------
    >>> from pathlib import Path
    >>> from fastrnn.text import TextModel
    >>> model = TextModel(cell="gru", units=128)
    >>> print(model.fit(Path("book.txt"), epochs=10))  # doctest: +SKIP
    >>> print(model.generate("Once upon", length=200, temperature=0.7))  # doctest: +SKIP
    """

    alphabet: Alphabet
    model: Sequential
    recipe: Recipe | None = None
    _plain = frozenset({"alphabet", "model"})

    def fit(
        self,
        text: str | Path | Book,
        epochs: int | None = None,
        out: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Listener] = (),
        verbose: int | None = None,
    ) -> TextReport:
        """Train on a text but for its end, and measure on its end after every epoch; the best epoch is kept.

        Parameters
        ----------
        text
            The text itself, a file to read it from (a Path), or a `Book`.
        epochs
            Times that the text is read, in all; None is 20, or when resuming what the training was begun with.
        out
            Model file: written whenever an epoch is the best so far, as `save` does; beside it, after every epoch, the
            checkpoint to resume from (`checkpoint_of`). None writes nothing.
        resume
            Go on with the training that wrote to `out`, of the same text with the same settings, bit for bit.
        callbacks
            As for `Trainer.fit`; their figures are `loss` (nats), `bits` and `held_out_bits`. They may call `generate`.
        verbose
            As for `Trainer.fit`.

        Raises
        ------
        ValueError
            A text that is too short or always the same character; what `read_book` refuses; a loss that is no longer
            finite; when resuming, another text, other settings, or files that are damaged or do not belong together.
        OSError
            Files that cannot be written, or that are not there when resuming.
        """
        if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1):
            raise ValueError(f"epochs={epochs!r}; expected a whole number, at least 1")
        self.__post_init__()  # what was set since then
        if out is not None:
            save_path("out", out)
        callbacks = [*callbacks, *telling(verbose, callbacks)]
        split = Split.of(_book(text), self)
        if resume:
            if out is None:
                raise ValueError("resume=True and out=None; expected the model file of the training to go on with")
            begun = TextModel.load(out)
            recipe, trainer, best = begun._trained(), self._trainer_of(begun, out, split), begun.model.get_weights()
            epochs = max(epochs or recipe.epochs, len(trainer.history.epoch))
            if epochs != recipe.epochs:
                begun.recipe = msgspec.structs.replace(recipe, epochs=epochs)
                begun.save(out)
        else:
            epochs, best = epochs or EPOCHS, []
            trainer = self._new_trainer(len(split.alphabet))
            if out is not None:
                # What an earlier training left there must not be resumed as this one's.
                checkpoint_of(out).unlink(missing_ok=True)
        self.alphabet, self.model = split.alphabet, trainer.model
        self.recipe = Recipe(self._settings, split.alphabet.characters, split.unseen.share, epochs, split.digest)
        judge = _Judge(self, trainer, split, best, out)
        x, y = carried_windows(split.learned, self.batch_size, self.steps)
        left = epochs - len(judge.bits)
        if left > 0:
            trainer.fit(
                x, y, left, self.batch_size, shuffle=False, carry_state=True, callbacks=[judge, *callbacks], verbose=0
            )
        self.model.set_weights(judge.best)
        return TextReport(
            source=split.book.source,
            left_out=split.book.left_out,
            characters=len(split.book.text),
            alphabet=len(split.alphabet),
            held_out=len(split.held_out) + split.new,
            new=split.new,
            unseen=split.unseen.share,
            network=f"{self.cell}, {self.shape}",
            parameters=self.model.count_params(),
            history={"bits": judge.learned, "held_out_bits": judge.bits},
            counts=tuple(split.count_bits()),
        )

    def bits_per_character(self, text: str, context: str = "") -> float:
        """Give the mean number of bits that a text costs: `-log2 P` of each character after those before it.

        The text is read in one go, after a line break and the context. Characters that the alphabet does not have are
        passed over as contexts, and cost what `fastrnn.text.alphabet.Unseen` says.

        Raises
        ------
        ValueError
            An empty text; a model neither fitted nor loaded.
        """
        recipe = self._trained()
        if not text:
            raise ValueError("the text is empty; expected at least one character")
        before, ids = (self.alphabet.encode(clean(part).text) for part in (context, text))
        known = ids[ids >= 0]
        costs = self.costs(np.concatenate([[self._first], before[before >= 0], known]))
        unseen = Unseen(recipe.unseen, CODE_POINTS - len(self.alphabet))
        return unseen.mean_bits(costs[len(costs) - len(known) :], len(ids) - len(known))

    def generate(
        self, prompt: str = "", length: int = 500, temperature: float = 1.0, top_k: int | None = None, seed: int = 0
    ) -> str:
        """Write on: `length` characters that follow the prompt, without the prompt.

        Parameters
        ----------
        prompt
            What is read first, after a line break.
        length
            Characters to write.
        temperature
            1 draws as likely as the network thinks; below it is surer, and at 0 always takes the likeliest.
        top_k
            Draw from that many likeliest only; None from all.
        seed
            The same seed writes the same text.

        Raises
        ------
        ValueError
            Characters in the prompt that the network has not seen; numbers out of their range; a model neither fitted
            nor loaded.
        """
        self._trained()
        check_sampling(temperature, top_k)
        for name, value, least in (("length", length, 1), ("seed", seed, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name}={value!r}; expected a whole number, at least {least}")
        random, stream = np.random.default_rng(seed), self.model.stream()
        *before, last = [self._first, *self._known("prompt", clean(prompt, "prompt").text)]
        for character in before:
            stream.step([character])
        written = []
        for _ in range(length):
            last = draw(probabilities(stream.step([last])[0], temperature, top_k), random)
            written.append(last)
        return self.alphabet.decode(np.array(written))

    def save(self, path: str | Path) -> None:
        """Write the network and its alphabet to one file; raises what `fastrnn.storage.model_file` raises."""
        recipe = self._trained()
        save_model(path, self.model, {_KEY: msgspec.json.encode(recipe).decode()})

    @classmethod
    def load(cls, path: str | Path) -> "TextModel":
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            `FileFormatError`: a model without an alphabet, or with one that does not fit; and what
            `fastrnn.storage.model_file` refuses.
        """
        network, extra = load_model(path)
        if _KEY not in extra:
            raise FileFormatError(
                path, "a model but no text model", "what `fastrnn text train` writes: use fastrnn.load for this"
            )
        try:
            recipe = msgspec.json.decode(extra[_KEY], type=Recipe)
        except (msgspec.DecodeError, TypeError) as error:
            expected = "what `fastrnn text train` writes"
            raise FileFormatError(path, f"a text model that does not fit: {error}", expected) from None
        model = cls(**asdict(recipe.settings))
        model.alphabet, model.model, model.recipe = Alphabet(recipe.alphabet), network, recipe
        if (network.layers, network.dtype) != (model._layers(len(model.alphabet)), model.dtype):
            raise FileFormatError(
                path,
                "a network that does not fit its text model",
                f"{model.cell} with {model.shape} over {len(model.alphabet)} characters, dtype={model.dtype}, as "
                "`fastrnn text train` writes it",
            )
        return model

    # ------------------------------------------------------------------------------------------ inside

    def _trained(self) -> Recipe:
        if self.recipe is None:
            raise ValueError("the text model has not been trained; expected one after fit or load")
        return self.recipe

    @property
    def _settings(self) -> TextSettings:
        return TextSettings(**asdict(self))

    def _new_trainer(self, characters: int) -> Trainer:
        """Make a network over so many characters, and its trainer."""
        return Trainer(
            Sequential(self._layers(characters), characters, self.dtype, self.seed),
            loss="sparse_categorical_crossentropy",
            optimizer=Adam(learning_rate=self.learning_rate),
            clip_norm=self.clip_norm,
            threads=self.threads,
            seed=self.seed,
        )

    def _trainer_of(self, begun: "TextModel", out: str | Path, split: Split) -> Trainer:
        """Read the checkpoint beside a model file; refuse one of another training than this model's."""
        recipe, checkpoint = begun._trained(), checkpoint_of(out)
        for name in (field.name for field in fields(TextSettings) if field.name != "threads"):
            mine, theirs = getattr(self, name), getattr(begun, name)
            if mine != theirs:
                raise ValueError(f"{name}={mine!r} when resuming; expected {theirs!r}, as the training was begun")
        if split.digest != recipe.text:
            raise ValueError(f"{split.book.source} is not the text that was learned so far; expected the same text")
        if not checkpoint.exists():
            raise FileNotFoundError(f"{checkpoint}: no such file; expected the checkpoint that training leaves there")
        trainer = Trainer.resume(checkpoint)
        network, history = trainer.model, trainer.history
        if (network.layers, network.dtype, network.seed) != (begun.model.layers, begun.model.dtype, begun.model.seed):
            raise FileFormatError(checkpoint, "a network that is not that of the model", f"the checkpoint of {out}")
        if not np.isfinite(history.history.get(_BITS, [math.nan])).all():
            raise FileFormatError(checkpoint, f"no {_BITS} of every epoch", "what `fastrnn text train` writes")
        trainer.threads = self.threads
        return trainer

    def _layers(self, characters: int) -> list[AnyLayer]:
        """The network over an alphabet of so many characters."""
        layers: list[AnyLayer] = [
            Embedding(characters, self.embedding, embeddings_initializer=_START)
            if self.embedding
            else OneHot(characters)
        ]
        for i in range(self.layers):
            layers.append(
                _CELLS[self.cell](
                    self.units,
                    return_sequences=True,
                    recurrent_dropout=self.recurrent_dropout,
                    kernel_initializer="glorot_uniform" if i or self.embedding else _START,
                )
            )
            if self.dropout:
                layers.append(Dropout(self.dropout))
        return [*layers, Dense(characters)]

    @property
    def _first(self) -> int:
        """The character that stands before every text: a line break, where there are any."""
        return max(0, self.alphabet.characters.find("\n"))

    def _known(self, name: str, text: str) -> Ids:
        """Encode; refuse characters that the alphabet does not have."""
        ids = self.alphabet.encode(text)
        if (ids < 0).any():
            alphabet = self.alphabet.characters
            told = repr(alphabet) if len(alphabet) <= 200 else f"{alphabet[:200]!r} ..."
            raise ValueError(
                f"{name} has {text[int(np.argmin(ids))]!r}, which the model has never seen; expected characters of its "
                f"alphabet, {told}"
            )
        return ids

    def costs(self, ids: Ids) -> Costs:
        """Give the cost in bits of each character (L,) but the first (L - 1,), among those of the alphabet."""
        costs, state = np.empty(len(ids) - 1), None
        for start in range(0, len(costs), _READ):
            stop = min(start + _READ, len(costs))
            logits, state = self.model.predict(ids[None, start:stop], initial_state=state, return_state=True)
            scores = logits[0].astype(np.float64)
            scores -= scores.max(axis=1, keepdims=True)
            following = scores[np.arange(stop - start), ids[start + 1 : stop + 1]]
            costs[start:stop] = (np.log(np.exp(scores).sum(axis=1)) - following) / math.log(2)
        return costs


def checkpoint_of(path: str | Path) -> Path:
    """Give the file beside a model file that a training is resumed from."""
    return Path(f"{path}.ckpt")


class _Judge(Callback):
    """Measures the network on the held-out end after every epoch, remembers the best, and writes the files.

    Attributes
    ----------
    learned, bits
        Bits a character of every epoch so far: while learning, with dropout, and on the held-out end.
    best
        The weights of the best epoch so far.
    """

    def __init__(
        self, model: TextModel, trainer: Trainer, split: Split, best: list[NDArray[Any]], out: str | Path | None
    ) -> None:
        self._model, self._trainer, self._split, self.best, self._out = model, trainer, split, best, out
        self._ids = np.concatenate([split.context, split.held_out])
        figures = trainer.history.history
        self.learned = [loss / math.log(2) for loss in figures.get("loss", [])]
        self.bits = list(figures.get(_BITS, []))

    def begin(self, trainer: Trainer, epochs: int, samples: int) -> None:
        trainer.figures += ["bits", _BITS]

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        costs = self._model.costs(self._ids)[len(self._split.context) - 1 :]
        bits = self._split.unseen.mean_bits(costs, self._split.new)
        if not math.isfinite(figures["loss"] + bits):
            raise ValueError(
                f"the loss is {figures['loss']} in epoch {len(self.bits) + 1}, {bits} bits on the held-out end; "
                f"expected finite ones: lower learning_rate={self._model.learning_rate}"
            )
        figures |= {"bits": figures["loss"] / math.log(2), _BITS: bits}
        is_best = bits < min(self.bits, default=math.inf)
        self.learned.append(figures["bits"])
        self.bits.append(bits)
        if is_best:
            self.best = self._model.model.get_weights()
        self._trainer.history.history[_BITS] = list(self.bits)
        if self._out is not None:
            if is_best:
                self._model.save(self._out)
            self._trainer.save_checkpoint(checkpoint_of(self._out))


def _book(text: str | Path | Book) -> Book:
    if isinstance(text, Book):
        return text
    if isinstance(text, Path):
        return read_book(text)
    if isinstance(text, str):
        return clean(text)
    raise TypeError(f"text is {type(text).__name__}; expected a str, which is the text itself, a Path or a Book")

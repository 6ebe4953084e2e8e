"""The text model: what it learns, that it goes on bit for bit, and what it refuses."""

import dataclasses
import math
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastrnn as fr
from fastrnn import datasets
from fastrnn.ground.files import FileFormatError
from fastrnn.initializers import Uniform
from fastrnn.storage.model_file import load_model, save_model
from fastrnn.text import Book, CountModel, TextModel, TextSettings
from fastrnn.text import model as text_model
from fastrnn.text.alphabet import CODE_POINTS
from fastrnn.text.model import checkpoint_of

PART = datasets.alice()[1000:31000]
SMALL = {"units": 16, "steps": 20, "batch_size": 4, "dropout": 0.2, "learning_rate": 3e-3}


@pytest.fixture(scope="module")
def learned():
    """A network of a size that learns a fifth of the book in seconds, and its report."""
    model = TextModel(units=64, dropout=0.1, recurrent_dropout=0.0, steps=40, learning_rate=6e-3)
    return model, model.fit(PART, epochs=6)


def small(**settings):
    return TextModel(**(SMALL | settings))


def test_it_is_better_than_counts_of_low_order(learned):
    _, report = learned
    assert report.bits < report.counts[1] - 0.3
    held_out = report.history["held_out_bits"]
    assert held_out[0] > report.counts[1] > report.bits == min(held_out) == held_out[report.kept - 1]
    assert report.history["bits"][-1] < report.history["bits"][0] - 1


def test_vectors_of_characters_start_large(monkeypatch):
    """The docstring of `Embedding` has the figures of whole texts; here a part of one tells the same."""
    settings = {"units": 32, "embedding": 32, "dropout": 0.0, "recurrent_dropout": 0.0, "learning_rate": 2e-3}
    normal = TextModel(**settings).fit(PART, epochs=2)
    assert text_model._START.std == 1
    monkeypatch.setattr(text_model, "_START", Uniform())
    assert normal.bits < TextModel(**settings).fit(PART, epochs=2).bits - 0.05


def test_the_kept_weights_are_those_of_the_best_epoch(learned):
    model, report = learned
    assert model.bits_per_character(PART[27000:], PART[26000:27000]) == pytest.approx(report.bits, abs=1e-6)


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.5}, {"top_k": 3}, {"temperature": 0.0}])
def test_it_writes_characters_that_it_knows(learned, settings):
    model, _ = learned
    written = model.generate("Alice ", 300, **settings)
    assert len(written) == 300
    assert set(written) <= set(PART[:27000])
    assert model.generate("Alice ", 300, **settings) == written
    if settings != {"temperature": 0.0}:
        assert model.generate("Alice ", 300, seed=1, **settings) != written


def test_what_it_writes_looks_like_the_book(learned):
    """Pairs are as in the book: to counts of them it costs less than letters of the right frequencies would."""
    model, report = learned
    counts = CountModel(model.alphabet.encode(PART), len(model.alphabet), 1)

    def bits(text):
        *_, costs = counts.costs(model.alphabet.encode(text))
        return costs.mean()

    assert bits(model.generate(length=2000)) < report.counts[0]
    assert bits(model.generate(length=2000, temperature=0.5)) < report.counts[1]
    letters = np.random.default_rng(0).choice(list(model.alphabet.characters), 2000)
    assert bits("".join(letters)) > 6


def test_greedy_and_prompted_text_follow_the_network(learned):
    """At temperature 0 every character is the likeliest after those before it, the prompt's among them."""
    model, _ = learned
    prompt = "the Queen said"
    written = model.generate(prompt, 50, temperature=0)
    ids = model.alphabet.encode("\n" + prompt + written)
    logits = model.model.predict(ids[None, :-1])[0]
    assert_array_equal(logits.argmax(axis=1)[len(prompt) :], ids[len(prompt) + 1 :])


def test_bits_are_minus_log_probabilities_with_the_state_carried_through(learned):
    """Also over texts longer than what is read at a time."""
    model, _ = learned
    text = PART[20000:24500]
    ids = model.alphabet.encode("\n" + text)
    logits = model.model.predict(ids[None, :-1])[0].astype(np.float64)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    costs = -np.log2(shares[np.arange(len(text)), ids[1:]])
    expected = costs.mean() - np.log2(1 - model.recipe.unseen)
    assert model.bits_per_character(text) == pytest.approx(expected, abs=1e-4)
    split = [model.bits_per_character(part, before) for before, part in (("", text[:3000]), (text[:3000], text[3000:]))]
    assert np.average(split, weights=[3000, 1500]) == pytest.approx(expected, abs=1e-4)


def test_unseen_characters_cost_their_share_and_are_passed_over(learned):
    model, _ = learned
    assert "ß" not in model.alphabet.characters
    plain, text = "and then she said", "and ßthen she ßsaid"
    share = model.recipe.unseen
    new = -np.log2(share / (CODE_POINTS - len(model.alphabet)))
    expected = (model.bits_per_character(plain) * len(plain) + 2 * new) / len(text)
    assert model.bits_per_character(text) == pytest.approx(expected)
    assert model.bits_per_character("ß") == pytest.approx(new)


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "gru"},
        {"cell": "simple_rnn", "dropout": 0.0, "recurrent_dropout": 0.0},
        {"layers": 2},
        {"embedding": 5, "dtype": "float64"},
    ],
    ids=str,
)
def test_kinds_of_networks(settings, tmp_path):
    model = small(**settings)
    report = model.fit(PART[:6000], epochs=3, out=tmp_path / "m")
    held_out = report.history["held_out_bits"]
    assert all(later < earlier for earlier, later in pairwise(held_out))
    loaded = TextModel.load(tmp_path / "m")
    assert dataclasses.asdict(loaded) == dataclasses.asdict(model)
    kinds = [layer.kind for layer in loaded.model.layers]
    assert kinds[0] == ("embedding" if model.embedding else "one_hot")
    assert kinds.count(model.cell) == model.layers
    assert ("dropout" in kinds) == (model.dropout > 0)
    assert loaded.generate(length=100) == model.generate(length=100)
    assert loaded.bits_per_character(PART[5400:]) == model.bits_per_character(PART[5400:])


# ------------------------------------------------------------------------------------------------ going on


def test_same_seed_same_file(tmp_path):
    for name in ("a", "b"):
        small(threads=2 if name == "a" else None).fit(PART[:6000], epochs=2, out=tmp_path / name)
    first, second = (load_model(tmp_path / name)[0].get_weights() for name in ("a", "b"))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    small().fit(PART[:6000], epochs=2, out=tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == (tmp_path / "b").read_bytes()
    small(seed=1).fit(PART[:6000], epochs=2, out=tmp_path / "c")
    assert (tmp_path / "c").read_bytes() != (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("settings", [{}, {"cell": "gru", "layers": 2, "embedding": 4}], ids=str)
def test_resuming_goes_on_bit_for_bit(tmp_path, settings):
    once, twice = tmp_path / "once", tmp_path / "twice"
    whole = small(**settings).fit(PART[:6000], epochs=5, out=once)
    small(**settings).fit(PART[:6000], epochs=2, out=twice)
    model = small(**settings)
    report = model.fit(PART[:6000], epochs=5, out=twice, resume=True)
    assert report == whole
    for name in ("", ".ckpt"):
        assert (tmp_path / f"once{name}").read_bytes() == (tmp_path / f"twice{name}").read_bytes()
    assert model.generate(length=50) == TextModel.load(once).generate(length=50)


@pytest.mark.parametrize("interrupted", [1, 3])
def test_what_was_broken_off_is_taken_up_at_the_last_whole_epoch(tmp_path, interrupted):
    """Without being told again how many epochs there were to be."""

    def stop(epoch, figures):
        if epoch == interrupted:
            raise KeyboardInterrupt

    whole = small().fit(PART[:6000], epochs=4, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        small().fit(PART[:6000], epochs=4, out=tmp_path / "part", callbacks=[stop])
    seen = []
    report = small().fit(
        PART[:6000], out=tmp_path / "part", resume=True, callbacks=[lambda epoch, figures: seen.append(figures)]
    )
    assert report == whole
    assert len(seen) == 3 - interrupted
    assert (tmp_path / "part").read_bytes() == (tmp_path / "whole").read_bytes()


def test_resuming_with_other_threads(tmp_path):
    whole = small().fit(PART[:6000], 3, tmp_path / "whole")
    small(threads=2).fit(PART[:6000], 2, tmp_path / "part")
    assert small(threads=1).fit(PART[:6000], 3, tmp_path / "part", resume=True) == whole


def test_an_epoch_that_is_worse_leaves_the_model_file(tmp_path):
    """The text ends in what its beginning does not tell: the more is learned, the worse."""
    text = "ab" * 2000 + "ba" * 10 + "aabb" * 90
    model, files = small(dropout=0.0, recurrent_dropout=0.0), []
    report = model.fit(
        text, 4, tmp_path / "m", callbacks=[lambda epoch, figures: files.append((tmp_path / "m").read_bytes())]
    )
    assert report.kept == 1
    assert len(files) == 4
    assert {*files, (tmp_path / "m").read_bytes()} == {files[0]}
    model.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == files[0]


def test_stopping_early():
    """Callbacks may watch the bits; the report is of the epochs that were read."""
    text = "ab" * 2000 + "ba" * 10 + "aabb" * 90
    stopping = fr.EarlyStopping(monitor="held_out_bits", patience=2)
    report = small(dropout=0.0, recurrent_dropout=0.0).fit(text, 6, callbacks=[stopping])
    assert len(report.history["held_out_bits"]) == 3
    assert report.kept == 1


def test_a_new_training_does_not_leave_the_checkpoint_of_an_old_one(tmp_path):
    def stop(epoch, figures):
        raise KeyboardInterrupt

    small().fit(PART[:6000], 1, tmp_path / "m")
    assert checkpoint_of(tmp_path / "m").exists()

    class Stops(fr.Callback):
        def begin(self, *_):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(units=8).fit(PART[:6000], 1, tmp_path / "m", callbacks=[Stops()])
    with pytest.raises(FileNotFoundError, match=r"m.ckpt: no such file; expected the checkpoint"):
        small().fit(PART[:6000], out=tmp_path / "m", resume=True)


def test_resuming_is_refused_for_another_training(tmp_path):
    out = tmp_path / "m"
    small().fit(PART[:6000], 1, out)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="units=32 when resuming; expected 16, as the training was begun"):
        small(units=32).fit(PART[:6000], 2, out, resume=True)
    with pytest.raises(ValueError, match="is not the text that was learned so far; expected the same text"):
        small().fit(PART[:5999], 2, out, resume=True)
    with pytest.raises(ValueError, match="resume=True and out=None; expected the model file"):
        small().fit(PART[:6000], resume=True)
    with pytest.raises(FileNotFoundError):
        small().fit(PART[:6000], out=tmp_path / "none", resume=True)
    fr.Trainer(fr.Sequential([fr.GRU(3)], input_size=2)).save_checkpoint(checkpoint_of(out))
    with pytest.raises(FileFormatError, match=r"m.ckpt: a network that is not that of the model; expected the check"):
        small().fit(PART[:6000], 2, out, resume=True)
    fr.Trainer(TextModel.load(out).model).save_checkpoint(checkpoint_of(out))
    with pytest.raises(FileFormatError, match=r"m.ckpt: no held_out_bits of every epoch; expected what `fastrnn text"):
        small().fit(PART[:6000], 2, out, resume=True)
    checkpoint_of(out).write_bytes(files[checkpoint_of(out)][:-100])
    with pytest.raises(FileFormatError, match=r"m.ckpt: .*damaged or cut off"):
        small().fit(PART[:6000], 2, out, resume=True)
    assert out.read_bytes() == files[out]


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "the text has 0 characters, 0 of them to .*expected at least 81 with batch_size=4 and steps=20",
        ),
        ("too short", "the text has 9 characters, 9 of them to learn from with held_out=0.1; expected at least 81"),
        ("a\ud800" * 500, r"the text has '\\ud800', which is half a character"),
        ("a" * 500, "the text has 'a' only; expected a text of at least two characters"),
    ],
)
def test_texts_that_are_too_small(text, message):
    with pytest.raises(ValueError, match=message):
        small().fit(text)
    with pytest.raises(ValueError, match=message.replace("the text", "a.txt")):
        small().fit(Book(text, "a.txt"))


def test_texts_of_another_kind():
    with pytest.raises(TypeError, match="text is bytes; expected a str, which is the text itself, a Path or a Book"):
        small().fit(b"bytes")
    with pytest.raises(ValueError, match="epochs=0; expected a whole number, at least 1"):
        small().fit(PART, epochs=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "ltsm"}, "cell='ltsm'; expected one of: simple_rnn, lstm, gru"),
        ({"units": 0}, "units=0; expected a whole number, at least 1"),
        ({"layers": 1.5}, "layers=1.5; expected a whole number, at least 1"),
        ({"embedding": -1}, "embedding=-1; expected a whole number, at least 0"),
        ({"threads": 0}, "threads=0; expected a whole number, at least 1"),
        ({"seed": True}, "seed=True; expected a whole number, at least 0"),
        ({"dropout": 1.0}, "dropout=1.0; expected a number from 0 up, and below 1"),
        ({"recurrent_dropout": -0.1}, "recurrent_dropout=-0.1; expected a number from 0 up, and below 1"),
        ({"held_out": 0}, "held_out=0; expected a number above 0 and below 1"),
        ({"learning_rate": math.nan}, "learning_rate=nan; expected a number above 0"),
        ({"clip_norm": 0}, "clip_norm=0; expected a number above 0, such as 1"),
        ({"dtype": "float16"}, "dtype='float16'; expected one of: float32, float64"),
    ],
)
def test_settings_that_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        TextSettings(**settings)


def test_a_loss_that_is_no_longer_finite():
    with pytest.raises(
        ValueError,
        match=r"the loss is .* in epoch 1, .* bits .*; expected finite ones: lower learning_rate",
    ):
        small(learning_rate=1e200).fit(PART[:6000], 3)


def test_generating_refuses(learned):
    model, _ = learned
    with pytest.raises(ValueError, match="prompt has 'ß', which the model has never seen; expected characters of its"):
        model.generate("Fußü")
    with pytest.raises(ValueError, match=r"prompt has '\\udcff', which is half a character; expected whole ones"):
        model.generate("a\udcff")
    for arguments, message in (
        ({"length": 0}, "length=0; expected a whole number, at least 1"),
        ({"seed": -1}, "seed=-1; expected a whole number, at least 0"),
        ({"temperature": -1}, "temperature=-1; expected a number from 0 up"),
        ({"top_k": 0}, "top_k=0; expected a whole number, at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            model.generate(**arguments)
    with pytest.raises(ValueError, match="the text is empty"):
        model.bits_per_character("")
    for use in (TextModel().generate, lambda: TextModel().bits_per_character("a"), lambda: TextModel().save("m")):
        with pytest.raises(ValueError, match="the text model has not been trained; expected one after fit or load"):
            use()


def test_prompts_have_the_form_of_the_text():
    model = small()
    model.fit("café\n" * 300, 1)
    assert model.generate("cafe\u0301", 20) == model.generate("café", 20)


# ------------------------------------------------------------------------------------------------ files


@pytest.fixture
def saved(tmp_path):
    small().fit(PART[:6000], 1, tmp_path / "m")
    return tmp_path / "m"


def test_damaged_files_are_refused(saved):
    whole = saved.read_bytes()
    for end in range(0, len(whole), 997):
        saved.write_bytes(whole[:end])
        with pytest.raises(FileFormatError):
            TextModel.load(saved)
        saved.write_bytes(whole[:end] + bytes([whole[end] ^ 8]) + whole[end + 1 :])
        with pytest.raises(FileFormatError):
            TextModel.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphabet": "ba"}, "an alphabet of 'ba'; expected"),
        (
            {"alphabet": "ab"},
            "a network that does not fit its text model; expected lstm with 1 layer of 16 units over 2",
        ),
        ({"unseen": 0.0}, "its numbers are out of range"),
        ({"unseen": 0.9}, "its numbers are out of range"),
        ({"epochs": 0}, "its numbers are out of range"),
        ({"more": 1}, "more"),
        ({"settings": SMALL | {"units": 17}}, "a network that does not fit its text model; expected lstm with 1 layer"),
        ({"settings": SMALL | {"units": 0}}, "units=0; expected a whole number"),
        ({"settings": SMALL | {"dropout": 0.0}}, "a network that does not fit"),
        ({"settings": SMALL | {"dtype": "float64"}}, "a network that does not fit"),
        ({"settings": 3}, "settings"),
    ],
    ids=str,
)
def test_files_whose_parts_do_not_fit(saved, change, message):
    network, extra = load_model(saved)
    recipe = msgspec.json.decode(extra["text"])
    save_model(saved, network, {"text": msgspec.json.encode(recipe).decode()})
    assert TextModel.load(saved).units == 16
    save_model(saved, network, {"text": msgspec.json.encode(recipe | change).decode()})
    with pytest.raises(FileFormatError, match=message) as refusal:
        TextModel.load(saved)
    assert "\n" not in str(refusal.value)


def test_other_files_are_refused_by_name(saved, tmp_path):
    fr.load(saved).save(tmp_path / "plain")
    with pytest.raises(FileFormatError, match="plain: a model but no text model; expected what `fastrnn text train`"):
        TextModel.load(tmp_path / "plain")
    with pytest.raises(FileFormatError, match="a file of kind 'checkpoint'; expected a file of kind 'model'"):
        TextModel.load(checkpoint_of(saved))
    save_model(tmp_path / "odd", fr.load(saved), {"text": [1]})
    with pytest.raises(FileFormatError, match="a text model that does not fit"):
        TextModel.load(tmp_path / "odd")


# ------------------------------------------------------------------------------------------------ the report


def test_the_report_says_how_it_was_measured(learned):
    model, report = learned
    lines = str(report).splitlines()
    assert lines[0] == f"the text: 30,000 characters, {len(model.alphabet)} different; the last 3,000 held out"
    assert lines[1].startswith(f"lstm, 1 layer of 64 units, {model.model.count_params():,} parameters; kept epoch ")
    rows = dict(line.rsplit(maxsplit=1) for line in lines[4:9])
    assert list(rows) == [
        "lstm", f"counts, order {report.order}", "counts, order 2", "counts, order 1", "all characters alike"
    ]  # fmt: skip
    assert float(rows["lstm"]) == pytest.approx(report.bits, abs=6e-4)
    assert_allclose(float(rows["all characters alike"]), np.log2(len(model.alphabet)), atol=6e-4)
    assert ("new" in lines[-1]) == (report.new > 0)
    assert "without 70 of Project Gutenberg's" in str(dataclasses.replace(report, left_out=70))
    assert "3 of the held-out characters are new" in str(dataclasses.replace(report, new=3))


def test_counts_are_measured_on_the_same_characters(learned):
    model, report = learned
    ids = model.alphabet.encode(PART)
    learned_ids, held_out = ids[:27000], ids[26000:]
    known = held_out[held_out >= 0]
    counts = CountModel(learned_ids, len(model.alphabet), 1)
    *_, costs = counts.costs(known)
    share, start = model.recipe.unseen, 1000
    expected = costs[start:].sum() - (len(known) - start) * np.log2(1 - share)
    expected += report.new * np.log2((CODE_POINTS - len(model.alphabet)) / share)
    assert report.counts[1] == pytest.approx(expected / 3000)

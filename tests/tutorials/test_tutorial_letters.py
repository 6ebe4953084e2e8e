"""letters: every variant is learned, kept, gone on with, and answers what is asked."""

import io
import re
from pathlib import Path

import numpy as np
import pytest

import fastrnn as fr
from bench.tutorials import letters as recipe
from fastrnn.cli import main
from fastrnn.tutorials.letters import (
    VARIANTS,
    accuracy,
    answer,
    draw,
    epochs_needed,
    learn,
    make_data,
    resume,
    start,
    write_parameters,
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Commands leave their files in an empty folder, and nobody types."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())


@pytest.fixture
def say(capsys):
    """Run the command; the lines it prints."""

    def say(*arguments):
        assert main(["run", "letters", *arguments]) == 0
        return capsys.readouterr().out.splitlines()

    return say


@pytest.fixture
def refused(capsys):
    """Run a command that must be refused and leave all files as they are; its one line."""

    def refused(*arguments):
        before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
        assert main(["run", "letters", *arguments]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
        return printed.err.removeprefix("fastrnn: ").removesuffix("\n")

    return refused


def words(variant):
    alphabet = VARIANTS[variant].alphabet
    x, y = make_data(variant)
    return ["".join(alphabet[i] for i in row) + alphabet[j] for row, j in zip(x, y, strict=True)]


def test_what_is_learned():
    assert words("a") == words("c") == ["ab", "bc", "cd", "de", "ea"]
    assert words("b") == ["abcde", "bcdea", "cdeab", "deabc", "eabcd"]
    assert words("d")[0] == "abcde"
    assert words("d")[21:23] == ["vwxyz", "wxyza"]
    assert len(words("d")) == 26


# Weights: one-hot 5 x 3, or Embedding(5, 2) and 2 x 3; 3 x 3 and 3; 3 x 5 and 5. In d, 52, 20, 100 and 10, 260 and 26.
@pytest.mark.parametrize(("variant", "parameters"), [("a", 47), ("b", 47), ("c", 48), ("d", 468)])
def test_every_letter_is_right(variant, parameters):
    """Within 100 epochs with the default seed; with others within 250, most of them within 100."""
    needed = []
    for seed in range(8):
        trainer = start(variant, seed)
        model = learn(trainer, variant, epochs=100 if seed == 0 else 250)
        assert model.count_params() == parameters
        assert accuracy(model, variant) == 1
        for word in words(variant):
            assert answer(model, variant, word[:-1]) == f"{word[:-1]}->{word[-1]}"
        needed.append(epochs_needed(trainer))
    assert sum(epochs <= 100 for epochs in needed) >= 5
    assert needed[0] <= 100
    # Not by chance, and not from the beginning.
    assert np.median(needed) > 30


def test_all_variants_by_default(say):
    lines = say("--input", "a", "ABCD", "wxyz", "--plot", "curves.png")
    assert lines[0].startswith("published: the author's outcome, ")
    parts = dict(zip(VARIANTS, "\n".join(lines).split("\nvariant ")[1:], strict=True))
    for variant, part in parts.items():
        told = part.splitlines()
        alphabet, seen, *_ = VARIANTS[variant]
        assert told[0] == f"{variant}: {seen} of {alphabet} to the next; begun anew"
        assert f"Total params: {start(variant).model.count_params()} (" in part
        epochs = [line for line in told if line.startswith("epoch ")]
        assert [line.split(":")[0] for line in epochs] == [f"epoch {n}/100" for n in range(1, 101)]
        assert ["accuracy", "1", "1"] in map(str.split, told)
        assert f"parameters: letters-{variant}.txt" in told
        answers = [line for line in told if "->" in line]
        assert answers == {"a": ["a->b"], "c": ["a->b"], "b": ["ABCD->e"], "d": ["ABCD->e", "wxyz->a"]}[variant]
        assert accuracy(fr.load(f"letters-{variant}.ckpt"), variant) == 1
    assert lines[-1] == "plot: curves.png"
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")


def test_it_goes_on_from_the_checkpoint(say):
    first = say("--variant", "a", "--epochs", "30")
    assert "variant a: 1 of abcde to the next; begun anew" in first
    assert (
        len([line for line in first if re.fullmatch(r"epoch \d+/30: loss \d\.\d{4}, accuracy 0\.[0-8]000", line)]) == 30
    )
    assert "not all letters are right yet: run this again, and it goes on from the checkpoint" in first
    second = say("--variant", "a", "--epochs", "70")
    assert "variant a: 1 of abcde to the next; resumed from letters-a.ckpt, which has trained 30 epochs" in second
    counted = [line.split(":")[0] for line in second if line.startswith("epoch ")]
    assert counted == [f"epoch {n}/100" for n in range(31, 101)]
    assert "checkpoint: letters-a.ckpt, of epoch 100 of 100" in second
    whole = start("a")
    learn(whole, "a")
    for ours, theirs in zip(fr.load("letters-a.ckpt").get_weights(), whole.model.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


def test_the_checkpoint_is_the_epoch_of_the_lowest_loss():
    # At such a rate the loss goes up and down.
    trainer = fr.Trainer(
        start("d").model, loss="sparse_categorical_crossentropy", optimizer=fr.Adam(0.5), metrics=["accuracy"]
    )
    model = learn(trainer, "d", epochs=40, checkpoint="best.ckpt")
    losses = trainer.history.history["loss"]
    best = int(np.argmin(losses))
    assert best < 39
    kept = resume("d", "best.ckpt")
    assert kept.history.history["loss"] == losses[: best + 1]
    for ours, theirs in zip(model.get_weights(), kept.model.get_weights(), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("variant", "other"), [("a", "b"), ("b", "a"), ("c", "a"), ("d", "c")])
def test_a_checkpoint_of_another_variant(variant, other, say, refused):
    say("--variant", other, "--epochs", "1")
    assert refused("--variant", variant, "--checkpoint", f"letters-{other}.ckpt") == (
        f"letters-{other}.ckpt is a checkpoint of variant {other}; expected one of variant {variant}: remove it, or "
        "name another file"
    )


def test_files_that_are_no_checkpoint(refused):
    other = fr.Trainer(fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)], input_size=1))
    other.save_checkpoint("other.ckpt")
    other.model.save("model.safetensors")
    Path("damaged.ckpt").write_bytes(Path("other.ckpt").read_bytes()[:-1])
    Path("folder").mkdir()
    with_it = ("--variant", "a", "--checkpoint")
    assert "is a checkpoint of another model; expected one of variant a" in refused(*with_it, "other.ckpt")
    for name in ("model.safetensors", "damaged.ckpt", "folder"):
        assert name in refused(*with_it, name)


def test_the_parameters_as_text():
    model = learn(start("d"), "d", epochs=1)
    write_parameters(model, "d.txt")
    text = Path("d.txt").read_text()
    assert "..." not in text
    for name, weight in model.parameters().items():
        values = text.split(f"{name} {weight.shape}\n")[1].split("\n\n")[0]
        read = np.array(values.replace("[", " ").replace("]", " ").split(), weight.dtype)
        assert np.array_equal(read, weight.ravel())


def typed(lines):
    """What is printed at the prompts of variant b, without the prompts."""
    prompts = r"(variant b, how many tests\?|4 of abcde:) \(an empty line ends\) "
    (said,) = [line for line in "\n".join(lines).split("\n\n") if "tests?" in line]
    return re.sub(prompts, "> ", said[said.index("variant b, how") :]).splitlines()


def test_questions_at_the_prompt(say, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("two\n-1\n4\nabcd\n ABCD \nabc\nabcx\nacca\nbcde\nabcd\n"))
    told = typed(say("--variant", "b"))
    assert told[:6] == [
        "> 'two' is no number of tests; expected a whole number, such as 3",
        "> '-1' is no number of tests; expected a whole number, such as 3",
        "> > abcd->e",
        "> ABCD->e",
        "> 'abc' is 3 long; expected 4 letters of abcde",
        "> 'abcx' holds 'x'; expected 4 letters of abcde",
    ]
    assert told[6].startswith("> acca->")
    assert told[6].endswith("(a guess: no stretch of the alphabet)")
    # The fourth test is the last.
    assert told[7:] == ["> bcde->a"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("", ["> "]),
        ("\n", ["> "]),
        ("0\n", ["> "]),
        ("2\nabcd\n\nabcd\n", ["> > abcd->e", "> "]),
        ("1\neabc", ["> > eabc->d"]),
    ],
)
def test_the_end_of_what_is_typed(lines, told, say, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert typed(say("--variant", "b")) == told


def test_every_variant_asks_until_there_is_no_more_to_read(say, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("1\nb\n\n"))
    asked = [line for line in say("--epochs", "1") if "how many tests?" in line]
    assert [line.split(",")[0] for line in asked] == ["variant a", "variant b", "variant c"]


@pytest.mark.parametrize("closed", [True, False])
def test_nothing_is_asked_where_nothing_can_be_typed(closed, say, monkeypatch):
    stdin = None
    if closed:
        stdin = io.StringIO()
        stdin.close()
    monkeypatch.setattr("sys.stdin", stdin)
    assert not any("tests?" in line for line in say("--epochs", "1"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variant", "e"], 'Invalid value "e" for --variant. Choose from: "a", "b", "c", "d", "all".'),
        (["--variant", "a", "--input", "ab"], "'ab' is 2 long; expected 1 letter of abcde"),
        (["--variant", "a", "--input", "b", "é"], "'é' holds 'é'; expected 1 letter of abcde"),
        (["--variant", "d", "--input", ""], "'' is 0 long; expected 4 letters of abcdefghijklmnopqrstuvwxyz"),
        (
            ["--variant", "a", "b", "--input", "ab"],
            "'ab' fits no variant; expected 1 letter of abcde, or 4 letters of abc",
        ),
        (["--epochs", "0"], "--epochs 0; expected"),
        (["--seed", "-1"], "--seed -1; expected"),
        (["--variant", "a", "--parameters", "no/a.txt"], "no/a.txt cannot be written: no is no folder"),
        (["--variant", "a", "--checkpoint", "no/a.ckpt"], "no/a.ckpt cannot be written: no is no folder"),
        (["--variant", "a", "--checkpoint", "one", "--parameters", "one"], "one is what is read or written already"),
        (["--checkpoint", "one"], "one would be the checkpoint file of 4 variants; expected a single one"),
        (
            ["--variant", "a", "b", "--parameters", "one"],
            "one would be the parameters file of 2 variants; expected a single",
        ),
        (["--plot", "letters-c.txt"], "letters-c.txt ends in 'txt'; expected the ending of a picture"),
    ],
)
def test_what_is_refused(arguments, message, refused):
    assert refused(*arguments).replace("epochs is", "--epochs").replace("seed is", "--seed").startswith(message)


def test_one_foreign_checkpoint_stops_all_before_any_work(say, refused):
    say("--variant", "a", "--epochs", "1", "--checkpoint", "letters-c.ckpt")
    assert refused().startswith("letters-c.ckpt is a checkpoint of variant a; expected one of variant c: ")


def test_the_name_of_a_variant_in_python():
    from fastrnn.tutorials import letters

    with pytest.raises(ValueError, match="variant='e'; expected one of: a, b, c, d, all"):
        letters.main("e")


def test_the_picture():
    trainers = {"a": start("a"), "d": start("d")}
    learn(trainers["a"], "a", epochs=30, checkpoint="a.ckpt")
    trainers["a"] = resume("a", "a.ckpt")
    for variant, trainer in trainers.items():
        learn(trainer, variant, epochs=10)
    loss, right = draw(trainers).axes
    assert (loss.get_ylabel(), right.get_ylabel()) == ("loss", "accuracy")
    for ax in (loss, right):
        assert [line.get_label() for line in ax.get_lines()] == ["variant a", "variant d"]
        for line, trainer, epochs in zip(ax.get_lines(), trainers.values(), (40, 10), strict=True):
            assert list(line.get_ydata()) == trainer.history.history[ax.get_ylabel()]
            assert list(line.get_xdata()) == list(range(1, epochs + 1))


def test_both_programs_of_the_benchmark_train_alike():
    slow, fast = recipe.slow(3), recipe.fast(3)
    assert fast == pytest.approx(slow, rel=1e-4)
    assert slow < 0.5

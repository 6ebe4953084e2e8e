"""The command line: what it writes, and that every error is one line, exit code 2, before any work."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import fastrnn
from fastrnn import datasets
from fastrnn.cli import main
from fastrnn.cli.flags import as_flags, report_as_flags
from fastrnn.forecast import Forecaster
from fastrnn.ground.settings import CELLS
from tests.searches import door

SMALL = ["--window", "12", "--units", "8", "--epochs", "2"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Commands run in an empty folder, and no test trains unless it means to."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(capsys, monkeypatch):
    """Run a command that must be refused without training or writing anything; its one line."""

    def fit(*_, **__):
        raise AssertionError("it trained before it refused")

    def refused(*arguments):
        before = sorted(Path().rglob("*"))
        with monkeypatch.context() as patch:
            patch.setattr("fastrnn.forecast.Forecaster._train", fit)
            code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert code == 2
        assert printed.out == ""
        assert printed.err.startswith("fastrnn: ")
        assert printed.err.count("\n") == 1
        assert sorted(Path().rglob("*")) == before
        return printed.err

    return refused


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small model of the airline passengers."""
    path = tmp_path_factory.mktemp("model") / "air.safetensors"
    assert main(["train", str(datasets.path("airline")), *SMALL, "--out", str(path)]) == 0
    return path


def test_first_command_of_the_readme(capsys):
    assert main(["train", "--plot", "fit.png"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "SUNACTIVITY of sunspots_yearly.csv: 309 rows; held out from 1963 to 2008"
    rows = {line.rsplit(maxsplit=3)[0]: line.split()[-1] for line in lines[4:7]}
    assert list(rows) == ["simple_rnn", "persistence", "seasonal naive"]
    assert float(rows["simple_rnn"]) < 0.65 < float(rows["persistence"]) == 1
    assert lines[-2:] == ["model: model.safetensors", "plot: fit.png"]
    # No terminal, no live bar: a line an epoch.
    told = [line for line in printed.err.splitlines() if not line.startswith("fastrnn: ")]  # of compiling
    assert len(told) == 30
    assert "\r" not in printed.err
    assert printed.err.startswith("epoch 1/30 - loss: ")
    assert Path("fit.png").read_bytes().startswith(b"\x89PNG")

    assert main(["predict", "model.safetensors", "--steps", "3"]) == 0
    forecast = pl.read_csv(capsys.readouterr().out.encode())
    assert forecast.columns == ["date", "forecast"]
    assert forecast["date"].to_list() == [2009, 2010, 2011]


@pytest.mark.parametrize(
    "asked", [(["predict", "--stps", "3"], "predict"), (["text", "train", "--unts", "3"], "text train")]
)
def test_hints_name_the_help_of_the_command(refused, asked):
    arguments, command = asked
    assert f"(fastrnn {command} --help lists what there is)" in refused(*arguments)
    assert "(fastrnn --help lists what there is)" in refused("nonsense")


@pytest.mark.parametrize("spelled", ["LSTM", "SimpleRNN", "rnn"])
def test_cells_however_they_are_spelled(spelled, capsys):
    assert main(["train", *SMALL, "--cell", spelled]) == 0
    cell = {"LSTM": "lstm"}.get(spelled, "simple_rnn")
    assert capsys.readouterr().out.splitlines()[4].startswith(f"{cell} ")


@pytest.mark.parametrize("cell", CELLS)
def test_cells(cell, capsys):
    """Trained by its name, told and kept under it, and drawn; the file alone says what to predict with."""
    assert main(["train", *SMALL, "--cell", cell, "--plot", "fit.svg"]) == 0
    assert capsys.readouterr().out.splitlines()[4].startswith(f"{cell} ")
    assert f"<!-- {cell}, RMSE " in Path("fit.svg").read_text()
    loaded = fastrnn.load("model.safetensors")
    assert [layer.kind for layer in loaded.layers] == [cell, "dense"]
    assert loaded.layers[0].units == 8
    assert Forecaster.load("model.safetensors").cell == cell
    assert main(["predict", "model.safetensors", "--steps", "2"]) == 0
    assert capsys.readouterr().out.count("\n") == 3


def test_predict_writes_what_it_prints(model, capsys):
    arguments = ["predict", str(model), str(datasets.path("airline")), "--steps", "14"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert main([*arguments, "--out", "forecast.csv"]) == 0
    assert capsys.readouterr().out == "forecast: forecast.csv, 14 rows\n"
    assert Path("forecast.csv").read_text() == printed
    forecast = pl.read_csv("forecast.csv")
    assert forecast["date"][0] == "1961-01"
    expected = Forecaster.load(model).predict(datasets.load("airline"), 14).values
    assert np.allclose(forecast["forecast"], expected, rtol=1e-6)


def test_steps_where_there_are_no_dates(model, capsys):
    Path("bare.csv").write_text("Passengers\n" + "\n".join(map(str, range(100, 130))))
    assert main(["predict", str(model), "bare.csv", "--steps", "2"]) == 0
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == ["step", "1", "2"]


def test_missing_cells_while_predicting(model, refused, capsys):
    Path("gaps.csv").write_text("Passengers\n" + "\n".join(map(str, range(20))) + "\nNA\n5\n")
    assert "gaps.csv, line 22, column 'Passengers': the cell is missing" in refused("predict", model, "gaps.csv")
    assert main(["predict", str(model), "gaps.csv", "--missing", "previous"]) == 0


@pytest.mark.parametrize("features", [["temp_min", "wind"], ["temp_min,wind"], ["temp_min", "--features", "wind"]])
def test_features_are_listed_as_one_likes(features, capsys):
    arguments = [str(datasets.path("weather")), *SMALL, "--target", "temp_max"]
    assert main(["train", *arguments, "--features", *features]) == 0
    assert Forecaster.load("model.safetensors").features == ("temp_min", "wind")


def test_a_model_that_is_replaced_is_named(capsys):
    for closing in ("model: model.safetensors", "model: model.safetensors (replaced)"):
        assert main(["train", *SMALL]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == closing


def test_errors_name_the_flags(refused, capsys):
    Path("gaps.csv").write_text("a\n1\n\n3\n")
    assert "choose --missing drop or --missing previous" in refused("train", "gaps.csv")
    assert main(["train", "--window", "12", "--epochs", "5", "--learning-rate", "1e200"]) == 2
    assert "lower --learning-rate 1e+200" in capsys.readouterr().err.splitlines()[-1]


def test_a_live_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main(["train", *SMALL]) == 0
    assert "\r" in capsys.readouterr().err


def test_refit(capsys):
    assert main(["train", *SMALL, "--refit"]) == 0
    printed = capsys.readouterr()
    assert "learned again from all 309 rows, in 2 epochs" in printed.out
    assert [line.split(" - ")[0] for line in printed.err.splitlines()] == ["epoch 1/2", "epoch 2/2"] * 2
    assert main(["train", *SMALL, "--out", "earlier"]) == 0
    assert "learned from the first 217 of 309 rows; --refit lets it learn from all" in capsys.readouterr().out
    assert Forecaster.load("model.safetensors").recipe.mean == [
        pytest.approx(datasets.load().columns["SUNACTIVITY"].mean())
    ]
    assert Path("earlier").read_bytes() != Path("model.safetensors").read_bytes()


def test_gaps_among_the_newest_rows_are_told(capsys):
    days = np.arange("2024-01-01", "2024-03-01", dtype="M8[D]")
    rows = [f"{day},{day.astype(int) % 7}" for day in np.delete(days, [20, -3])]
    Path("data.csv").write_text("\n".join(["day,a", *rows]))
    assert main(["train", "data.csv", *SMALL]) == 0
    told = "gaps: 2 rows are missing in 2 places: 1 before 2024-01-22 (line 22), 1 before 2024-02-28 (line 58)"
    assert f"{told}; --missing previous adds them; the rows are taken as they stand" in capsys.readouterr().out
    assert main(["predict", "model.safetensors", "data.csv"]) == 0
    printed = capsys.readouterr()
    assert printed.err == "fastrnn: among the newest rows 1 row is missing in 1 place: 1 before 2024-02-28\n"
    assert printed.out.startswith("date,forecast\n2024-03-01,")
    assert main(["predict", "model.safetensors", "data.csv", "--missing", "previous"]) == 0
    assert capsys.readouterr().err == ""


def test_same_seed_same_file():
    for name in ("a", "b"):
        assert main(["train", *SMALL, "--seed", "3", "--out", name]) == 0
    assert Path("a").read_bytes() == Path("b").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell", "ltsm"], "--cell ltsm; expected one of: simple_rnn, lstm, gru"),
        (["--cell", "lstm gru"], "--cell lstm gru; expected one of: simple_rnn, lstm, gru"),
        (["--cell"], "--cell requires an argument"),
        (["--cell", "gru", "--units", "0"], "--units 0; expected a whole number, at least 1"),
        (["--window", "0"], "--window 0; expected a whole number, at least 1"),
        (["--window", "400"], "--window 400 and --horizon 1 leave nothing to train on"),
        (["--window", "many"], 'unable to convert "many" into int'),
        (
            ["--windo", "3"],
            "Unknown option: --windo. Did you mean --window? (fastrnn train --help lists what there is)",
        ),
        (["--units", "1.5"], 'Invalid value for --units: unable to convert "1.5" into int.'),
        (["--units=2.0"], 'unable to convert "2.0" into int.'),
        (["--features", '"a'], "no column 'a'"),
        (["--features", "a\rb"], "no column 'a'"),
        (["--out", "loop"], "loop is a link that leads in a circle; expected the name of a file"),
        (["--plot", "fit.pgf"], "fit.pgf ends in 'pgf'; expected the ending of a picture"),
        (["\x1b[31m.csv"], "\\x1b[31m.csv: no such file"),
        (["--target", "\x1b[31m"], "no column '\\x1b[31m'"),
        (["--learning-rate", "-1"], "--learning-rate -1.0; expected a number above 0"),
        (["--target", "MOON"], "sunspots_yearly.csv has no column 'MOON'; columns of numbers: SUNACTIVITY"),
        (["--features", "MOON"], "no column 'MOON'"),
        (["--features", "MOON", str(datasets.path("airline"))], "expected the data first"),
        (["--features", "a,a"], "features name a twice"),
        (["--target", "YEAR"], "column 'YEAR' of sunspots_yearly.csv holds the dates"),
        (["nothing.csv"], "nothing.csv: no such file"),
        (["."], "is a folder; expected a CSV or Parquet file"),
        (["--out", "no/model"], "no/model cannot be written: no is no folder; create it first"),
        (["--out", "."], "cannot be written: it is no file"),
        (["--out", "/dev/null"], "/dev/null cannot be written: it is no file"),
        (["--out", "m.onnx"], "--out is 'm.onnx', whose ending .onnx stands for ONNX; expected .safetensors or .ckpt"),
        (["--plot", "no/fit.png"], "no/fit.png cannot be written"),
        (["--plot", "fit.doc"], "fit.doc ends in 'doc'; expected the ending of a picture"),
        (["--plot", "model.png", "--out", "model.png"], "model.png is what is read or written already"),
    ],
)
def test_train_refuses(refused, arguments, message):
    Path("loop").symlink_to("loop")
    assert message in refused("train", *arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "data.csv is empty; expected a header line and rows"),
        ("a\n", "data.csv has a header but no rows"),
        ("1\n2\n", "line 1 holds numbers ('1'); expected the names of the columns"),
        ("a\n1\n2\n3\n", "leave nothing to train on: of 3 rows the first 1 are for training; expected more rows"),
        ("a\n" + "1\n" * 60, "expected a window of at most 41, or more rows"),
    ],
)
def test_small_files(refused, text, message):
    Path("data.csv").write_text(text)
    assert message in refused("train", "data.csv", "--cell", "lstm")


def test_train_never_replaces_its_data(refused):
    Path("data.csv").write_text("a\n1\n")
    assert "data.csv is what is read or written already" in refused("train", "data.csv", "--out", "./data.csv")


def test_a_folder_that_takes_no_files(refused, monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert "m cannot be written: No space left on device" in refused("train", "--out", "m")


def test_predict_refuses(refused, model):
    airline = datasets.path("airline")
    assert "--steps 0; expected at least 1" in refused("predict", model, airline, "--steps", "0")
    assert "no column 'Passengers'" in refused("predict", model)
    assert "--missing guess; expected" in refused("predict", model, airline, "--missing", "guess")
    assert "is what is read or written already" in refused("predict", model, airline, "--out", model)
    assert "no is no folder" in refused("predict", model, airline, "--out", "no/f.csv")
    assert "expected .csv or .tsv, or no ending" in refused("predict", model, airline, "--out", "f.parquet")
    assert "nothing" in refused("predict", "nothing", airline)
    assert "airline.csv" in refused("predict", airline, airline)
    Path("short.csv").write_text("Passengers\n1\n2\n")
    assert "short.csv has 2 rows; expected at least 12, the model's window" in refused("predict", model, "short.csv")


def test_a_training_that_diverges_is_refused_in_one_line_and_the_old_model_stays(capsys):
    Path("m").write_bytes(b"an old model")
    assert main(["train", *SMALL, "--learning-rate", "1e200", "--out", "m"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Warning" not in printed.err
    assert printed.err.splitlines()[-1].startswith("fastrnn: the loss")
    assert "; expected a finite one: lower --learning-rate 1e+200" in printed.err
    assert Path("m").read_bytes() == b"an old model"


def test_unknown_command(refused):
    assert "trian" in refused("trian")


@pytest.mark.parametrize(
    ("package", "arguments", "cure"),
    [
        ("cyclopts", ["train"], 'pip install "fastrnn[cli]"'),
        ("matplotlib", ["train", "--plot", "fit.png"], 'pip install "fastrnn[plot]"'),
        ("polars", ["train", "data.parquet"], 'pip install "fastrnn[parquet]"'),
    ],
)
def test_missing_extras_name_their_cure(refused, monkeypatch, package, arguments, cure):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    Path("data.parquet").write_bytes(b"PAR1")
    line = refused(*arguments)
    assert f"needs {package}" in line
    assert cure in line


def test_what_it_tells_about_itself(capsys):
    assert main(["info"]) == 0
    facts = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {"fastrnn", "python", "numpy", "numba"} <= facts.keys()
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == facts["fastrnn"]
    assert main(["warmup"]) == 0
    assert main(["train", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--learning-rate" in told
    assert "Recurrent cell: simple_rnn, lstm or gru. [default: simple_rnn]" in told
    assert main([]) == 0


@pytest.mark.parametrize("columns", ["0", "1", "abc"])
def test_help_of_any_width(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["train", "--help"]) == 0
    assert "window" in capsys.readouterr().out


def test_help_loads_no_compiler():
    check = (
        "import sys\nfrom fastrnn.cli import main\nassert main(['train', '--help']) == 0\n"
        "assert not {'numba', 'polars', 'matplotlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)


def command(*arguments):
    return [sys.executable, "-m", "fastrnn.cli", *arguments]


def test_as_a_process():
    done = subprocess.run(command("train", "--cell", "ltsm"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fastrnn: --cell ltsm; expected one of: simple_rnn, lstm, gru\n"


def test_the_package_is_the_command():
    done = subprocess.run([sys.executable, "-m", "fastrnn", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{fastrnn.__version__}\n"


def test_interrupt_while_training():
    endless = command("train", "--epochs", "1000000", "--units", "8")
    with subprocess.Popen(endless, stderr=subprocess.PIPE) as training:
        assert training.stderr.read(1), "the first epoch should have been told"
        time.sleep(0.2)
        training.send_signal(signal.SIGINT)
        rest = training.stderr.read().decode()
    assert training.returncode == 130
    assert rest.endswith("fastrnn: stopped\n")
    assert "Traceback" not in rest
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("name", "encoding"),
    [("Température", "ascii"), ("温度", "cp1252"), ("\x1b[31mred", "utf-8"), ("price ($) / $x", "ascii")],
)
def test_a_narrow_console_costs_nothing(name, encoding, monkeypatch):
    """The model is saved before anything is printed, and every character is shown or escaped."""
    Path("data.csv").write_text(f'year,"{name}"\n' + "\n".join(f"{1900 + row},{row % 7}" for row in range(60)))
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert main(["train", "data.csv", *SMALL, "--plot", "fit.svg"]) == 0
    assert main(["train", "data.csv", *SMALL, "--target", "ü"]) == 2
    assert (sys.stdout, sys.stderr) == (out, err)
    told = out.buffer.getvalue().decode(encoding)
    first = (
        name[:5].encode(encoding, "backslashreplace").decode(encoding) if name.isprintable() else repr(name[:5])[1:-1]
    )
    assert told.startswith(first)
    assert "\x1b" not in told + err.buffer.getvalue().decode(encoding) + Path("fit.svg").read_text(encoding="utf-8")
    assert Forecaster.load("model.safetensors").recipe.settings.target == name


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, text):
        raise OSError(28, "No space left on device")


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("make", [lambda: None, closed, Full], ids=["none", "closed", "full"])
def test_streams_that_take_nothing_cost_nothing(make, model, monkeypatch):
    monkeypatch.setattr(sys, "stdout", make())
    monkeypatch.setattr(sys, "stderr", make())
    airline = str(datasets.path("airline"))
    assert main(["train", *SMALL, "--plot", "fit.svg"]) == 0
    assert Path("model.safetensors").exists()
    assert Path("fit.svg").exists()
    assert main(["predict", str(model), airline, "--out", "forecast.csv"]) == 0
    assert Path("forecast.csv").exists()
    assert main(["nonsense"]) == 2
    # What is asked for in print is done where nobody wants it, not where it is lost.
    lost = 2 if make is Full else 0
    for asked in (["predict", str(model), airline], ["info"]):
        assert main(asked) == lost


def test_a_lost_report_is_told(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["train", *SMALL]) == 0
    told = "fastrnn: standard output: No space left on device; what was to be printed there is lost\n"
    assert capsys.readouterr().err.endswith(told)
    assert main(["info"]) == 2
    assert capsys.readouterr().err == "fastrnn: standard output: No space left on device\n"


def test_nothing_is_lost_when_the_picture_fails(monkeypatch, capsys):
    def full(*_, **__):
        raise OSError(28, "No space left on device", "fit.png")

    monkeypatch.setattr("fastrnn.pictures.plots.atomic_write", full)
    assert main(["train", *SMALL, "--plot", "fit.png"]) == 2
    printed = capsys.readouterr()
    assert printed.out.endswith("model: model.safetensors\n")
    assert printed.err.endswith("fastrnn: fit.png: No space left on device\n")
    assert Forecaster.load("model.safetensors").units == 8
    assert not Path("fit.png").exists()


def test_streams_of_the_shell():
    full, none = (" ".join(command(*asked)) for asked in (["train", *SMALL], ["info"]))
    both = f"{full} >/dev/full 2>/dev/full && {none} 1>&- 2>&-"
    done = subprocess.run(["sh", "-c", both], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert Path("model.safetensors").exists()


def test_a_reader_that_leaves_early(model):
    read, write = os.pipe()
    os.close(read)
    arguments = ["predict", str(model), str(datasets.path("airline")), "--steps", "500"]
    done = subprocess.run(command(*arguments), stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.returncode == 0
    assert done.stderr == b""


def test_a_reader_that_leaves_before_the_report(monkeypatch, capsys):
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert main(["train", *SMALL]) == 0
    assert "lost" not in capsys.readouterr().err
    assert Path("model.safetensors").exists()


def test_odd_commands_keep_the_laws():
    """A sample of what ``python -m tests.searches.door`` tries by the thousand."""
    faults = []
    door.search(range(1, 61), 7, faults.append)
    assert not faults


def test_settings_are_told_as_flags_and_names_that_look_like_them_are_names():
    told = "lower learning_rate=1e-05, window=0; expected missing='previous'"
    assert as_flags(told) == "lower --learning-rate 1e-05, --window 0; expected --missing previous"
    for named in ("window=none.csv: no such file", "a.csv has no column 'units=3'", "in/cell=lstm: is a folder"):
        assert as_flags(named) == named
    report = report_as_flags("units=3 of a.csv: 120 rows\ncolumn units=3: x is no date\nlower learning_rate=0.5")
    assert report == "units=3 of a.csv: 120 rows\ncolumn units=3: x is no date\nlower --learning-rate 0.5"

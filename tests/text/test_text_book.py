"""From a file to ids: what is cleaned, what is refused, and that windows carry on where those before them ended."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import datasets
from fastrnn.text import Alphabet, Book, read_book
from fastrnn.text.alphabet import UNSEEN
from fastrnn.text.book import clean
from fastrnn.text.windows import carried_windows


@pytest.fixture
def write(tmp_path):
    def write(data):
        path = tmp_path / "book.txt"
        path.write_bytes(data)
        return path

    return write


def test_line_ends_accents_and_marks_have_one_form(write):
    book = read_book(write(b"\xef\xbb\xbfone\r\ntwo\rcafe\xcc\x81\n"))
    assert book == Book("one\ntwo\ncafé\n", "book.txt")


def test_the_shipped_book():
    book = read_book(datasets.ALICE)
    assert book == Book(datasets.alice(), "alice29.txt")
    assert len(book.text) == 148_481


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marked_encodings_are_read(write, encoding):
    assert read_book(write("Füße 🐇\n".encode(encoding))).text == "Füße 🐇\n"


def test_named_encodings_are_read(write):
    assert read_book(write("Füße".encode("latin-1")), encoding="latin-1").text == "Füße"


@pytest.mark.parametrize("the", ["THE", "THIS"])
def test_the_licence_around_a_book_is_left_out(the):
    around = (f"Title: A Book\n*** START OF {the} PROJECT GUTENBERG EBOOK A BOOK ***\n", "***END OF ...\nmore\n")
    whole = around[0] + "the\nbook\n" + around[1].replace("***END OF", f"*** END OF {the} PROJECT GUTENBERG EBOOK")
    book = clean(whole)
    assert book.text == "the\nbook\n"
    assert book.left_out == len(whole) - 9
    # What is no frame of a book is part of it.
    assert clean("*** START OF MY BOOK ***\nx").left_out == 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "book.txt is empty; expected a text"),
        (b" \n\r\n", "book.txt is empty; expected a text"),
        (b"\xef\xbb\xbf", "book.txt is empty; expected a text"),
        (b"\x89PNG\r\n\0\0", "book.txt is a binary file .* expected a text in UTF-8"),
        ("one\ntwo\nFüße".encode("latin-1"), "not UTF-8: byte 0xfc in line 3; .* encoding='cp1252' if"),
        ("Füße".encode("utf-16")[:-1], "not UTF-16: byte 0x.. in line 1; expected text in UTF-16"),
    ],
)
def test_what_is_no_text_is_refused(write, data, message):
    with pytest.raises(ValueError, match=message):
        read_book(write(data))


def test_encodings_that_are_not_there_or_do_not_fit_are_refused(write, tmp_path):
    path = write("Füße".encode("latin-1"))
    with pytest.raises(ValueError, match="encoding='latin-0' is unknown; expected"):
        read_book(path, "latin-0")
    with pytest.raises(ValueError, match=r"not ASCII: byte 0xfc in line 1; .* the encoding it was saved in"):
        read_book(path, "ascii")
    # A codec of Python's that gives no text.
    with pytest.raises(ValueError, match="encoding='hex' is unknown; expected"):
        read_book(path, "hex")
    with pytest.raises(FileNotFoundError, match=r"none.txt: no such file; expected a text file"):
        read_book(tmp_path / "none.txt")
    with pytest.raises(IsADirectoryError, match="is a folder; expected a text file"):
        read_book(tmp_path)


# ------------------------------------------------------------------------------------------------ alphabets


@given(st.text(min_size=2).filter(lambda text: len(set(text)) > 1), st.text())
def test_encoding_and_decoding_is_identity_on_what_is_known(text, other):
    alphabet = Alphabet.of(text)
    assert len(alphabet) == len(set(text))
    assert alphabet.decode(alphabet.encode(text)) == text
    ids = alphabet.encode(other)
    assert ((ids == UNSEEN) == [character not in text for character in other]).all()


@pytest.mark.parametrize("characters", ["", "a", "aa", "ba"])
def test_alphabets_that_are_none(characters):
    with pytest.raises(ValueError, match="expected two characters or more, rising"):
        Alphabet(characters)


# ------------------------------------------------------------------------------------------------ windows


@pytest.mark.parametrize(
    ("length", "rows", "steps"), [(101, 4, 5), (100, 4, 5), (81, 4, 5), (21, 4, 5), (6, 1, 5), (1000, 7, 3)]
)
def test_windows_go_on_where_those_before_ended(length, rows, steps):
    ids = np.arange(length)
    x, y = carried_windows(ids, rows, steps)
    assert x.shape == y.shape
    assert x.shape[1] == steps
    stretches = x.reshape(-1, rows, steps).transpose(1, 0, 2).reshape(rows, -1)
    assert (np.diff(stretches, axis=1) == 1).all()
    assert (y == x + 1).all()
    # Nothing is left out but the last, which nothing follows; and little is read twice.
    assert (np.unique(x) == ids[:-1]).all() or rows == 1
    assert x.size < length + rows * steps

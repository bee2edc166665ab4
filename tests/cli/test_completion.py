"""Completion by the shell, asked as Bash asks."""

import pytest


@pytest.fixture
def complete(augbench, monkeypatch):
    """The completions of a command line whose last word is being typed."""

    def ask(line):
        words = line.split(" ")
        monkeypatch.setenv("_AUGBENCH_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        code, printed, errors = augbench()
        assert (code, errors) == (0, "")
        return [entry.partition(",")[::2] for entry in printed.split()]

    return ask


@pytest.mark.usefixtures("only_built_in")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("augbench ver", ["verify"]),
        ("augbench run --aug mi", ["mixup"]),
        ("augbench run --aug collage,mi", ["collage,mixup"]),
        ("augbench run --base crop", ["crop-flip"]),
        ("augbench run --backbone c", ["convnet"]),
        ("augbench run --pre-train-dataset glyph-d", ["glyph-digits"]),
        ("augbench run --readout linear,k", ["linear,knn"]),
        ("augbench report --metric bal", ["balanced_accuracy"]),
        ("augbench preview --dataset glyph-l", ["glyph-letters"]),
        ("augbench check mix", ["mixup"]),
        ("augbench run --shift jp", ["jpeg"]),
    ],
)
def test_names_of_components_and_words_are_completed(complete, line, expected):
    assert complete(line) == [("plain", word) for word in expected]


def test_folders_and_files_are_left_to_the_shell(complete):
    assert complete("augbench report res") == [("dir", "res")]
    assert complete("augbench run --out res") == [("dir", "res")]
    assert complete("augbench run --plugin my") == [("file", "my")]

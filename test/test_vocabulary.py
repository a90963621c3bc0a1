"""The check of the vocabulary finds the words to be replaced, and only those."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "check_vocabulary.py"


def check(*files):
    """Return the exit code and the lines that the tool prints."""
    command = [sys.executable, TOOL, *files]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("name", "text", "line", "expected"),
    [
        ("a.py", "class _Lifter:\n    pass\n", 1, "'_Lifter': write DepthProjector"),
        ("a.py", "x = 1\ny = tracks.seen_as\n", 2, "'seen_as': write detection_index"),
        ("a.py", "def f(hold_back_s):\n    pass\n", 1, "'hold_back_s': write delay"),
        ("a.py", "def test_that_nobody_is_told():\n    pass\n", 1, "'test_that_nobody_is_told'"),
        ("a.py", "# Tracking starts\n# anew here.\n", 2, "'anew': write"),
        ("a.py", "log('file.yaml is no\\\n file')\nf('is no file')\n", 3, "'is no file': write"),
        ("a.md", "Frames are held\nback.\n", 1, "'held back': write delay"),
        ("a.md", "\nWhoever reads it.\n", 2, "'Whoever': write"),
        ("a.yaml", "# an image in a hundred\n", 1, "'image in a hundred': write p99"),
        ("a.yaml", "# delayed for so long\n", 1, "'for so long': write this long"),
        ("a.msg", "# nobody in space\n", 1, "'nobody in space': write no 3D positions"),
    ],
    ids=[
        "a private class", "an attribute", "a part of a parameter", "a part of a test's name",
        "a comment", "a string", "a phrase over two lines", "a capital letter", "a phrase in YAML",
        "a duration without its value", "a message",
    ],
)  # fmt: skip
def test_word_is_reported_with_its_line_and_replacement(tmp_path, name, text, line, expected):
    file = tmp_path / name
    file.write_text(text)
    code, lines = check(file)
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith(f"{file}:{line}: {expected}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", "# People who move in the View. Space for one.\nsaying = closest = 1\n"),
        ("a.py", "import retell\nclass DepthContext:\n    storytelling = 1\n"),
        ("a.md", "It works so long as the disk is not full. `is not a file`. The last frame.\n"),
    ],
    ids=["words of prose", "longer words", "similar phrases"],
)
def test_other_words_are_not_reported(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert check(tmp_path / name) == (0, [])


def test_all_problems_of_all_files_are_reported(tmp_path):
    (tmp_path / "a.py").write_text("told = 1\nWorry = 2\n")
    (tmp_path / "b.md").write_text("anew\n")
    code, lines = check(tmp_path / "a.py", tmp_path / "b.md")
    assert code == 1
    assert [line.split(": write")[0] for line in lines] == [
        f"{tmp_path}/a.py:1: 'told'",
        f"{tmp_path}/a.py:2: 'Worry'",
        f"{tmp_path}/b.md:1: 'anew'",
    ]

"""Check that names and texts use the words of the field, the same word for a thing everywhere.

Prints file, line, the word and what to write instead. Class and other names are searched among the
identifiers of Python files, phrases in all text.

    python tools/check_vocabulary.py [FILE ...]    # default: all files of the project
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("poseflow_ros", "poseflow_msgs", "test", "docs", "config", "launch", "tools",
           "requirements", ".ci")  # fmt: skip
FILES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.rst", "Makefile", "package.xml", "setup.py",
         "pyproject.toml", ".pre-commit-config.yaml")  # fmt: skip
SUFFIXES = ("", ".md", ".msg", ".py", ".rst", ".sh", ".toml", ".txt", ".xml", ".yaml")
# These contain the words in order to refuse them.
EXEMPT = ("tools/check_vocabulary.py", "test/test_vocabulary.py")

CLASSES = {
    "Sight": "Detections",
    "Sighting": "Observation",
    "Moment": "Frame",
    "Told": "DiagnosticsListener",
    "Heard": "PoseLog",
    "Worry": "Alert",
    "Arrival": "ImageJob",
    "Lifter": "DepthProjector",
    "View": "DepthContext, or CameraView in benchmarks",
    "Space": "People3D",
    "People": "Tracks",
}
"""Names of classes, with or without leading underscores, and what to call them instead."""

NAMES = {
    "evidence": "log_likelihood_ratio or existence_score",
    "likeness": "similarity",
    "recognise": "reidentify",
    "seen_as": "detection_index",
    "unclaimed": "unassigned",
    "told": "snapshot",
    "tell": "publish",
    "hold_back": "delay",
    "held_back": "delayed",
    "say": "log",
    "lose": "count_lost",
    "hand_over": "dispatch",
}
"""Words of other names, such as `hold_back` in `hold_back_s`, and what to write instead."""

PHRASES = {
    r"likeness(es)?": "similarity",
    r"recognis(e|es|ed|ing)": "reidentify",
    r"unclaimed": "unassigned",
    r"told": "published, logged, reported or distinguished",
    r"(hold|holds|held|holding) back": "delay",
    r"(hand|hands|handed|handing) over": "dispatch",
    r"(give|gives|given|gave) back": "return or release",
    r"(first|last) sight": "observation",
    r"is no (file|folder)": "is not a file or folder",
    r"(is|are) too many": "exceeds the maximum of N",
    r"anew": "again; tracking reset",
    r"(begin|begins|start|starts) none": "does not start new ones",
    r"(nobody )?in space": "no 3D positions, or in 3D",
    r"(one|image) in a hundred": "p99",
    r"(for|is|are|after|until|than) so long(?! as)": "this long, or the duration",
    r"pictures? (a|per) second": "images per second",
    r"whoever": "the caller, the user, or who",
}
"""Regular expressions of phrases, whole words in any case, and what to write instead."""

_PHRASES = {
    # A phrase may continue on the next line of a comment.
    re.compile(r"\b" + phrase.replace(" ", r"[\s#]+") + r"\b", re.IGNORECASE): instead
    for phrase, instead in PHRASES.items()
}
_NAMES = {re.compile(rf"(?:^|_){name}(?:_|$)"): instead for name, instead in NAMES.items()}


def problems(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line number and the problem for each word to be replaced in a file."""
    text = path.read_text(encoding="utf-8")
    found = {(line, word): instead for line, word, instead in _phrases(text)}
    if path.suffix == ".py":
        found |= {(line, word): instead for line, word, instead in _names(text)}
    for (line, word), instead in sorted(found.items()):
        yield line, f"{word!r}: write {instead}"


def _phrases(text: str) -> Iterator[tuple[int, str, str]]:
    for pattern, instead in _PHRASES.items():
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield line, re.sub(r"[\s#]+", " ", match[0]), instead


def _names(text: str) -> Iterator[tuple[int, str, str]]:
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        # A class after a dot may be one of another package, as people_msgs.msg.People.
        foreign = before == "." and token.string[:1].isupper()
        named_here = token.type == tokenize.NAME and not foreign
        if named_here and (instead := _instead_of(token.string)):
            yield token.start[0], token.string, instead
        before = token.string


def _instead_of(name: str) -> str:
    """Return what to write instead of an identifier, empty if it may stay."""
    if instead := CLASSES.get(name.lstrip("_")):
        return instead
    return next((instead for pattern, instead in _NAMES.items() if pattern.search(name)), "")


def files() -> list[Path]:
    """Return the files of the project that are checked."""
    paths = [ROOT / name for name in FILES]
    for folder in FOLDERS:
        paths += sorted(path for path in (ROOT / folder).rglob("*") if path.is_file())
    exempt = {ROOT / name for name in EXEMPT}
    return [path for path in paths if path.suffix in SUFFIXES and path not in exempt]


def main(arguments: list[str]) -> int:
    """Print every problem; return 1 if there is one."""
    code = 0
    for path in map(Path, arguments) if arguments else files():
        for line, problem in problems(path):
            shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
            print(f"{shown}:{line}: {problem}", file=sys.stderr)
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

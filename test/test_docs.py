"""The documentation names files and parameters that exist."""

import re
from pathlib import Path

import pytest

from poseflow_ros.action_config import ActionConfig
from poseflow_ros.bridge_config import BridgeConfig
from poseflow_ros.config import Config
from poseflow_ros.parameter_group import parameter_names

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]
# Files of the package are named without its folder.
FOLDERS = (ROOT, ROOT / "poseflow_ros")
NAMED_FILE = re.compile(r"`([\w.-]+/[\w./-]+\.(?:py|yaml|md|sh|xml|cpp))`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
NAMED_PARAMETER = re.compile(r"`([a-z]+)\.(?!yaml`)([a-z0-9_]+)(?::[^`]*)?`")
NODES = (Config, ActionConfig, BridgeConfig)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pages
def test_files_named_in_the_documentation_exist(page):
    text = page.read_text(encoding="utf-8")
    links = [page.parent / name for name in LINK.findall(text)]
    missing = [str(path) for path in links if not path.exists()]
    missing += [
        name
        for name in NAMED_FILE.findall(text)
        if not any((folder / name).exists() for folder in FOLDERS)
    ]
    assert not missing


@pages
def test_parameters_named_in_the_documentation_exist(page):
    names = {name for config in NODES for name in parameter_names(config)}
    groups = {name.partition(".")[0] for name in names}
    found = NAMED_PARAMETER.findall(page.read_text(encoding="utf-8"))
    unknown = [f"{group}.{name}" for group, name in found if group in groups]
    assert set(unknown) <= names

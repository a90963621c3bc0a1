"""YAML files that users write."""

from pathlib import Path
from typing import Any

import yaml

from poseflow_ros.config import ConfigError


def read_yaml(path: Path) -> Any:
    """Return what a file holds.

    Raises:
        ConfigError: it cannot be read, or is no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from error

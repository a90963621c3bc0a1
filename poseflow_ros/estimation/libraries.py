"""Libraries that are imported only where an estimator needs them."""

import importlib

from poseflow_ros.estimation.errors import EstimatorError, first_line


def require(module: str, advice: str) -> None:
    """Import a module of a library.

    Raises:
        EstimatorError: it cannot be imported; the text ends with the advice.
    """
    if problem := import_problem(module):
        raise EstimatorError(f"{problem}; {advice}")


def import_problem(module: str) -> str:
    """Return why a module cannot be imported; empty if it can be."""
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    except Exception as error:
        # torch, torchvision and detectron2 of versions that do not match raise many types.
        return f"{module.partition('.')[0]} cannot be imported: {first_line(error)}"
    return ""

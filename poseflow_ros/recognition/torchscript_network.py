"""Networks in TorchScript files, by torch."""

from pathlib import Path

from poseflow_ros.action_config import ClassifierConfig
from poseflow_ros.actions.windows import Float32Array
from poseflow_ros.estimation.errors import first_line
from poseflow_ros.estimation.libraries import import_problem
from poseflow_ros.recognition.network import ClassifierError


class TorchScriptNetwork:
    """The network of a file that `torch.jit.save` wrote."""

    batch = 0

    def __init__(self, path: Path, config: ClassifierConfig) -> None:
        """Load the file.

        Raises:
            ClassifierError: torch, the device or the file cannot be used.
        """
        if problem := import_problem("torch"):
            raise ClassifierError(f"{problem}; classifier.model {path} needs it: pip install it")
        import torch

        self._torch, self._device = torch, config.device
        if config.device == "cuda" and not torch.cuda.is_available():
            raise ClassifierError("classifier.device is 'cuda', but torch finds no GPU")
        if config.threads:
            torch.set_num_threads(config.threads)
        try:
            self._network = torch.jit.load(str(path), map_location=config.device).eval()
        except (RuntimeError, ValueError) as error:
            raise ClassifierError(f"classifier.model {path}: {first_line(error)}") from error

    def __call__(self, tensor: Float32Array) -> Float32Array:
        """Return the output."""
        with self._torch.inference_mode():
            output = self._network(self._torch.from_numpy(tensor).to(self._device))
        result: Float32Array = output.float().cpu().numpy()
        return result

"""What runs inside vLLM's worker processes: loading a version whole. vLLM mixes this class into its worker."""

from collections import Counter
from typing import Any


class VersionLoader:
    """Adds ``load_version`` to the worker, for ``/collective_rpc``."""

    reload_weights: Any
    get_model: Any

    def load_version(self, weights_path: str) -> None:
        """Load the weights in ``weights_path``, the packed copy of a tied output layer included.

        On a CPU vLLM multiplies with a copy of the output layer that it packs when a layer's own weights are loaded. A
        tied output layer has none, and would go on with the copy of the first weights.
        """
        self.reload_weights(weights_path=weights_path)
        modules = [module for module in self.get_model().modules() if _address(module)]
        holders = Counter(_address(module) for module in modules)
        for module in modules:
            if holders[_address(module)] > 1 and (method := getattr(module, "quant_method", None)):
                method.process_weights_after_loading(module)


def _address(module: Any) -> int:
    """Where the module's weight lies; 0 without one."""
    weight = getattr(module, "weight", None)
    return weight.data_ptr() if weight is not None else 0

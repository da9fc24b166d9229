"""lmada for PyTorch: `LMAdagrad`, an optimizer that moves the parameters of a model where they lie."""

from ._lmadagrad import LMAdagrad

__all__ = ["LMAdagrad"]

"""lmada for PyTorch: `LMAdagrad`, an optimizer that moves the parameters of a model in place."""

from ._lmadagrad import LMAdagrad

__all__ = ["LMAdagrad"]

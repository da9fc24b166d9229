"""The optimizer of NumPy arrays."""

from __future__ import annotations

from ._phases import Phases
from ._states import States


class Optimizer(Phases, States):
    """Limited-memory full-matrix Adagrad for parameters in NumPy arrays.

        opt = lmada.Optimizer(w.size, lr=0.05)
        for _ in range(steps):
            opt.step(w, gradient(w))

    `Optimizer(dim, dtype=numpy.float32, **options)` is for `dim` parameters of float32 or float64. `dim` may be a list
    of lengths: each of these blocks, one after the other, has a preconditioner, clip reference and scale of its own, as
    if it were a model of its own. All memory that steps need is reserved at once: about `history_size * dim` numbers,
    in as many bytes as `history_format` has for them. It is given back with the object, or by `close()`, or at the end
    of a `with` block. `copy`, `deepcopy` and `pickle` make a second optimizer in the same state.

    One optimizer is for one thread at a time: a call while another thread is in a call on the same optimizer raises
    BusyError. Different optimizers are independent. Calls release the GIL. A call that raises has changed nothing.

    Options. `w` are the parameters, `g` the gradient, `M` the matrix whose columns are the stored gradients, `M = U S
    V'`, `u = U f(S^2) U' v` the update, and `v` the gradient or a momentum of it. A value out of range raises
    InvalidArgumentError.

    - `history_size` = 10: how many gradients are kept, 1 to 4096. More sees more directions of curvature and takes more
      memory: 10 to 30 serve small and stochastic problems, 100 long ones.
    - `history_format` = "full": how the gradients are kept; with float64 only "full", as given. "f16": half precision
      relative to a power of two for each 256 numbers, in half the memory; the first to try where that is short. "bf16":
      likewise without such scales, for numbers side by side that differ by more than nine decades. "int8": a quarter of
      the memory; numbers below 1/254 of the largest of their 256 are lost. "sparse": of each 4,096 numbers only the
      largest, and what is left out is added to the next gradient, in one more buffer of the model's length; for long
      windows of large models and long runs. The update is exact for the gradients as stored.
    - `density` = 0.01: share of a gradient's entries that "sparse" keeps, rounded up in each 4,096: (0, 1]. It takes
      some `1 / density` steps for an entry to have its turn.
    - `lr` = 0.01: learning rate, >= 0. With the default power and no momentum the norm of u is at most 1, so that lr
      bounds the length of a step. The first thing to tune, over factors of 3. `set_lr` changes it between steps.
    - `eps` = 1e-6: added to the eigenvalues of MM', >= 0. Raise it towards the squared norm of the gradients to come
      nearer to plain gradient descent.
    - `eps_relative` = 0: adds this part of the largest eigenvalue to eps, >= 0. Use it (1e-9 to 1e-2) in place of eps
      where the gradients' scale is unknown or falls during training.
    - `power` = 0.5: p in f(x) = (x + eps)^-p, (0, 1]. 0.5 is Adagrad, 1 a natural gradient over the window.
    - `eps_on_root` = False: f(x) = 1/(x^p + eps) instead, to carry over an eps tuned for implementations that do so.
    - `rank_tol` = 1e-14: eigenvalues at or below this part of the largest are taken as absent, where v may leave the
      span of the window (gradient momentum, centering) or eps is 0: [0, 1). Raise it if such runs are noisy.
    - `centered` = False: subtract the mean of the stored gradients from each of them (not from v), for stochastic
      gradients whose mean is large against their spread.
    - `history_decay` = 1: weight of a stored gradient for each step of its age, (0, 1]. Below 1 old gradients fade
      instead of falling out.
    - `orthogonal_scale` = 0: factor on the part of v that the window does not span, >= 0. Of effect with gradient
      momentum or centering only.
    - `momentum_kind` = "none": what is averaged over time. "gradient": the gradients, before preconditioning. "update":
      the updates, after preconditioning and clipping. "window": the gradients in the window, at no cost; it needs
      `history_decay >= momentum`.
    - `momentum` = 0.9: weight of the past in that average, [0, 1).
    - `bias_correction` = True: divide the momentum by the sum of its weights, so that early steps are not short.
    - `clip_kind` = "none": how the length of an update is bounded or set. "norm": at most `clip_norm`. "ema_norm": at
      most `clip_factor` times the moving average of past norms. "graft_ema_norm": exactly that average. "ema_vector":
      at most `clip_factor` times the norm of the moving average of the updates. "graft_ema_vector": exactly that norm.
      "graft_input": as long as a step without preconditioning; with `diagonal_beta` that is as long as Adam's.
    - `clip_norm` = 1: largest norm of an update, for "norm": >= 0.
    - `clip_factor` = 1: factor on the reference of "ema_norm" and "ema_vector", >= 0.
    - `clip_beta` = 0.99: weight of the past in the moving averages behind the clips, [0, 1).
    - `weight_decay` = 0: decoupled; each step first multiplies the parameters by `1 - lr * weight_decay`. >= 0, and
      `lr * weight_decay` at most 1.
    - `threads` = 0: threads of a step, 0 for as many as the process may run on, 1 for the calling one only. The results
      are the same bits for any number; small models use one whatever it says.
    - `diagonal_beta` = 0: beta2 of diagonal preconditioning, after which Adam is spherical and lr is Adam's: [0, 1); 0
      is off. For deep networks, whose parameters' gradients differ by orders of magnitude: 0.95 to 0.999, with eps 0,
      eps_relative 1e-9 and diagonal_eps 1e-30. One more buffer of the model's length. Not with `centered`, nor with the
      clips by vectors.
    - `diagonal_eps` = 1e-16: what is added to the average of the squares, > 0.
    - `grad_scale` = 1: factor on every gradient before anything is done with it, >= 0: to undo the scale of a loss, or
      to average a gradient that was summed over several batches. `set_grad_scale` changes it between steps.
    - `grad_clip_norm` = 0: largest norm of a gradient, after grad_scale and over all blocks together, >= 0; a longer
      one is scaled down to it; 0 is off. Against single gradients that are orders of magnitude too long.
    - `average_beta` = 0: weight of the past in an average of the parameters, [0, 1); 0 is off. One more buffer of the
      model's length. `averaged_params` gives it; `direction`, which does not see the parameters, refuses it.
    """

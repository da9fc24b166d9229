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
    of lengths: each of these blocks, one after the other, has its own preconditioner, clip reference and scale, as if
    the block were a separate model. The constructor reserves all memory for the steps: about `history_size * dim`
    numbers in the format `history_format`. The memory is released with the object, by `close()`, or at the end of a
    `with` block. `copy`, `deepcopy` and `pickle` make a second optimizer in the same state.

    Only one thread at a time may use an optimizer: a call during another thread's call on the same optimizer raises
    BusyError. Different optimizers are independent. Calls release the GIL. A call that raises has changed nothing.

    Options. `w` are the parameters, `g` the gradient, `M` the matrix whose columns are the stored gradients, `M = U S
    V'`, `u = U f(S^2) U' v` the update, and `v` the gradient or a momentum of it. A value out of range raises
    InvalidArgumentError.

    - `history_size` = 10: k, the number of gradients in the window, 1 to 4096. A longer window covers more directions
      of curvature and takes more memory. Use 10 to 30 for small and stochastic problems, 100 for long runs.
    - `history_format` = "full": number format of the window. float64 allows only "full". The update is exact for the
      gradients as stored. "f16": half precision with a scale for each group of 256 numbers, half the memory; try it
      first if memory is short. "bf16": half the memory without scales, for neighbouring numbers that differ by more
      than nine decades. "int8": a quarter of the memory; numbers below 1/254 of the largest in their group of 256
      become zero. "sparse": only the largest numbers of each 4,096; the others are added to the next gradient, in one
      more buffer of the model's length; for long windows of large models and long runs.
    - `density` = 0.01: fraction of a gradient's entries that "sparse" keeps, rounded up in each 4,096: (0, 1]. An entry
      waits about `1 / density` steps before it enters the window.
    - `lr` = 0.01: learning rate, >= 0. With the default power and no momentum the norm of u is at most 1, so lr bounds
      the length of a step. Tune it first, in factors of 3. `set_lr` changes it between steps.
    - `eps` = 1e-6: added to the eigenvalues of MM', >= 0. A value near the squared norm of the gradients brings the
      update nearer to plain gradient descent.
    - `eps_relative` = 0: adds this fraction of the largest eigenvalue to eps, >= 0. Use it (1e-9 to 1e-2) instead of
      eps if the scale of the gradients is unknown or falls during training.
    - `power` = 0.5: p in f(x) = (x + eps)^-p, (0, 1]. 0.5 is Adagrad, 1 a natural gradient over the window.
    - `eps_on_root` = False: uses f(x) = 1/(x^p + eps) instead, for an eps tuned for implementations with this formula.
    - `rank_tol` = 1e-14: eigenvalues up to this fraction of the largest count as zero, if v may leave the span of the
      window (gradient momentum, centering) or eps is 0: [0, 1). Raise it if such runs are noisy.
    - `centered` = False: subtracts the mean of the stored gradients from each of them (not from v), for stochastic
      gradients whose mean is large compared with their spread.
    - `history_decay` = 1: the weight of a stored gradient is this number to the power of the gradient's age, (0, 1].
    - `orthogonal_scale` = 0: factor on the part of v outside the span of the window, >= 0. It has an effect only with
      gradient momentum or centering.
    - `momentum_kind` = "none": what momentum averages. "gradient": the gradients, before preconditioning. "update": the
      updates, after preconditioning and clipping. "window": the gradients in the window, at no cost; it needs
      `history_decay >= momentum`.
    - `momentum` = 0.9: weight of the past in the momentum, [0, 1).
    - `bias_correction` = True: divides the momentum by the sum of its weights, so that early steps are not too short.
    - `clip_kind` = "none": rule that bounds (clip) or sets (graft) the length of an update. "norm": at most
      `clip_norm`. "ema_norm": at most `clip_factor` times the moving average of past norms. "graft_ema_norm": exactly
      this average. "ema_vector": at most `clip_factor` times the norm of the moving average of the updates.
      "graft_ema_vector": exactly this norm. "graft_input": the length of a step without preconditioning; with
      `diagonal_beta` the length of Adam's step.
    - `clip_norm` = 1: largest norm of an update, for "norm": >= 0.
    - `clip_factor` = 1: factor on the reference of "ema_norm" and "ema_vector", >= 0.
    - `clip_beta` = 0.99: weight of the past in the moving averages of the clips, [0, 1).
    - `weight_decay` = 0: decoupled weight decay; each step first multiplies the parameters by `1 - lr * weight_decay`.
      >= 0, and `lr * weight_decay` at most 1.
    - `threads` = 0: largest number of threads of a step, including the calling thread. 0: one for each processor that
      the process may use. 1: the calling thread only. Results have the same bits for any number. Small models use one
      thread.
    - `diagonal_beta` = 0: beta2 of diagonal preconditioning, Adam's second moment: [0, 1); 0 is off. lr is then on
      Adam's scale. For deep networks, whose gradients differ by orders of magnitude between parameters, use 0.95 to
      0.999 with eps 0, eps_relative 1e-9 and diagonal_eps 1e-30. Takes one more buffer of the model's length. Cannot be
      combined with `centered` or with the clips by vectors.
    - `diagonal_eps` = 1e-16: added to the second moment of diagonal preconditioning, > 0.
    - `grad_scale` = 1: factor on every gradient, applied first, >= 0. Use it to remove the scale of a loss, or to turn
      a sum of gradients into a mean. `set_grad_scale` changes it between steps.
    - `grad_clip_norm` = 0: largest norm of a gradient after grad_scale, over all blocks, >= 0; longer gradients are
      scaled down to this norm; 0 is off. Use it against single gradients that are orders of magnitude too long.
    - `average_beta` = 0: weight of the past in the average of the parameters, [0, 1); 0 is off. Takes one more buffer
      of the model's length. `averaged_params` returns the average. `direction` fails with this option, because it does
      not see the parameters.
    """

package lmada

// #include <lmada.h>
import "C"

import (
	"fmt"
	"math"
)

// Option is an argument of New, NewBlocks, Memory and [Optimizer.Set]. Options that are not given have the library's
// defaults, or with Set their current values. The library checks all values, used or not. A value out of range is
// [ErrInvalidArgument], and the message names the option.
type Option func(*settings)

// settings collects the options of one call.
type settings struct {
	recommended bool
	fields      []func(*C.lmada_config_t)
	bad         string // message about a value that this package refuses
}

func field(set func(*C.lmada_config_t)) Option {
	return func(s *settings) { s.fields = append(s.fields, set) }
}

// count is field for numbers that are int in Go and uint32 in the library.
func count(name string, value int, set func(*C.lmada_config_t, C.uint32_t)) Option {
	if value < 0 || uint64(value) > math.MaxUint32 {
		return func(s *settings) { s.bad = fmt.Sprintf("config.%s is %d: expected a 32-bit number >= 0", name, value) }
	}
	return field(func(c *C.lmada_config_t) { set(c, C.uint32_t(value)) })
}

// WithRecommended starts from the options that trained best in the library's own measurements, instead of the defaults.
// Other options change them, in any order. The options use diagonal preconditioning, which excludes WithCentered and
// the clips by EMA vectors. The learning rate is on Adam's scale.
func WithRecommended() Option { return func(s *settings) { s.recommended = true } }

// WithHistorySize sets k, the number of gradients in the window: 1 to 4096, default 10. The window takes k numbers a
// parameter, in the history format.
func WithHistorySize(k int) Option {
	return count("history_size", k, func(c *C.lmada_config_t, k C.uint32_t) { c.history_size = k })
}

// HistoryFormat is the number format of the window. The update is exact for the gradients as stored. All formats except
// HistoryFull need float32.
type HistoryFormat int32

// The values of HistoryFormat.
const (
	HistoryFull   HistoryFormat = C.LMADA_HISTORY_FULL   // as given
	HistoryBF16   HistoryFormat = C.LMADA_HISTORY_BF16   // bfloat16, 2 bytes a number
	HistoryF16    HistoryFormat = C.LMADA_HISTORY_F16    // half precision with a scale for each 256, 2 bytes a number
	HistoryInt8   HistoryFormat = C.LMADA_HISTORY_INT8   // 8-bit integers with a scale for each 256, 1 byte a number
	HistorySparse HistoryFormat = C.LMADA_HISTORY_SPARSE // the largest of each 4,096 only, with error feedback
)

// WithHistoryFormat sets the number format of the window. Default HistoryFull.
func WithHistoryFormat(format HistoryFormat) Option {
	return field(func(c *C.lmada_config_t) { c.history_format = C.lmada_history_format_t(format) })
}

// WithDensity sets the fraction of a gradient's entries that HistorySparse keeps, rounded up in each 4,096: (0, 1],
// default 0.01. An entry waits about 1/density steps before it enters the window.
func WithDensity(density float64) Option {
	return field(func(c *C.lmada_config_t) { c.density = C.double(density) })
}

// WithLR sets the learning rate: >= 0, default 1e-2. Tune it first, in factors of 3.
func WithLR(lr float64) Option {
	return field(func(c *C.lmada_config_t) { c.lr = C.double(lr) })
}

// WithEps sets ε, which is added to the eigenvalues of MMᵀ: >= 0, default 1e-6.
func WithEps(eps float64) Option {
	return field(func(c *C.lmada_config_t) { c.eps = C.double(eps) })
}

// WithEpsRelative adds this fraction of the largest eigenvalue of MMᵀ to ε: >= 0, default 0.
func WithEpsRelative(part float64) Option {
	return field(func(c *C.lmada_config_t) { c.eps_relative = C.double(part) })
}

// WithPower sets p of the preconditioner (MMᵀ + εI)^(-p): (0, 1], default 0.5.
func WithPower(p float64) Option {
	return field(func(c *C.lmada_config_t) { c.power = C.double(p) })
}

// WithEpsOnRoot adds ε to the root of the eigenvalues instead of the eigenvalues, as some other implementations do.
// Default false.
func WithEpsOnRoot(on bool) Option {
	return field(func(c *C.lmada_config_t) { c.eps_on_root = C.bool(on) })
}

// WithRankTol sets the fraction of the largest eigenvalue up to which eigenvalues count as zero, if momentum or
// centering leave the span of the window or ε is 0: [0, 1), default 1e-14.
func WithRankTol(part float64) Option {
	return field(func(c *C.lmada_config_t) { c.rank_tol = C.double(part) })
}

// WithCentered subtracts the mean of the stored gradients from each of them. Default false.
func WithCentered(on bool) Option {
	return field(func(c *C.lmada_config_t) { c.centered = C.bool(on) })
}

// WithHistoryDecay sets the weight of a stored gradient for each step of its age: (0, 1], default 1.
func WithHistoryDecay(decay float64) Option {
	return field(func(c *C.lmada_config_t) { c.history_decay = C.double(decay) })
}

// WithOrthogonalScale sets the factor on the part of the vector outside the span of the window: >= 0, default 0.
func WithOrthogonalScale(scale float64) Option {
	return field(func(c *C.lmada_config_t) { c.orthogonal_scale = C.double(scale) })
}

// MomentumKind is the quantity that momentum averages.
type MomentumKind int32

const (
	MomentumNone     MomentumKind = C.LMADA_MOMENTUM_NONE     // nothing
	MomentumGradient MomentumKind = C.LMADA_MOMENTUM_GRADIENT // the gradients, before preconditioning
	MomentumUpdate   MomentumKind = C.LMADA_MOMENTUM_UPDATE   // the updates, after preconditioning and clipping
	MomentumWindow   MomentumKind = C.LMADA_MOMENTUM_WINDOW   // the gradients in the window; costs nothing
)

// WithMomentumKind sets the quantity that momentum averages. Default MomentumNone.
func WithMomentumKind(kind MomentumKind) Option {
	return field(func(c *C.lmada_config_t) { c.momentum_kind = C.lmada_momentum_t(kind) })
}

// WithMomentum sets β of the momentum: [0, 1), default 0.9.
func WithMomentum(beta float64) Option {
	return field(func(c *C.lmada_config_t) { c.momentum = C.double(beta) })
}

// WithBiasCorrection divides the momentum by the sum of its weights. Default true.
func WithBiasCorrection(on bool) Option {
	return field(func(c *C.lmada_config_t) { c.bias_correction = C.bool(on) })
}

// ClipKind is the rule that bounds (clip) or sets (graft) the length of an update.
type ClipKind int32

const (
	ClipNone       ClipKind = C.LMADA_CLIP_NONE        // not at all
	ClipNorm       ClipKind = C.LMADA_CLIP_NORM        // at most WithClipNorm
	ClipEMANorm    ClipKind = C.LMADA_CLIP_EMA_NORM    // at most WithClipFactor times the average of past norms
	GraftEMANorm   ClipKind = C.LMADA_GRAFT_EMA_NORM   // to the average of past norms
	ClipEMAVector  ClipKind = C.LMADA_CLIP_EMA_VECTOR  // at most WithClipFactor times the norm of the average update
	GraftEMAVector ClipKind = C.LMADA_GRAFT_EMA_VECTOR // to the norm of the average update
	GraftInput     ClipKind = C.LMADA_GRAFT_INPUT      // to the norm of the vector being preconditioned
)

// WithClipKind sets the rule for the length of an update. Default ClipNone.
func WithClipKind(kind ClipKind) Option {
	return field(func(c *C.lmada_config_t) { c.clip_kind = C.lmada_clip_t(kind) })
}

// WithClipNorm sets the largest norm of an update, for ClipNorm: >= 0, default 1.
func WithClipNorm(norm float64) Option {
	return field(func(c *C.lmada_config_t) { c.clip_norm = C.double(norm) })
}

// WithClipFactor sets the factor on the reference norm, for ClipEMANorm and ClipEMAVector: >= 0, default 1.
func WithClipFactor(factor float64) Option {
	return field(func(c *C.lmada_config_t) { c.clip_factor = C.double(factor) })
}

// WithClipBeta sets β of the averages of the EMA kinds: [0, 1), default 0.99.
func WithClipBeta(beta float64) Option {
	return field(func(c *C.lmada_config_t) { c.clip_beta = C.double(beta) })
}

// WithWeightDecay sets decoupled weight decay: each step first multiplies the parameters by 1 - lr*decay. decay is >=
// 0, lr*decay at most 1. Default 0.
func WithWeightDecay(decay float64) Option {
	return field(func(c *C.lmada_config_t) { c.weight_decay = C.double(decay) })
}

// WithThreads sets the largest number of threads of a step, including the calling thread. 0 means one for each
// processor that the process may use, 1 the calling thread only. Default 0. Results have the same bits for any number.
func WithThreads(threads int) Option {
	return count("threads", threads, func(c *C.lmada_config_t, n C.uint32_t) { c.threads = n })
}

// WithDiagonalBeta sets β₂ of diagonal preconditioning, Adam's second moment: [0, 1). Default 0: off. The learning rate
// is then on Adam's scale. For deep networks, whose gradients differ by orders of magnitude between parameters, use
// 0.95 to 0.999 with eps 0, eps_relative 1e-9 and diagonal_eps 1e-30. Cannot be combined with centered columns or with
// the clips by EMA vectors.
func WithDiagonalBeta(beta float64) Option {
	return field(func(c *C.lmada_config_t) { c.diagonal_beta = C.double(beta) })
}

// WithDiagonalEps sets the number that diagonal preconditioning adds to the second moment, above 0. Default 1e-16.
func WithDiagonalEps(eps float64) Option {
	return field(func(c *C.lmada_config_t) { c.diagonal_eps = C.double(eps) })
}

// WithGradScale sets the factor on every gradient, applied first: >= 0, default 1. Use it to remove the scale of a
// loss, or to turn a sum of gradients into a mean. [Optimizer.SetGradScale] changes the factor between steps.
func WithGradScale(scale float64) Option {
	return field(func(c *C.lmada_config_t) { c.grad_scale = C.double(scale) })
}

// WithGradClipNorm sets the largest norm of a gradient, over all blocks: >= 0. Longer gradients are scaled down to this
// norm. Default 0: off.
func WithGradClipNorm(norm float64) Option {
	return field(func(c *C.lmada_config_t) { c.grad_clip_norm = C.double(norm) })
}

// WithAverageBeta sets β of the average of the parameters, which [Optimizer.AveragedParams] returns: [0, 1). Default 0:
// off.
func WithAverageBeta(beta float64) Option {
	return field(func(c *C.lmada_config_t) { c.average_beta = C.double(beta) })
}

// newConfig returns the library's defaults, changed by opts.
func newConfig[T Float](op string, opts []Option) (C.lmada_config_t, error) {
	return configFrom[T](op, opts, func(config *C.lmada_config_t) C.lmada_status_t {
		return C.lmada_config_init(config, C.sizeof_lmada_config_t)
	})
}

// configFrom returns the options from start, or the recommended ones if opts has WithRecommended, changed by opts.
func configFrom[T Float](
	op string, opts []Option, start func(*C.lmada_config_t) C.lmada_status_t,
) (C.lmada_config_t, error) {
	var s settings
	for _, opt := range opts {
		opt(&s)
	}
	var config C.lmada_config_t
	if s.bad != "" {
		return config, &Error{Op: op, Status: ErrInvalidArgument, Message: s.bad}
	}
	var status C.lmada_status_t
	if s.recommended {
		status = C.lmada_config_recommended(&config, C.sizeof_lmada_config_t)
	} else {
		status = start(&config)
	}
	if status != C.LMADA_OK {
		return config, failure(op, status)
	}
	for _, set := range s.fields {
		set(&config)
	}
	config.dtype = C.LMADA_F64
	if single[T]() {
		config.dtype = C.LMADA_F32
	}
	return config, nil
}

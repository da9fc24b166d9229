package lmada

// #include <lmada.h>
import "C"

import (
	"fmt"
	"math"
)

// Option is an argument of New, NewBlocks, Memory and [Optimizer.Set]. What is not given has the library's default, and
// with Set the optimizer's present value. Values are checked by the library: one out of range, used or not, is
// [ErrInvalidArgument], and the message names it.
type Option func(*settings)

// settings collects the options of one call.
type settings struct {
	recommended bool
	fields      []func(*C.lmada_config_t)
	bad         string // what is wrong with a value that does not reach the library
}

func field(set func(*C.lmada_config_t)) Option {
	return func(s *settings) { s.fields = append(s.fields, set) }
}

// count is field for numbers that Go users hold as int and the library as uint32.
func count(name string, value int, set func(*C.lmada_config_t, C.uint32_t)) Option {
	if value < 0 || uint64(value) > math.MaxUint32 {
		return func(s *settings) { s.bad = fmt.Sprintf("config.%s is %d: expected a 32-bit number >= 0", name, value) }
	}
	return field(func(c *C.lmada_config_t) { set(c, C.uint32_t(value)) })
}

// WithRecommended starts from the setting that trained best in the library's own measurements, in place of the
// defaults. Other options change it, wherever it stands among them. It uses diagonal preconditioning, which rules out
// WithCentered and the clips by EMA vectors; its learning rate is Adam's.
func WithRecommended() Option { return func(s *settings) { s.recommended = true } }

// WithHistorySize sets k, the number of gradients kept: 1 to 4096, default 10. Memory is k numbers a parameter, in as
// many bytes as the history format has for them.
func WithHistorySize(k int) Option {
	return count("history_size", k, func(c *C.lmada_config_t, k C.uint32_t) { c.history_size = k })
}

// HistoryFormat is how the gradients are kept. The update is exact for the gradients as stored. All but HistoryFull are
// for float32 only.
type HistoryFormat int32

// The values of HistoryFormat.
const (
	HistoryFull   HistoryFormat = C.LMADA_HISTORY_FULL   // as given
	HistoryBF16   HistoryFormat = C.LMADA_HISTORY_BF16   // bfloat16, 2 bytes a number
	HistoryF16    HistoryFormat = C.LMADA_HISTORY_F16    // half precision with a scale for each 256, 2 bytes a number
	HistoryInt8   HistoryFormat = C.LMADA_HISTORY_INT8   // 8-bit integers with a scale for each 256, 1 byte a number
	HistorySparse HistoryFormat = C.LMADA_HISTORY_SPARSE // the largest of each 4,096 only, with error feedback
)

// WithHistoryFormat sets how the gradients are kept. Default HistoryFull.
func WithHistoryFormat(format HistoryFormat) Option {
	return field(func(c *C.lmada_config_t) { c.history_format = C.lmada_history_format_t(format) })
}

// WithDensity sets the share of a gradient's entries that HistorySparse keeps, rounded up in each 4,096: (0, 1],
// default 0.01. It takes some 1/density steps for an entry to have its turn.
func WithDensity(density float64) Option {
	return field(func(c *C.lmada_config_t) { c.density = C.double(density) })
}

// WithLR sets the learning rate: >= 0, default 1e-2. The first thing to tune, over factors of 3.
func WithLR(lr float64) Option {
	return field(func(c *C.lmada_config_t) { c.lr = C.double(lr) })
}

// WithEps sets ε, which is added to the eigenvalues of MMᵀ: >= 0, default 1e-6.
func WithEps(eps float64) Option {
	return field(func(c *C.lmada_config_t) { c.eps = C.double(eps) })
}

// WithEpsRelative adds this part of the largest eigenvalue of MMᵀ to ε: >= 0, default 0.
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

// WithRankTol takes eigenvalues up to this part of the largest as absent, where momentum or centering leave the span
// of the window or ε is 0: [0, 1), default 1e-14.
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

// WithOrthogonalScale sets the factor on what the stored gradients do not span: >= 0, default 0.
func WithOrthogonalScale(scale float64) Option {
	return field(func(c *C.lmada_config_t) { c.orthogonal_scale = C.double(scale) })
}

// MomentumKind is what is averaged over time.
type MomentumKind int32

const (
	MomentumNone     MomentumKind = C.LMADA_MOMENTUM_NONE     // nothing
	MomentumGradient MomentumKind = C.LMADA_MOMENTUM_GRADIENT // the gradients, before preconditioning
	MomentumUpdate   MomentumKind = C.LMADA_MOMENTUM_UPDATE   // the updates, after preconditioning and clipping
	MomentumWindow   MomentumKind = C.LMADA_MOMENTUM_WINDOW   // the gradients in the window; costs nothing
)

// WithMomentumKind sets what is averaged over time. Default MomentumNone.
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

// ClipKind is how the length of an update is bounded or set.
type ClipKind int32

const (
	ClipNone       ClipKind = C.LMADA_CLIP_NONE        // not at all
	ClipNorm       ClipKind = C.LMADA_CLIP_NORM        // at most WithClipNorm
	ClipEMANorm    ClipKind = C.LMADA_CLIP_EMA_NORM    // at most WithClipFactor times the average of past norms
	GraftEMANorm   ClipKind = C.LMADA_GRAFT_EMA_NORM   // to the average of past norms
	ClipEMAVector  ClipKind = C.LMADA_CLIP_EMA_VECTOR  // at most WithClipFactor times the norm of the average update
	GraftEMAVector ClipKind = C.LMADA_GRAFT_EMA_VECTOR // to the norm of the average update
	GraftInput     ClipKind = C.LMADA_GRAFT_INPUT      // to the norm of what is preconditioned
)

// WithClipKind sets how the length of an update is bounded or set. Default ClipNone.
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

// WithClipBeta sets β of the averages behind the EMA kinds: [0, 1), default 0.99.
func WithClipBeta(beta float64) Option {
	return field(func(c *C.lmada_config_t) { c.clip_beta = C.double(beta) })
}

// WithWeightDecay sets decoupled weight decay: each step first multiplies the parameters by 1 - lr*decay. >= 0, lr*decay
// at most 1, default 0.
func WithWeightDecay(decay float64) Option {
	return field(func(c *C.lmada_config_t) { c.weight_decay = C.double(decay) })
}

// WithThreads sets the threads of a step, the calling one included: 0 for as many as the process may run on, 1 for the
// calling thread only. Default 0. The results are the same bits for any number.
func WithThreads(threads int) Option {
	return count("threads", threads, func(c *C.lmada_config_t, n C.uint32_t) { c.threads = n })
}

// WithDiagonalBeta sets beta2 of diagonal preconditioning, after which Adam is spherical and the learning rate is
// Adam's: [0, 1). Default 0: off. For deep networks, whose parameters' gradients differ by orders of magnitude: 0.95 to
// 0.999, with eps 0, eps_relative 1e-9 and diagonal_eps 1e-30. Not with centered columns, nor with the clips by EMA
// vectors.
func WithDiagonalBeta(beta float64) Option {
	return field(func(c *C.lmada_config_t) { c.diagonal_beta = C.double(beta) })
}

// WithDiagonalEps sets what diagonal preconditioning adds to the average of the squares, above 0. Default 1e-16.
func WithDiagonalEps(eps float64) Option {
	return field(func(c *C.lmada_config_t) { c.diagonal_eps = C.double(eps) })
}

// WithGradScale sets the factor on every gradient before anything is done with it: >= 0, default 1. It undoes the scale
// of a loss, or averages a gradient that was summed. [Optimizer.SetGradScale] changes it between steps.
func WithGradScale(scale float64) Option {
	return field(func(c *C.lmada_config_t) { c.grad_scale = C.double(scale) })
}

// WithGradClipNorm sets the largest norm of a gradient, over all blocks together: >= 0. A longer one is scaled down to
// it. Default 0: off.
func WithGradClipNorm(norm float64) Option {
	return field(func(c *C.lmada_config_t) { c.grad_clip_norm = C.double(norm) })
}

// WithAverageBeta sets β of an average of the parameters, which [Optimizer.AveragedParams] gives: [0, 1). Default 0:
// off.
func WithAverageBeta(beta float64) Option {
	return field(func(c *C.lmada_config_t) { c.average_beta = C.double(beta) })
}

// newConfig is the library's options with opts put in.
func newConfig[T Float](op string, opts []Option) (C.lmada_config_t, error) {
	return configFrom[T](op, opts, func(config *C.lmada_config_t) C.lmada_status_t {
		return C.lmada_config_init(config, C.sizeof_lmada_config_t)
	})
}

// configFrom is what start fills in, or the recommended setting if opts ask for it, with opts put in.
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

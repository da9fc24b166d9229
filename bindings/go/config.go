package lmada

// #include <lmada.h>
import "C"

// Config has all options of an optimizer. Each With function documents its option.
type Config struct {
	// options: generated from src/config.rs by `make option-lists`
	HistorySize     int
	HistoryFormat   HistoryFormat
	Density         float64
	LR              float64
	Eps             float64
	EpsRelative     float64
	Power           float64
	EpsOnRoot       bool
	RankTol         float64
	Centered        bool
	HistoryDecay    float64
	OrthogonalScale float64
	MomentumKind    MomentumKind
	Momentum        float64
	BiasCorrection  bool
	ClipKind        ClipKind
	ClipNorm        float64
	ClipFactor      float64
	ClipBeta        float64
	WeightDecay     float64
	Threads         int
	DiagonalBeta    float64
	DiagonalEps     float64
	GradScale       float64
	GradClipNorm    float64
	AverageBeta     float64
	// options: end
}

func configOf(c *C.lmada_config_t) Config {
	return Config{
		// options: generated from src/config.rs by `make option-lists`
		HistorySize:     int(c.history_size),
		HistoryFormat:   HistoryFormat(c.history_format),
		Density:         float64(c.density),
		LR:              float64(c.lr),
		Eps:             float64(c.eps),
		EpsRelative:     float64(c.eps_relative),
		Power:           float64(c.power),
		EpsOnRoot:       bool(c.eps_on_root),
		RankTol:         float64(c.rank_tol),
		Centered:        bool(c.centered),
		HistoryDecay:    float64(c.history_decay),
		OrthogonalScale: float64(c.orthogonal_scale),
		MomentumKind:    MomentumKind(c.momentum_kind),
		Momentum:        float64(c.momentum),
		BiasCorrection:  bool(c.bias_correction),
		ClipKind:        ClipKind(c.clip_kind),
		ClipNorm:        float64(c.clip_norm),
		ClipFactor:      float64(c.clip_factor),
		ClipBeta:        float64(c.clip_beta),
		WeightDecay:     float64(c.weight_decay),
		Threads:         int(c.threads),
		DiagonalBeta:    float64(c.diagonal_beta),
		DiagonalEps:     float64(c.diagonal_eps),
		GradScale:       float64(c.grad_scale),
		GradClipNorm:    float64(c.grad_clip_norm),
		AverageBeta:     float64(c.average_beta),
		// options: end
	}
}

// Config returns the current options, including the learning rate.
func (o *Optimizer[T]) Config() (Config, error) {
	const op = "Config"
	if err := o.enter(op); err != nil {
		return Config{}, err
	}
	defer o.leave()
	var config C.lmada_config_t
	if err := failure(op, getConfig(o.handle, &config)); err != nil {
		return Config{}, err
	}
	return configOf(&config), nil
}

// Set changes options for the next steps. Options that are not given keep their values. Set returns
// [ErrInvalidArgument] for changes that would change the layout of the state: history size, format and density, the
// momentum kind, diagonal beta and average beta to or from 0, the clip kind to or from an average of updates.
func (o *Optimizer[T]) Set(opts ...Option) error {
	const op = "Set"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	config, err := configFrom[T](op, opts, func(now *C.lmada_config_t) C.lmada_status_t {
		return getConfig(o.handle, now)
	})
	if err != nil {
		return err
	}
	return failure(op, C.lmada_set_config(o.handle, &config))
}

func getConfig(handle *C.lmada_t, config *C.lmada_config_t) C.lmada_status_t {
	return C.lmada_get_config(handle, config, C.sizeof_lmada_config_t)
}

// SetGradScale sets the factor on the gradients of the next steps, for a loss whose scale changes.
func (o *Optimizer[T]) SetGradScale(scale float64) error {
	const op = "SetGradScale"
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_set_grad_scale(o.handle, C.double(scale)))
}

// Group is a range of parameters with its own factors on learning rate and weight decay. There are no defaults, so the
// zero value freezes the range: with LRScale 0 the library does not read the gradient, which counts as zeros, and does
// not move the parameters.
type Group struct {
	Offset, Len               int
	LRScale, WeightDecayScale float64
}

// SetGroups replaces all parameter groups, for the next steps. An empty groups removes them. Groups must be disjoint
// and may be in any order. Parameters in no group have factors of 1. A saved state includes the groups.
func (o *Optimizer[T]) SetGroups(groups []Group) error {
	const op = "SetGroups"
	list := make([]C.lmada_group_t, len(groups))
	for i, group := range groups {
		if group.Offset < 0 || group.Len < 0 {
			return invalid(op, "groups[%d] begins at %d and has length %d: expected at least 0", i, group.Offset, group.Len)
		}
		list[i] = C.lmada_group_t{
			offset: C.size_t(group.Offset), len: C.size_t(group.Len),
			lr_scale: C.double(group.LRScale), weight_decay_scale: C.double(group.WeightDecayScale),
		}
	}
	if err := o.enter(op); err != nil {
		return err
	}
	defer o.leave()
	return failure(op, C.lmada_set_groups(o.handle, first(list), C.sizeof_lmada_group_t, C.size_t(len(list))))
}

// ScheduleKind is the shape of a learning rate schedule after the warm-up.
type ScheduleKind int32

// The values of ScheduleKind.
const (
	ScheduleConstant ScheduleKind = C.LMADA_SCHEDULE_CONSTANT // stays at the peak
	ScheduleLinear   ScheduleKind = C.LMADA_SCHEDULE_LINEAR   // falls linearly to 0 at the last step
	ScheduleCosine   ScheduleKind = C.LMADA_SCHEDULE_COSINE   // falls to 0 along half a period of a cosine
)

// Schedule returns the learning rate of step number step, from 1. The rate rises from peak/warmup over warmup steps,
// then follows kind, and is 0 beyond step total. Schedule returns NaN, which SetLR refuses, for arguments out of range.
func Schedule(kind ScheduleKind, peak float64, step, warmup, total uint64) float64 {
	return float64(C.lmada_schedule(
		C.lmada_schedule_t(kind), C.double(peak), C.uint64_t(step), C.uint64_t(warmup), C.uint64_t(total)))
}

// Memory returns the bytes that an optimizer for dim parameters would hold, without making one.
func Memory[T Float](dim int, opts ...Option) (uint64, error) {
	const op = "Memory"
	if dim < 0 {
		return 0, invalid(op, "dim is %d: expected at least 1", dim)
	}
	enterLibrary()
	defer leaveLibrary()
	config, err := newConfig[T](op, opts)
	if err != nil {
		return 0, err
	}
	var bytes C.uint64_t
	if err := failure(op, C.lmada_memory(&config, C.size_t(dim), &bytes)); err != nil {
		return 0, err
	}
	return uint64(bytes), nil
}

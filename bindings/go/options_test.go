package lmada

import (
	"fmt"
	"reflect"
	"testing"
)

// fields returns the configuration that the library will get, by field name.
func fields[T Float](t *testing.T, opts ...Option) map[string]string {
	t.Helper()
	config, err := newConfig[T]("New", opts)
	must(t, err)
	value := reflect.ValueOf(config)
	all := map[string]string{}
	for i := 0; i < value.NumField(); i++ {
		if name := value.Type().Field(i).Name; name != "_" {
			all[name] = fmt.Sprint(value.Field(i))
		}
	}
	return all
}

func TestEveryOptionSetsItsFieldAndNoOther(t *testing.T) {
	defaults := fields[float32](t)
	seen := map[string]bool{"struct_size": true, "dtype": true}
	for _, test := range []struct {
		field  string
		option Option
		want   string
	}{
		{"history_size", WithHistorySize(30), "30"},
		{"history_format", WithHistoryFormat(HistoryInt8), "3"},
		{"density", WithDensity(0.5), "0.5"},
		{"lr", WithLR(0.25), "0.25"},
		{"eps", WithEps(0.125), "0.125"},
		{"eps_relative", WithEpsRelative(0.75), "0.75"},
		{"power", WithPower(0.25), "0.25"},
		{"eps_on_root", WithEpsOnRoot(true), "true"},
		{"rank_tol", WithRankTol(0.5), "0.5"},
		{"centered", WithCentered(true), "true"},
		{"history_decay", WithHistoryDecay(0.5), "0.5"},
		{"orthogonal_scale", WithOrthogonalScale(2), "2"},
		{"momentum_kind", WithMomentumKind(MomentumWindow), "3"},
		{"momentum", WithMomentum(0.5), "0.5"},
		{"bias_correction", WithBiasCorrection(false), "false"},
		{"clip_kind", WithClipKind(GraftEMAVector), "5"},
		{"clip_norm", WithClipNorm(3), "3"},
		{"clip_factor", WithClipFactor(4), "4"},
		{"clip_beta", WithClipBeta(0.5), "0.5"},
		{"weight_decay", WithWeightDecay(0.25), "0.25"},
		{"clip_kind", WithClipKind(GraftInput), "6"},
		{"threads", WithThreads(3), "3"},
		{"diagonal_beta", WithDiagonalBeta(0.5), "0.5"},
		{"diagonal_eps", WithDiagonalEps(0.25), "0.25"},
		{"grad_scale", WithGradScale(0.5), "0.5"},
		{"grad_clip_norm", WithGradClipNorm(2), "2"},
		{"average_beta", WithAverageBeta(0.5), "0.5"},
	} {
		seen[test.field] = true
		want := map[string]string{}
		for name, value := range defaults {
			want[name] = value
		}
		if want[test.field] == test.want {
			t.Errorf("%s: the test's value is the default", test.field)
		}
		want[test.field] = test.want
		if got := fields[float32](t, test.option); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", test.field, got, want)
		}
	}
	for name := range defaults {
		if !seen[name] {
			t.Errorf("the library has an option %s that this package lacks", name)
		}
	}
}

func TestTheElementTypeSetsDtype(t *testing.T) {
	for _, got := range []string{fields[float32](t)["dtype"], fields[single32](t)["dtype"]} {
		if got != "0" {
			t.Errorf("dtype of a 32-bit type is %s", got)
		}
	}
	for _, got := range []string{fields[float64](t)["dtype"], fields[double64](t)["dtype"]} {
		if got != "1" {
			t.Errorf("dtype of a 64-bit type is %s", got)
		}
	}
}

func TestRecommendedIsABaseWhereverItStands(t *testing.T) {
	want := fields[float32](t, WithRecommended())
	if reflect.DeepEqual(want, fields[float32](t)) {
		t.Error("what is recommended are the defaults")
	}
	want["lr"], want["eps"] = "0.375", "0.5"
	for _, opts := range [][]Option{
		{WithRecommended(), WithLR(0.375), WithEps(0.5)},
		{WithLR(0.375), WithRecommended(), WithEps(0.5)},
		{WithLR(9), WithEps(0.5), WithLR(0.375), WithRecommended()},
	} {
		if got := fields[float32](t, opts...); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

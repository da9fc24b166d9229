package lmada

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// reserved returns the size of the process's address space in bytes. Memory that an optimizer reserves is not resident
// before it is used.
func reserved(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	must(t, err)
	var pages int
	_, err = fmt.Sscan(string(text), &pages)
	must(t, err)
	return pages * os.Getpagesize()
}

// The garbage collector frees optimizers that nobody closes.
func TestTheFinalizerFrees(t *testing.T) {
	// Bytes each, at the least: so many that the 64 MiB which the C library reserves for a thread's heap, and may at
	// any time, do not matter beside them.
	const count, size = 24, 32 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before := reserved(t)
	for i := 0; i < count; i++ {
		opt, err := New[float64](size/8/10, WithThreads(1))
		must(t, err)
		if s := stats(t, opt); s.StateBytes < size {
			t.Fatalf("stats: %+v", s)
		}
	}
	if grown := reserved(t) - before; grown < count*size*9/10 {
		t.Fatalf("%d optimizers take %d bytes: this test would see nothing", count, grown)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		runtime.GC()
		grown := reserved(t) - before
		if grown < count*size/2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still there", grown)
		}
		time.Sleep(time.Millisecond)
	}
}

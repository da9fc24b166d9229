package lmada

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// resident returns the process's memory in bytes.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	must(t, err)
	var reserved, pages int
	_, err = fmt.Sscan(string(text), &reserved, &pages)
	must(t, err)
	return pages * os.Getpagesize()
}

// Optimizers that nobody closes are freed by the collector.
func TestTheFinalizerFrees(t *testing.T) {
	const count, size = 24, 8 << 20 // bytes each, at the least
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	before := resident(t)
	for i := 0; i < count; i++ {
		opt, err := New[float64](size/8/10, WithThreads(1))
		must(t, err)
		if s := stats(t, opt); s.StateBytes < size {
			t.Fatalf("stats: %+v", s)
		}
	}
	if grown := resident(t) - before; grown < count*size*9/10 {
		t.Fatalf("%d optimizers take %d bytes: this test would see nothing", count, grown)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		runtime.GC()
		grown := resident(t) - before
		if grown < count*size/2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still there", grown)
		}
		time.Sleep(time.Millisecond)
	}
}

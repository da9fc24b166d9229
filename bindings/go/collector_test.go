package lmada

import (
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// collecting runs f while another goroutine collects garbage again and again.
func collecting(f func()) {
	var stop int32
	var collector sync.WaitGroup
	collector.Add(1)
	go func() {
		defer collector.Done()
		for atomic.LoadInt32(&stop) == 0 {
			runtime.GC()
		}
	}()
	defer collector.Wait()
	defer atomic.StoreInt32(&stop, 1)
	f()
}

// freedAddresses returns addresses of freed Go memory. The runtime ends the program if the collector finds such an
// address in a pointer.
func freedAddresses(count int) []uintptr {
	addresses := make([]uintptr, count)
	for i := range addresses {
		addresses[i] = uintptr(unsafe.Pointer(&make([]byte, 1<<20)[0]))
	}
	runtime.GC()
	runtime.GC()
	return addresses
}

// A collection may run during LoadShares. C memory that was not cleared still holds bytes of states that were copied
// into it earlier: in this test, addresses that end the program.
func TestLoadSharesWhileCollecting(t *testing.T) {
	const states = 128
	opt := newT[float32](t, 2)
	addresses := freedAddresses(states)
	state := make([]byte, 8*states)
	for i, address := range addresses {
		binary.LittleEndian.PutUint64(state[8*i:], uint64(address))
	}
	list := make([][]byte, states)
	for i := range list {
		list[i] = state
	}
	collecting(func() {
		for i := 0; i < 500; i++ {
			if err := opt.LoadShares([]int{0}, list); !errors.Is(err, ErrBadState) {
				t.Fatal(err)
			}
		}
	})
}

var global = [4]float32{3, 3, 3, 3}

// Tensors may be anywhere in memory: next to Go pointers, or outside Go's memory (here from mmap, as from C).
func TestTensorsAnywhereWhileCollecting(t *testing.T) {
	type layer struct {
		name    *string
		weights [4]float32
		grads   [4]float32
		next    *layer
	}
	mapped, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	must(t, err)
	defer syscall.Munmap(mapped)
	outside := unsafe.Slice((*float32)(unsafe.Pointer(&mapped[0])), 8)
	name := "dense"
	inside := &layer{name: &name, next: &layer{}}
	var stack [8]float32
	params := [][]float32{global[:], outside[:4], inside.weights[:], nil, stack[:4], inside.next.weights[1:3], {}}
	grads := [][]float32{stack[4:], outside[4:], inside.grads[:], {}, inside.grads[:], outside[5:7], nil}
	var flat, gradient []float32
	for i := range params {
		for j := range params[i] {
			grads[i][j] = float32(i + 2*j + 1)
		}
	}
	for i := range params {
		flat, gradient = append(flat, params[i]...), append(gradient, grads[i]...)
	}
	opt, whole := newT[float32](t, len(flat)), newT[float32](t, len(flat))
	collecting(func() {
		for i := 0; i < 200; i++ {
			must(t, opt.StepTensors(params, grads))
			must(t, whole.Step(flat, gradient))
		}
	})
	rest := flat
	for i := range params {
		near(t, "params", params[i], rest[:len(params[i])], 1e-4)
		rest = rest[len(params[i]):]
	}
	if *inside.name != "dense" {
		t.Error("the neighbours were touched")
	}
}

// collected waits until the finalizer of an object has run.
func collected(t *testing.T, gone <-chan bool) {
	t.Helper()
	for i := 0; i < 1000; i++ {
		runtime.GC()
		select {
		case <-gone:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("it is still there")
}

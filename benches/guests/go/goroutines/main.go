package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"guests/bench"
)

// The golden guest of this name, with more iterations in each goroutine.
var iterations = "2500000"

func main() {
	n := bench.Iterations(iterations)
	runtime.GOMAXPROCS(4)
	var wg sync.WaitGroup
	var ctr atomic.Uint64
	var c32 atomic.Uint32
	var mu sync.Mutex
	m := map[int]uint64{}
	ch := make(chan uint64, 8)
	for g := 0; g < 8; g++ {
		wg.Add(1)
		go func(g int) {
			defer wg.Done()
			x := uint64(g)*0x9E3779B97F4A7C15 + 1
			for i := 0; i < n; i++ {
				x ^= x << 13
				x ^= x >> 7
				x ^= x << 17
				ctr.Add(x & 0xff)
				c32.Add(1)
				if i%100 == 0 {
					mu.Lock()
					m[g] += x
					mu.Unlock()
					ch <- x
					runtime.Gosched()
				}
				if i == n/2 {
					time.Sleep(time.Millisecond)
				}
			}
		}(g)
	}
	var sum uint64
	done := make(chan struct{})
	go func() {
		for v := range ch {
			sum += v
		}
		close(done)
	}()
	wg.Wait()
	close(ch)
	<-done
	t := time.NewTimer(5 * time.Millisecond)
	<-t.C
	fmt.Println(ctr.Load(), c32.Load(), len(m), sum)
}

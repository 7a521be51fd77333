// Package bench holds what the benchmark guests share.
package bench

import (
	"runtime"
	"strconv"
)

// Iterations reads the linker variable `main.iterations`. It also leaves Go one processor, as in
// the VM, so that the same work is done where there are more.
func Iterations(text string) int {
	runtime.GOMAXPROCS(1)
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

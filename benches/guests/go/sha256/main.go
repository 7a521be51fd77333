package main

import (
	"crypto/sha256"
	"fmt"

	"guests/bench"
)

// SHA-256 of short and of long data, as the standard library does it in Go.
var iterations = "1500"

func main() {
	data := make([]byte, 8192)
	var digest [32]byte
	for i := bench.Iterations(iterations); i > 0; i-- {
		digest = sha256.Sum256(data)
		copy(data[i*32%len(data):], digest[:])
		for j := 0; j < 16; j++ {
			digest = sha256.Sum256(digest[:])
		}
		copy(data[i*64%len(data):], digest[:])
	}
	fmt.Printf("%x\n", digest)
}

package main

import (
	"fmt"
	"hash/fnv"
	"io"
	"sort"
	"strings"

	"guests/bench"
)

// The golden guest of this name, again and again with other numbers.
var iterations = "40"

func main() {
	x := uint64(0x9E3779B97F4A7C15)
	sum := fnv.New64a()
	for i := bench.Iterations(iterations); i > 0; i-- {
		x = work(x, sum)
	}
	fmt.Printf("%016x\n", sum.Sum64())
}

// map churn, sorting, string building, arithmetic incl. division and floating point
func work(x uint64, out io.Writer) uint64 {
	next := func() uint64 { x ^= x << 13; x ^= x >> 7; x ^= x << 17; return x }
	m := map[uint64]int{}
	for i := 0; i < 20000; i++ {
		m[next()%8191]++
		if i%3 == 0 {
			delete(m, next()%8191)
		}
	}
	keys := make([]uint64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	var sb strings.Builder
	for i, k := range keys {
		if i%37 == 0 {
			fmt.Fprintf(&sb, "%d:%d,", k, m[k])
		}
	}
	h := fnv.New64a()
	h.Write([]byte(sb.String()))
	var acc uint64
	for i := 0; i < 20000; i++ {
		a, b := next(), next()|1
		acc += a/b + a%b + uint64(int64(a)/int64(b)) + uint64(int32(a)/int32(b|1))
		acc ^= uint64(uint32(a) * uint32(b))
		f := float64(a>>40) * 1.5
		acc += uint64(f)
	}
	arr := make([]int, 20000)
	for i := range arr {
		arr[i] = int(next() >> 33)
	}
	sort.Ints(arr)
	fmt.Fprintln(out, len(m), h.Sum64(), acc, arr[0], arr[len(arr)-1])
	return x
}

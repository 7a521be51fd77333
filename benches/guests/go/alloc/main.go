package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"guests/bench"
)

// Allocation and garbage collection: trees, slices, strings and maps, most of them dropped at
// once and some kept for a while.
var iterations = "150"

type tree struct {
	left, right *tree
	value       uint64
}

func grow(depth int, x *uint64) *tree {
	*x ^= *x << 13
	*x ^= *x >> 7
	*x ^= *x << 17
	t := &tree{value: *x}
	if depth > 0 {
		t.left = grow(depth-1, x)
		t.right = grow(depth-1, x)
	}
	return t
}

func (t *tree) sum() uint64 {
	if t == nil {
		return 0
	}
	return t.value + t.left.sum()*3 + t.right.sum()*5
}

func slices(x *uint64) uint64 {
	var rows [][]uint32
	for i := 0; i < 300; i++ {
		var row []uint32
		for j := uint64(0); j < 10+*x%50; j++ {
			row = append(row, uint32(*x>>(j%32)))
		}
		*x = *x*6364136223846793005 + 1442695040888963407
		rows = append(rows, row)
	}
	var sum uint64
	for _, row := range rows {
		for _, v := range row {
			sum = sum*31 + uint64(v)
		}
	}
	return sum
}

func words(x *uint64) uint64 {
	counts := map[string]int{}
	var text strings.Builder
	for i := 0; i < 400; i++ {
		*x = *x*6364136223846793005 + 1442695040888963407
		text.WriteString("w" + strconv.FormatUint(*x>>55, 16) + " ")
	}
	for _, word := range strings.Fields(text.String()) {
		counts[word+"!"]++
	}
	sum := uint64(len(counts))
	for word, n := range counts {
		sum += uint64(len(word)*n) * uint64(word[1])
	}
	return sum
}

type record struct {
	name string
	next *record
	data []byte
}

func records(i int, list *record) *record {
	data := make([]byte, 64+i%200)
	data[i%64] = byte(i)
	return &record{name: fmt.Sprintf("record %d of %x", i, i*i), next: list, data: data}
}

func main() {
	n := bench.Iterations(iterations)
	x := uint64(0x9E3779B97F4A7C15)
	var sum uint64
	var kept [16]*tree
	var list *record
	for i := 0; i < n; i++ {
		t := grow(11, &x)
		sum = sum*7 + t.sum()
		kept[i%len(kept)] = t
		sum += slices(&x)
		sum ^= words(&x)
		if i%40 == 0 {
			list = nil
		}
		for j := 0; j < 100; j++ {
			list = records(i*100+j, list)
		}
		for r := list; r != nil; r = r.next {
			sum = sum*5 + uint64(len(r.name)) + uint64(r.data[0])
		}
	}
	for _, t := range kept {
		sum = sum*11 + t.sum()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Printf("%016x, collected: %v\n", sum, stats.NumGC > 1)
}

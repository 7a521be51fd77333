package main

import (
	"fmt"

	"guests/bench"
)

// The golden guest of this name, with more iterations.
var iterations = "20000"

var rc = [24]uint64{
	0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B, 0x0000000080000001,
	0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
	0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
	0x000000000000800A, 0x800000008000000A, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
}
var rot = [24]uint{1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44}
var pil = [24]int{10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1}

func keccakf(st *[25]uint64) {
	var bc [5]uint64
	for r := 0; r < 24; r++ {
		for i := 0; i < 5; i++ {
			bc[i] = st[i] ^ st[i+5] ^ st[i+10] ^ st[i+15] ^ st[i+20]
		}
		for i := 0; i < 5; i++ {
			t := bc[(i+4)%5] ^ (bc[(i+1)%5]<<1 | bc[(i+1)%5]>>63)
			for j := 0; j < 25; j += 5 {
				st[j+i] ^= t
			}
		}
		t := st[1]
		for i := 0; i < 24; i++ {
			j := pil[i]
			b := st[j]
			st[j] = t<<rot[i] | t>>(64-rot[i])
			t = b
		}
		for j := 0; j < 25; j += 5 {
			for i := 0; i < 5; i++ {
				bc[i] = st[j+i]
			}
			for i := 0; i < 5; i++ {
				st[j+i] ^= ^bc[(i+1)%5] & bc[(i+2)%5]
			}
		}
		st[0] ^= rc[r]
	}
}

func keccak256(in []byte) (out [32]byte) {
	var st [25]uint64
	const rate = 136
	var blk [rate]byte
	for {
		n := copy(blk[:], in)
		in = in[n:]
		last := n < rate
		if last {
			for i := n; i < rate; i++ {
				blk[i] = 0
			}
			blk[n] = 1
			blk[rate-1] |= 0x80
		}
		for i := 0; i < rate/8; i++ {
			var v uint64
			for k := 7; k >= 0; k-- {
				v = v<<8 | uint64(blk[i*8+k])
			}
			st[i] ^= v
		}
		keccakf(&st)
		if last {
			break
		}
	}
	for i := 0; i < 4; i++ {
		for k := 0; k < 8; k++ {
			out[i*8+k] = byte(st[i] >> (8 * k))
		}
	}
	return
}

func main() {
	h := keccak256(nil)
	fmt.Printf("%x\n", h)
	for i := bench.Iterations(iterations); i > 0; i-- {
		h = keccak256(h[:])
	}
	fmt.Printf("%x\n", h)
}

package eval

import "math/bits"

// pcg64 is numpy's default generator, default_rng(seed): PCG64 (O'Neill 2014,
// "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms
// for Random Number Generation"; output XSL-RR) seeded by SeedSequence. With it,
// the tests of significance draw what sacrebleu draws. (math/rand/v2 has PCG
// with another output function.)
type pcg64 struct {
	state, increment uint128
	half             uint32 // the upper half of the last 64 bits …
	hasHalf          bool   // … not yet given out
}

type uint128 struct{ hi, lo uint64 }

func (a uint128) add(b uint128) uint128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(a.hi, b.hi, carry)
	return uint128{hi, lo}
}

func (a uint128) mul(b uint128) uint128 {
	hi, lo := bits.Mul64(a.lo, b.lo)
	return uint128{hi + a.hi*b.lo + a.lo*b.hi, lo}
}

var pcgMultiplier = uint128{0x2360ed051fc65da4, 0x4385df649fccf645}

func newPCG64(seed uint64) *pcg64 {
	w := seedSequence(seed)
	g := &pcg64{increment: uint128{w[2]<<1 | w[3]>>63, w[3]<<1 | 1}}
	g.step()
	g.state = g.state.add(uint128{w[0], w[1]})
	g.step()
	return g
}

func (g *pcg64) step() { g.state = g.state.mul(pcgMultiplier).add(g.increment) }

// next64 returns 64 random bits.
func (g *pcg64) next64() uint64 {
	g.step()
	return bits.RotateLeft64(g.state.hi^g.state.lo, -int(g.state.hi>>58))
}

// next32 returns 32 random bits: the halves of 64, the lower one first.
func (g *pcg64) next32() uint32 {
	if g.hasHalf {
		g.hasHalf = false
		return g.half
	}
	x := g.next64()
	g.half, g.hasHalf = uint32(x>>32), true
	return uint32(x)
}

// below returns a random number from 0 to n-1, 1 ≤ n < 2³² (Lemire 2019, "Fast
// Random Integer Generation in an Interval"). For n = 1 nothing is drawn.
func (g *pcg64) below(n uint32) uint32 {
	if n == 1 {
		return 0
	}
	product := uint64(g.next32()) * uint64(n)
	if uint32(product) < n {
		for threshold := -n % n; uint32(product) < threshold; {
			product = uint64(g.next32()) * uint64(n)
		}
	}
	return uint32(product >> 32)
}

// coins are random booleans, 32 from each draw, the lowest bit first.
type coins struct {
	*pcg64
	word uint32
	left int
}

func (c *coins) flip() bool {
	if c.left == 0 {
		c.word, c.left = c.next32(), 32
	}
	heads := c.word&1 == 1
	c.word >>= 1
	c.left--
	return heads
}

// seedSequence spreads a seed over 256 bits, as numpy's SeedSequence(seed)
// .generate_state(4, uint64) does.
func seedSequence(seed uint64) (words [4]uint64) {
	const (
		initA, multA = 0x43b0d7e5, 0x931e8875
		initB, multB = 0x8b51f9dd, 0x58f38ded
		mixL, mixR   = 0xca01f9dd, 0x4973f715
	)
	constant := uint32(initA)
	hash := func(x uint32) uint32 {
		x ^= constant
		constant *= multA
		x *= constant
		return x ^ x>>16
	}
	pool := [4]uint32{uint32(seed), uint32(seed >> 32)}
	for i := range pool {
		pool[i] = hash(pool[i])
	}
	for from := range pool {
		for to := range pool {
			if from != to {
				x := mixL*pool[to] - mixR*hash(pool[from])
				pool[to] = x ^ x>>16
			}
		}
	}
	constant = initB
	var half [8]uint32
	for i := range half {
		x := pool[i%4] ^ constant
		constant *= multB
		x *= constant
		half[i] = x ^ x>>16
	}
	for i := range words {
		words[i] = uint64(half[2*i+1])<<32 | uint64(half[2*i])
	}
	return words
}

package jinja

import (
	"math"
	"math/big"
	"strings"
)

// binary computes an arithmetic operator as Python does.
func (s *state) binary(op string, a, b Value) Value {
	if op == "~" {
		return s.made(str(a) + str(b))
	}
	must(a)
	must(b)
	if op == "%" {
		if f, ok := a.(string); ok {
			return s.made(format(f, b))
		}
	}
	x, xok := numeric(a)
	y, yok := numeric(b)
	switch {
	case xok && yok:
		return arithmetic(op, x, y)
	case op == "+":
		switch a := a.(type) {
		case string:
			if b, ok := b.(string); ok {
				return s.made(a + b)
			}
			panic(problemf("can only concatenate str (not \"%s\") to str", typeName(b)))
		case List:
			if b, ok := b.(List); ok {
				s.spend(len(a) + len(b))
				return append(append(make(List, 0, len(a)+len(b)), a...), b...)
			}
		case tuple:
			if b, ok := b.(tuple); ok {
				s.spend(len(a) + len(b))
				return append(append(make(tuple, 0, len(a)+len(b)), a...), b...)
			}
		}
	case op == "*":
		if n, ok := y.(int64); ok {
			return s.repeat(a, n)
		}
		if n, ok := x.(int64); ok {
			return s.repeat(b, n)
		}
	}
	panic(problemf("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b)))
}

// made accounts for a text that was made.
func (s *state) made(text string) string {
	s.spend(len(text) / 64)
	if len(text) > maxOutput {
		panic(problemf("a text grows beyond %d MiB", maxOutput>>20))
	}
	return text
}

func (s *state) repeat(v Value, n int64) Value {
	n = max(n, 0)
	size := int64(length(v))
	if text, ok := v.(string); ok {
		size = int64(len(text))
	}
	if n > 0 && size > maxOutput/n {
		panic(problem("a repetition grows too large"))
	}
	s.spend(int(size * n))
	switch v := v.(type) {
	case string:
		return strings.Repeat(v, int(n))
	case List:
		var all List
		for range n {
			all = append(all, v...)
		}
		return all
	case tuple:
		var all tuple
		for range n {
			all = append(all, v...)
		}
		return all
	}
	panic(problemf("can't multiply a %s by a number", typeName(v)))
}

func arithmetic(op string, a, b Value) Value {
	i, iok := a.(int64)
	j, jok := b.(int64)
	if iok && jok && (op != "/") && (op != "**" || j >= 0) {
		return integers(op, i, j)
	}
	x, y := floatOf(a), floatOf(b)
	if y == 0 && (op == "/" || op == "//" || op == "%") || x == 0 && y < 0 && op == "**" {
		panic(problem("division by zero"))
	}
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	case "//":
		return math.Floor(x / y)
	case "%":
		r := math.Mod(x, y)
		if r != 0 && (r < 0) != (y < 0) {
			r += y
		}
		return r
	}
	return math.Pow(x, y)
}

func integers(op string, i, j int64) Value {
	x, y, z := big.NewInt(i), big.NewInt(j), new(big.Int)
	switch op {
	case "+":
		z.Add(x, y)
	case "-":
		z.Sub(x, y)
	case "*":
		z.Mul(x, y)
	case "**":
		if j > 64 && (i > 1 || i < -1) {
			panic(problem("an integer grows beyond 64 bits"))
		}
		z.Exp(x, y, nil)
	default:
		if j == 0 {
			panic(problem("division by zero"))
		}
		m := new(big.Int)
		z.DivMod(x, y, m)
		if m.Sign() != 0 && j < 0 { // Euclid's remainder is positive, Python's has the sign of the divisor
			z.Sub(z, big.NewInt(1))
			m.Add(m, y)
		}
		if op == "%" {
			z = m
		}
	}
	if !z.IsInt64() {
		panic(problem("an integer grows beyond 64 bits"))
	}
	return z.Int64()
}

// toInt is Python's int of a number.
func toInt(v Value) int64 {
	if f, ok := v.(float64); ok {
		if math.IsNaN(f) || math.Abs(f) >= 1<<63 {
			panic(problem("cannot convert float to an integer of 64 bits"))
		}
		return int64(f)
	}
	return v.(int64)
}

// slice is Python's v[start:stop:step]; nil stands for what is left out.
func slice(v, start, stop, step Value) Value {
	all := items(must(v))
	if _, ok := v.(*Dict); ok {
		panic(problem("a dict cannot be sliced"))
	}
	n := int64(len(all))
	by := bound(step, 1)
	if by == 0 {
		panic(problem("slice step cannot be zero"))
	}
	low, high := int64(0), n
	if by < 0 {
		low, high = -1, n-1
	}
	clamp := func(v Value, otherwise int64) int64 {
		i := bound(v, otherwise)
		if v != nil && i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	from, to := clamp(start, low), clamp(stop, high)
	if by < 0 {
		from, to = clamp(start, high), clamp(stop, low)
	}
	var out []Value
	for i := from; by > 0 && i < to || by < 0 && i > to; i += by {
		out = append(out, all[i])
		if by > n || by < -n {
			break
		}
	}
	switch v.(type) {
	case string:
		var b strings.Builder
		for _, c := range out {
			b.WriteString(c.(string))
		}
		return b.String()
	case tuple:
		return tuple(out)
	}
	return List(out)
}

func bound(v Value, otherwise int64) int64 {
	if v == nil {
		return otherwise
	}
	i, ok := v.(int64)
	if !ok {
		panic(problem("slice indices must be integers or None"))
	}
	return i
}

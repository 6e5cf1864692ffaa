package jinja

import (
	"strings"
	"unicode"
)

// test decides `v is name args`.
type test func(s *state, v Value, a arguments) bool

// of makes a test that looks at the value alone.
func of(f func(Value) bool) test {
	return func(_ *state, v Value, _ arguments) bool { return f(v) }
}

// kindOf makes a test of the Go type of a value.
func kindOf[T any](v Value) bool {
	_, ok := v.(T)
	return ok
}

// comparison makes a test of an order.
func comparison(op string, holds func(int) bool) test {
	return func(_ *state, v Value, a arguments) bool { return holds(compare(v, a.one("other"), op)) }
}

func isEqual(_ *state, v Value, a arguments) bool   { return equal(v, a.get(0, "other", nil)) }
func isUnequal(_ *state, v Value, a arguments) bool { return !equal(v, a.get(0, "other", nil)) }

func isNumber(v Value) bool {
	_, ok := numeric(v)
	return ok
}

func isSequence(v Value) bool {
	switch v.(type) {
	case string, List, tuple, *Dict, *undefined:
		return true
	}
	return false
}

func divisible(by int64) func(Value) bool {
	return func(v Value) bool { return equal(remainder(v, by), int64(0)) }
}

func remainder(v Value, by int64) Value {
	n, ok := numeric(must(v))
	if !ok {
		panic(problemf("unsupported operand type(s) for %%: '%s' and 'int'", typeName(v)))
	}
	return arithmetic("%", n, by)
}

func hasCase(v Value, wanted, other func(rune) bool) bool {
	return strings.ContainsFunc(str(v), wanted) && !strings.ContainsFunc(str(v), other)
}

var (
	less, lessOrEqual       = comparison("<", func(c int) bool { return c < 0 }), comparison("<=", func(c int) bool { return c <= 0 })
	greater, greaterOrEqual = comparison(">", func(c int) bool { return c > 0 }), comparison(">=", func(c int) bool { return c >= 0 })
)

var tests map[string]test

func init() { // the tests "filter" and "test" look at the tables
	tests = map[string]test{
		"defined":   of(func(v Value) bool { return !kindOf[*undefined](v) }),
		"undefined": of(kindOf[*undefined]),
		"none":      of(func(v Value) bool { return v == nil }),
		"boolean":   of(kindOf[bool]), "string": of(kindOf[string]), "integer": of(kindOf[int64]), "float": of(kindOf[float64]),
		"number": of(isNumber), "mapping": of(kindOf[*Dict]), "sequence": of(isSequence), "iterable": of(isSequence),
		"callable": of(func(v Value) bool { return kindOf[*function](v) || kindOf[*loop](v) }),
		"true":     of(func(v Value) bool { return v == true }), "false": of(func(v Value) bool { return v == false }),
		"even": of(divisible(2)), "odd": of(func(v Value) bool { return equal(remainder(v, 2), int64(1)) }),
		"divisibleby": func(_ *state, v Value, a arguments) bool {
			return equal(remainder(v, a.integer(0, "num", 0)), int64(0))
		},
		"lower":   of(func(v Value) bool { return hasCase(v, unicode.IsLower, unicode.IsUpper) }),
		"upper":   of(func(v Value) bool { return hasCase(v, unicode.IsUpper, unicode.IsLower) }),
		"escaped": of(func(Value) bool { return false }),
		"in":      func(_ *state, v Value, a arguments) bool { return contains(a.get(0, "seq", nil), v) },
		"sameas":  func(_ *state, v Value, a arguments) bool { return same(v, a.get(0, "other", nil)) },
		"filter":  of(func(v Value) bool { return filters[str(v)] != nil }),
		"test":    of(func(v Value) bool { return tests[str(v)] != nil }),
		"eq":      isEqual, "equalto": isEqual, "ne": isUnequal,
		"lt": less, "lessthan": less, "le": lessOrEqual, "gt": greater, "greaterthan": greater, "ge": greaterOrEqual,
	}
}

// same is Python's `is`, as far as it can be told from equality.
func same(v, other Value) bool {
	switch v.(type) {
	case List, tuple:
		return false // another one, as far as anybody can say
	}
	return typeName(v) == typeName(other) && equal(v, other)
}

package jinja

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Value is what a template computes with: nil (None), bool, int64, float64, string, [List], tuple, *[Dict], *undefined,
// *namespace, *loop or *function. Values are never changed, but for namespaces.
type Value any

// List is a list.
type List []Value

// tuple is a list that prints with parentheses.
type tuple []Value

// Dict is a dict, in the order in which keys came.
type Dict struct {
	keys   []Value
	values []Value
	at     map[any]int // where a key is
}

// undefined is what a name stands for that nobody defined: it prints as nothing and is empty, but has no attributes.
type undefined struct{ why string }

type namespace struct{ values map[string]Value }

// function is something to call: a global, a macro, or a method of a value.
type function struct {
	name string
	call func(s *state, a arguments) Value
}

// keyOf is what equal keys have in common, as 1, 1.0 and True do.
func keyOf(v Value) any {
	switch v := v.(type) {
	case nil, string, int64:
		return v
	case bool:
		return number(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<62 {
			return int64(v)
		}
		return v
	case tuple:
		return "\x00tuple " + repr(v)
	}
	panic(problemf("unhashable type: '%s'", typeName(v)))
}

// Set sets the value of a key.
func (d *Dict) Set(key, value Value) {
	k := keyOf(key)
	if i, ok := d.at[k]; ok {
		d.values[i] = value
		return
	}
	if d.at == nil {
		d.at = map[any]int{}
	}
	d.at[k] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

// Get returns the value of a key.
func (d *Dict) Get(key Value) (Value, bool) {
	i, ok := d.at[keyOf(key)]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// Len returns the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// All yields keys and values in their order.
func (d *Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		for i, k := range d.keys {
			if !yield(k, d.values[i]) {
				return
			}
		}
	}
}

func (d *Dict) pairs() List {
	pairs := make(List, 0, d.Len())
	for k, v := range d.All() {
		pairs = append(pairs, tuple{k, v})
	}
	return pairs
}

// number is a bool as Python computes with it.
func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func truth(v Value) bool {
	switch v := v.(type) {
	case nil, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case List:
		return len(v) > 0
	case tuple:
		return len(v) > 0
	case *Dict:
		return v.Len() > 0
	}
	return true
}

func typeName(v Value) string {
	switch v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case List:
		return "list"
	case tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *loop:
		return "LoopContext"
	}
	return "function"
}

// must panics if a value is undefined, as Jinja does where it would be used.
func must(v Value) Value {
	if u, ok := v.(*undefined); ok {
		panic(problem(u.why))
	}
	return v
}

// items returns what iterating over a value gives.
func items(v Value) []Value {
	switch v := v.(type) {
	case *undefined:
		return nil
	case List:
		return v
	case tuple:
		return v
	case *Dict:
		return v.keys
	case string:
		chars := make([]Value, 0, len(v))
		for _, r := range v {
			chars = append(chars, string(r))
		}
		return chars
	}
	panic(problemf("'%s' object is not iterable", typeName(v)))
}

func length(v Value) int {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v)
	case List, tuple, *Dict, *undefined:
		return len(items(v))
	}
	panic(problemf("object of type '%s' has no len()", typeName(v)))
}

// numeric returns a value as a number: int64 or float64.
func numeric(v Value) (Value, bool) {
	switch v := v.(type) {
	case bool:
		return number(v), true
	case int64, float64:
		return v, true
	}
	return nil, false
}

func floatOf(v Value) float64 {
	if i, ok := v.(int64); ok {
		return float64(i)
	}
	return v.(float64)
}

func equal(a, b Value) bool {
	x, xok := numeric(a)
	y, yok := numeric(b)
	if xok || yok {
		i, iok := x.(int64)
		j, jok := y.(int64)
		return xok && yok && (iok && jok && i == j || !(iok && jok) && floatOf(x) == floatOf(y))
	}
	switch a := a.(type) {
	case List:
		b, ok := b.(List)
		return ok && slices.EqualFunc(a, b, equal)
	case tuple:
		b, ok := b.(tuple)
		return ok && slices.EqualFunc(a, b, equal)
	case *Dict:
		b, ok := b.(*Dict)
		if !ok || a.Len() != b.Len() {
			return false
		}
		for k, v := range a.All() {
			if w, ok := b.Get(k); !ok || !equal(v, w) {
				return false
			}
		}
		return true
	case *undefined:
		_, ok := b.(*undefined)
		return ok
	}
	return a == b
}

// compare orders two values as Python's < does; op is for the error.
func compare(a, b Value, op string) int {
	must(a)
	must(b)
	if x, ok := numeric(a); ok {
		if y, ok := numeric(b); ok {
			i, iok := x.(int64)
			j, jok := y.(int64)
			if iok && jok {
				return cmp.Compare(i, j)
			}
			return cmp.Compare(floatOf(x), floatOf(y))
		}
	}
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case List:
		if b, ok := b.(List); ok {
			return compareItems(a, b, op)
		}
	case tuple:
		if b, ok := b.(tuple); ok {
			return compareItems(a, b, op)
		}
	}
	panic(problemf("'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b)))
}

func compareItems(a, b []Value, op string) int {
	for i := range min(len(a), len(b)) {
		if !equal(a[i], b[i]) {
			return compare(a[i], b[i], op)
		}
	}
	return cmp.Compare(len(a), len(b))
}

// contains is Python's `needle in v`.
func contains(v, needle Value) bool {
	switch v := v.(type) {
	case string:
		s, ok := needle.(string)
		if !ok {
			panic(problemf("'in <string>' requires string as left operand, not %s", typeName(needle)))
		}
		return strings.Contains(v, s)
	case *Dict:
		_, ok := v.Get(needle)
		return ok
	case nil, bool, int64, float64, *function, *namespace, *loop:
		panic(problemf("argument of type '%s' is not a container or iterable", typeName(v)))
	}
	return slices.ContainsFunc(items(v), func(item Value) bool { return equal(item, needle) })
}

// attribute returns v.name as Jinja looks it up: a method or a part of a value first, then the item.
func attribute(v Value, name string) Value {
	must(v)
	if found, ok := partOf(v, name); ok {
		return found
	}
	if d, ok := v.(*Dict); ok {
		if found, ok := d.Get(name); ok {
			return found
		}
	}
	return &undefined{missing(v, name)}
}

// item returns v[key]: the item first, then the attribute.
func item(v, key Value) Value {
	must(v)
	index, isIndex := numeric(key)
	switch v := v.(type) {
	case *Dict:
		if _, ok := key.(List); ok {
			break
		}
		if found, ok := v.Get(must(key)); ok {
			return found
		}
	case string, List, tuple:
		if i, ok := index.(int64); isIndex && ok {
			all := items(v)
			if i < 0 {
				i += int64(len(all))
			}
			if i >= 0 && i < int64(len(all)) {
				return all[i]
			}
		}
	}
	if name, ok := key.(string); ok {
		if found, ok := partOf(v, name); ok {
			return found
		}
	}
	return &undefined{missing(v, key)}
}

// missing says that something has no such item, as Jinja does.
func missing(v, key Value) string {
	object := "None"
	if v != nil {
		object = typeName(v) + " object"
	}
	if name, ok := key.(string); ok {
		return fmt.Sprintf("%s has no attribute %s", quote(object), quote(name))
	}
	return fmt.Sprintf("%s has no element %s", object, repr(key))
}

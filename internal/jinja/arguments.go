package jinja

import "slices"

// arguments are the values of a call.
type arguments struct {
	positional []Value
	names      []string
	values     []Value // of names
}

func (s *state) arguments(l argumentList) arguments {
	a := arguments{positional: s.all(l.positional), names: slices.Clone(l.keys), values: s.all(l.values)}
	if l.rest != nil {
		a.positional = append(a.positional, items(must(l.rest.eval(s)))...)
	}
	if l.named != nil {
		d, ok := must(l.named.eval(s)).(*Dict)
		if !ok {
			panic(problem("** takes a dict"))
		}
		for k, v := range d.All() {
			name, ok := k.(string)
			if !ok {
				panic(problem("keywords must be strings"))
			}
			a.names, a.values = append(a.names, name), append(a.values, v)
		}
	}
	return a
}

func (a arguments) named(name string) (Value, bool) {
	if i := slices.Index(a.names, name); i >= 0 {
		return a.values[i], true
	}
	return nil, false
}

// get returns the argument at a place or of a name, or else what holds without it.
func (a arguments) get(i int, name string, otherwise Value) Value {
	if i < len(a.positional) {
		return a.positional[i]
	}
	if v, ok := a.named(name); ok {
		return v
	}
	return otherwise
}

// one returns the first argument, which there must be.
func (a arguments) one(name string) Value { return a.need(0, name) }

func (a arguments) need(i int, name string) Value {
	v := a.get(i, name, missingArgument)
	if v == missingArgument {
		panic(problemf("the argument %q is missing", name))
	}
	return must(v)
}

var missingArgument = Value(&undefined{"missing argument"})

func (a arguments) text(i int, name, otherwise string) string {
	return str(a.get(i, name, otherwise))
}

func (a arguments) integer(i int, name string, otherwise int64) int64 {
	v := must(a.get(i, name, otherwise))
	n, ok := numeric(v)
	if !ok {
		panic(problemf("the argument %q must be a number, not %s", name, typeName(v)))
	}
	return toInt(n)
}

func (a arguments) flag(i int, name string, otherwise bool) bool {
	return truth(a.get(i, name, otherwise))
}

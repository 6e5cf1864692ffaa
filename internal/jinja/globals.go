package jinja

// globalFunctions are what every template can call, besides strftime_now.
var globalFunctions = map[string]Value{
	"range": &function{"range", func(s *state, a arguments) Value {
		start, stop, step := int64(0), a.integer(0, "stop", 0), a.integer(2, "step", 1)
		if len(a.positional) > 1 {
			start, stop = stop, a.integer(1, "stop", 0)
		}
		if step == 0 {
			panic(problem("range() arg 3 must not be zero"))
		}
		var list List
		for i := start; step > 0 && i < stop || step < 0 && i > stop; i += step {
			if len(list) >= maxRange {
				panic(problemf("Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange))
			}
			list = append(list, i)
		}
		s.spend(len(list))
		return list
	}},
	"dict": &function{"dict", func(_ *state, a arguments) Value { return dictOf(a) }},
	"namespace": &function{"namespace", func(_ *state, a arguments) Value {
		ns := &namespace{map[string]Value{}}
		for k, v := range dictOf(a).All() {
			name, ok := k.(string)
			if !ok {
				panic(problem("a namespace needs names"))
			}
			ns.set(name, v)
		}
		return ns
	}},
	"raise_exception": &function{"raise_exception", func(s *state, a arguments) Value {
		panic(&Error{Line: s.line, Message: str(a.one("message")), Raised: true})
	}},
	"cycler": &function{"cycler", func(_ *state, a arguments) Value {
		if len(a.positional) == 0 {
			panic(problem("at least one item has to be provided"))
		}
		return newCycler(a.positional)
	}},
	"joiner": &function{"joiner", func(_ *state, a arguments) Value {
		separator, used := a.text(0, "sep", ", "), false
		return &function{"joiner", func(*state, arguments) Value {
			if !used {
				used = true
				return ""
			}
			return separator
		}}
	}},
}

// dictOf is Python's dict(mapping or pairs, **more).
func dictOf(a arguments) *Dict {
	d := &Dict{}
	if len(a.positional) > 0 {
		if from, ok := a.positional[0].(*Dict); ok {
			for k, v := range from.All() {
				d.Set(k, v)
			}
		} else {
			for _, pair := range items(must(a.positional[0])) {
				kv := items(pair)
				if len(kv) != 2 {
					panic(problem("a dict is made of pairs"))
				}
				d.Set(kv[0], kv[1])
			}
		}
	}
	for i, name := range a.names {
		d.Set(name, a.values[i])
	}
	return d
}

// newCycler is an object that goes through its items round and round.
func newCycler(all []Value) Value {
	ns, at := &namespace{map[string]Value{"current": all[0]}}, 0
	move := func(to int) { at, ns.values["current"] = to%len(all), all[to%len(all)] }
	ns.values["next"] = &function{"next", func(*state, arguments) Value {
		v := all[at]
		move(at + 1)
		return v
	}}
	ns.values["reset"] = &function{"reset", func(*state, arguments) Value {
		move(0)
		return nil
	}}
	return ns
}

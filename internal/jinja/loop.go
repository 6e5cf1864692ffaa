package jinja

// loop is what a template sees as `loop` inside of one.
type loop struct {
	items   []Value
	index   int // from 0
	depth   int // from 1, of loops that call themselves
	changed []Value
	again   *function // nil if the loop does not call itself
}

func (n *forNode) run(s *state) jump {
	s.line = n.line
	n.iterate(s, n.over.eval(s), 1)
	return goOn
}

func (n *forNode) iterate(s *state, over Value, depth int) {
	around := s.scope
	l := &loop{items: n.filtered(s, items(over)), depth: depth}
	if n.recursive {
		l.again = &function{"loop", func(s *state, a arguments) Value {
			scope := s.scope
			s.scope = around
			text := s.collect(func() { n.iterate(s, a.one("iterable"), depth+1) })
			s.scope = scope
			return text
		}}
	}
	if len(l.items) == 0 {
		s.inside(around, func() { s.run(n.otherwise) })
		return
	}
	for i, v := range l.items {
		s.spend(1)
		l.index = i
		var j jump
		s.inside(around, func() {
			s.scope.set("loop", l)
			s.assign(n.target, v)
			j = s.run(n.body)
		})
		if j == breakLoop {
			return
		}
	}
}

// filtered returns the items for which the loop's condition holds.
func (n *forNode) filtered(s *state, all []Value) []Value {
	if n.filter == nil {
		return all
	}
	var kept []Value
	for _, v := range all {
		s.spend(1)
		s.inside(s.scope, func() {
			s.assign(n.target, v)
			if truth(n.filter.eval(s)) {
				kept = append(kept, v)
			}
		})
	}
	return kept
}

func (l *loop) attribute(name string) (Value, bool) {
	i, n := int64(l.index), int64(len(l.items))
	switch name {
	case "index":
		return i + 1, true
	case "index0":
		return i, true
	case "revindex":
		return n - i, true
	case "revindex0":
		return n - i - 1, true
	case "first":
		return i == 0, true
	case "last":
		return i == n-1, true
	case "length":
		return n, true
	case "depth":
		return int64(l.depth), true
	case "depth0":
		return int64(l.depth - 1), true
	case "previtem":
		if i == 0 {
			return &undefined{"there is no previous item"}, true
		}
		return l.items[i-1], true
	case "nextitem":
		if i == n-1 {
			return &undefined{"there is no next item"}, true
		}
		return l.items[i+1], true
	case "cycle":
		return &function{name, func(_ *state, a arguments) Value {
			if len(a.positional) == 0 {
				panic(problem("no items for cycling given"))
			}
			return a.positional[l.index%len(a.positional)]
		}}, true
	case "changed":
		return &function{name, func(_ *state, a arguments) Value {
			same := l.changed != nil && equal(List(l.changed), List(a.positional))
			l.changed = append([]Value{}, a.positional...)
			return !same
		}}, true
	}
	return nil, false
}

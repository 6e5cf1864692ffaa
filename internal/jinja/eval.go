package jinja

func (e *constExpr) eval(*state) Value { return e.value }

func (e *nameExpr) eval(s *state) Value {
	s.spend(1)
	if v, ok := s.scope.get(e.name); ok {
		return v
	}
	return &undefined{quote(e.name) + " is undefined"}
}

func (s *state) all(list []expr) []Value {
	s.spend(len(list))
	values := make([]Value, len(list))
	for i, e := range list {
		values[i] = e.eval(s)
	}
	return values
}

func (e *listExpr) eval(s *state) Value {
	if e.tuple {
		return tuple(s.all(e.items))
	}
	return List(s.all(e.items))
}

func (e *dictExpr) eval(s *state) Value {
	d := &Dict{}
	s.spend(len(e.keys))
	for i, k := range e.keys {
		key := must(k.eval(s))
		s.line = e.line
		d.Set(key, e.values[i].eval(s))
	}
	return d
}

func (e *conditionExpr) eval(s *state) Value {
	switch {
	case truth(e.test.eval(s)):
		return e.then.eval(s)
	case e.otherwise != nil:
		return e.otherwise.eval(s)
	}
	return &undefined{"the conditional expression has no else and its condition is false"}
}

func (e *logicExpr) eval(s *state) Value {
	left := e.left.eval(s)
	if truth(left) != e.and {
		return left
	}
	return e.right.eval(s)
}

func (e *notExpr) eval(s *state) Value { return !truth(e.of.eval(s)) }

func (e *compareExpr) eval(s *state) Value {
	left := e.first.eval(s)
	for i, op := range e.ops {
		right := e.rest[i].eval(s)
		s.line = e.line
		s.spend(1)
		var holds bool
		switch op {
		case "==":
			holds = equal(left, right)
		case "!=":
			holds = !equal(left, right)
		case "in":
			holds = contains(right, left)
		case "not in":
			holds = !contains(right, left)
		case "<":
			holds = compare(left, right, op) < 0
		case "<=":
			holds = compare(left, right, op) <= 0
		case ">":
			holds = compare(left, right, op) > 0
		default:
			holds = compare(left, right, op) >= 0
		}
		if !holds {
			return false
		}
		left = right
	}
	return true
}

func (e *binaryExpr) eval(s *state) Value {
	left, right := e.left.eval(s), e.right.eval(s)
	s.line = e.line
	s.spend(1)
	return s.binary(e.op, left, right)
}

func (e *signExpr) eval(s *state) Value {
	v := must(e.of.eval(s))
	n, ok := numeric(v)
	if !ok {
		panic(problemf("bad operand type for unary %s: '%s'", e.op, typeName(v)))
	}
	if e.op == "-" {
		return arithmetic("*", n, int64(-1))
	}
	return n
}

func (e *attributeExpr) eval(s *state) Value {
	v := e.of.eval(s)
	s.line = e.line
	return attribute(v, e.name)
}

func (e *itemExpr) eval(s *state) Value {
	v, key := e.of.eval(s), e.key.eval(s)
	s.line = e.line
	s.spend(length1(v))
	return item(v, key)
}

// length1 is the work of finding one item of a value: strings are gone through.
func length1(v Value) int {
	if text, ok := v.(string); ok {
		return len(text) / 64
	}
	return 0
}

func (e *sliceExpr) eval(s *state) Value {
	v := e.of.eval(s)
	var parts [3]Value
	for i, p := range e.parts {
		if p != nil {
			parts[i] = must(p.eval(s))
		}
	}
	s.line = e.line
	out := slice(v, parts[0], parts[1], parts[2])
	s.spend(length(out) / 8)
	return out
}

func (e *callExpr) eval(s *state) Value {
	f := e.of.eval(s)
	args := s.arguments(e.args)
	s.line = e.line
	v := s.call(f, args)
	s.line = e.line
	return v
}

func (s *state) call(v Value, a arguments) Value {
	s.spend(1)
	if l, ok := v.(*loop); ok && l.again != nil {
		v = l.again
	}
	f, ok := must(v).(*function)
	if !ok {
		panic(problemf("'%s' object is not callable", typeName(v)))
	}
	if s.depth++; s.depth > maxDepth {
		panic(problemf("macros call each other more than %d deep", maxDepth))
	}
	result := f.call(s, a)
	s.depth--
	return result
}

func (e *filterExpr) eval(s *state) Value { return s.filtered(e, nil) }

// filtered applies a chain of filters; text is what stands at its beginning if it has nothing there.
func (s *state) filtered(e expr, text Value) Value {
	f, ok := e.(*filterExpr)
	switch {
	case e == nil:
		return text
	case !ok:
		return e.eval(s)
	}
	v := s.filtered(f.of, text)
	args := s.arguments(f.args)
	s.line = f.line
	s.spend(1)
	return f.filter(s, v, args)
}

func (e *testExpr) eval(s *state) Value {
	v := e.of.eval(s)
	args := s.arguments(e.args)
	s.line = e.line
	s.spend(1)
	return e.test(s, v, args)
}

package jinja

import (
	"slices"
	"strings"
)

// state is where a rendering stands.
type state struct {
	root  *strings.Builder // what the template writes
	out   *strings.Builder // root, or what a block, macro or filter collects
	scope *scope
	spans []Span
	line  int
	steps int
	depth int // of calls
}

// scope holds names; what it does not have, those around it may.
type scope struct {
	parent *scope
	names  map[string]Value
}

func (c *scope) get(name string) (Value, bool) {
	for ; c != nil; c = c.parent {
		if v, ok := c.names[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (c *scope) set(name string, v Value) {
	if c.names == nil {
		c.names = map[string]Value{}
	}
	c.names[name] = v
}

// spend counts work and ends a rendering that has done too much.
func (s *state) spend(n int) {
	if s.steps += n; s.steps > maxSteps {
		panic(problemf("the template does not come to an end: it has taken %d steps", maxSteps))
	}
}

// inside runs f in a scope of its own around which is parent.
func (s *state) inside(parent *scope, f func()) {
	before := s.scope
	s.scope = &scope{parent: parent}
	f()
	s.scope = before
}

// collect returns what f writes.
func (s *state) collect(f func()) string {
	before := s.out
	s.out = new(strings.Builder)
	f()
	text := s.out.String()
	s.out = before
	return text
}

func (s *state) write(text string) {
	if s.out.Len()+len(text) > maxOutput {
		panic(problemf("the template writes more than %d MiB", maxOutput>>20))
	}
	s.out.WriteString(text)
}

func (s *state) run(body []statement) jump {
	for _, n := range body {
		s.spend(1)
		if j := n.run(s); j != goOn {
			return j
		}
	}
	return goOn
}

func (n *dataNode) run(s *state) jump {
	s.write(n.text)
	return goOn
}

func (n *outputNode) run(s *state) jump {
	s.line = n.line
	s.write(str(n.value.eval(s)))
	return goOn
}

func (n *ifNode) run(s *state) jump {
	s.line = n.line
	for _, b := range n.branches {
		if truth(b.test.eval(s)) {
			return s.run(b.body)
		}
	}
	return s.run(n.otherwise)
}

func (n *jumpNode) run(*state) jump {
	if n.kind == "break" {
		return breakLoop
	}
	return continueLoop
}

func (n *setNode) run(s *state) jump {
	s.line = n.line
	if n.block == nil {
		s.assign(n.target, n.value.eval(s))
		return goOn
	}
	var text Value
	s.inside(s.scope, func() { text = s.collect(func() { s.run(n.block) }) })
	if n.value != nil {
		text = s.filtered(n.value, text)
	}
	s.assign(n.target, text)
	return goOn
}

// assign gives a target its value.
func (s *state) assign(t target, v Value) {
	switch {
	case t.several != nil:
		parts := items(must(v))
		if len(parts) != len(t.several) {
			panic(problemf("%d values cannot be taken apart into %d names", len(parts), len(t.several)))
		}
		for i, one := range t.several {
			s.assign(one, parts[i])
		}
	case t.attribute != "":
		holder, _ := s.scope.get(t.name)
		ns, ok := holder.(*namespace)
		if !ok {
			panic(problemf("cannot assign attribute on non-namespace object %s", quote(t.name)))
		}
		ns.set(t.attribute, v)
	default:
		s.scope.set(t.name, v)
	}
}

func (ns *namespace) set(name string, v Value) {
	if strings.HasPrefix(name, "_") {
		panic(problemf("a namespace does not take the attribute %s, which begins with an underscore", quote(name)))
	}
	ns.values[name] = v
}

func (n *macroNode) run(s *state) jump {
	s.scope.set(n.macro.name, n.macro.bind(s))
	return goOn
}

func (n *callNode) run(s *state) jump {
	s.line = n.line
	args := s.arguments(n.call.args)
	args.names, args.values = append(args.names, "caller"), append(args.values, n.caller.bind(s))
	s.write(str(s.call(n.call.of.eval(s), args)))
	return goOn
}

func (n *filterNode) run(s *state) jump {
	var text string
	s.inside(s.scope, func() { text = s.collect(func() { s.run(n.body) }) })
	s.line = n.line
	s.write(str(s.filtered(n.filter, text)))
	return goOn
}

func (n *scopeNode) run(s *state) (j jump) {
	values := make([]Value, len(n.values))
	for i, v := range n.values {
		values[i] = v.eval(s)
	}
	s.inside(s.scope, func() {
		for i, t := range n.targets {
			s.assign(t, values[i])
		}
		j = s.run(n.body)
	})
	return j
}

func (n *generationNode) run(s *state) jump {
	if s.out != s.root {
		panic(problem("a generation block inside of a macro, a filter or a set block cannot be followed; write it outside"))
	}
	from := s.out.Len()
	s.inside(s.scope, func() { s.run(n.body) })
	s.spans = append(s.spans, Span{from, s.out.Len()})
	return goOn
}

// bind makes a macro something to call, with the names around its definition.
func (m *macro) bind(s *state) *function {
	around := s.scope
	return &function{m.name, func(s *state, a arguments) Value {
		var text string
		s.inside(around, func() {
			m.take(s, a)
			text = s.collect(func() { s.run(m.body) })
		})
		return text
	}}
}

// take gives the parameters of a macro their values.
func (m *macro) take(s *state, a arguments) {
	for i, p := range m.args {
		v, given := a.named(p.name)
		switch {
		case i < len(a.positional) && given:
			panic(problemf("macro %s got multiple values for argument %s", quote(m.name), quote(p.name)))
		case i < len(a.positional):
			v = a.positional[i]
		case given:
		case p.otherwise != nil:
			v = p.otherwise.eval(s)
		default:
			v = &undefined{"parameter " + quote(p.name) + " was not provided"}
		}
		s.scope.set(p.name, v)
	}
	if caller, ok := a.named("caller"); ok {
		s.scope.set("caller", caller)
	}
	if len(a.positional) > len(m.args) && !m.varargs {
		panic(problemf("macro %s takes not more than %d argument(s)", quote(m.name), len(m.args)))
	}
	s.scope.set("varargs", tuple(a.positional[min(len(m.args), len(a.positional)):]))
	rest := &Dict{}
	for i, name := range a.names {
		if name != "caller" && !slices.ContainsFunc(m.args, func(p parameter) bool { return p.name == name }) {
			rest.Set(name, a.values[i])
		}
	}
	if rest.Len() > 0 && !m.kwargs {
		panic(problemf("macro %s takes no keyword argument %s", quote(m.name), repr(rest.keys[0])))
	}
	s.scope.set("kwargs", rest)
}

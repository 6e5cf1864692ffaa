package jinja

import "slices"

// parser reads statements and expressions by Jinja's grammar.
type parser struct {
	tokens      []token
	at          int
	depth       int
	loops       int    // around what is being read
	macroAround *macro // nil outside of macros
	generations bool
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != endOfTemplate {
		p.at++
	}
	return t
}

func (p *parser) fail(format string, a ...any) {
	panic(&Error{Line: p.peek().line, Message: string(problemf(format, a...))})
}

// deeper guards against nesting that would use up the stack; the result ends it.
func (p *parser) deeper() func() {
	if p.depth++; p.depth > maxDepth {
		p.fail("nested more than %d times", maxDepth)
	}
	return func() { p.depth-- }
}

// isOp reports whether the next token is one of some operators.
func (p *parser) isOp(ops ...string) bool {
	t := p.peek()
	return t.kind == operatorToken && slices.Contains(ops, t.text)
}

// isName reports whether the next token is one of some names.
func (p *parser) isName(names ...string) bool {
	t := p.peek()
	return t.kind == nameToken && slices.Contains(names, t.text)
}

func (p *parser) skipOp(op string) bool {
	if p.isOp(op) {
		p.next()
		return true
	}
	return false
}

func (p *parser) skipName(name string) bool {
	if p.isName(name) {
		p.next()
		return true
	}
	return false
}

func (p *parser) expectOp(op string) {
	if !p.skipOp(op) {
		p.fail("expected %q, not %q", op, p.peek().text)
	}
}

func (p *parser) expect(k kind, what string) token {
	if p.peek().kind != k {
		p.fail("expected %s, not %q", what, p.peek().text)
	}
	return p.next()
}

// statements reads until a tag with one of the names that end them, of which only the beginning is read; none end at the end
// of the template.
func (p *parser) statements(ends ...string) []statement {
	defer p.deeper()()
	var list []statement
	for {
		switch t := p.peek(); t.kind {
		case dataToken:
			p.next()
			list = append(list, &dataNode{t.text})
		case expressionBegin:
			p.next()
			list = append(list, &outputNode{t.line, p.tuple()})
			p.expect(expressionEnd, "the end of the expression")
		case blockBegin:
			p.next()
			if p.isName(ends...) {
				return list
			}
			list = append(list, p.statement())
		default:
			if len(ends) > 0 {
				p.fail("the template ends where {%% %s %%} is missing", ends[len(ends)-1])
			}
			return list
		}
	}
}

// endBlock reads the end of a block's tag.
func (p *parser) endBlock() { p.expect(blockEnd, "the end of the tag") }

// body reads the rest of a tag and the statements up to the one that ends it, which is read too.
func (p *parser) body(end string) []statement {
	p.endBlock()
	list := p.statements(end)
	p.next()
	p.endBlock()
	return list
}

func (p *parser) statement() statement {
	t := p.expect(nameToken, "the name of a tag")
	switch t.text {
	case "for":
		return p.forLoop(t.line)
	case "if":
		return p.conditional(t.line)
	case "set":
		return p.set(t.line)
	case "macro":
		name := p.expect(nameToken, "the name of the macro").text
		return &macroNode{t.line, p.macro(name, true, "endmacro")}
	case "call":
		m := p.macro("caller", p.isOp("("), "")
		call, ok := p.expression().(*callExpr)
		if !ok {
			p.fail("{%% call %%} needs the call of a macro")
		}
		p.macroBody(m, "endcall")
		return &callNode{t.line, call, m}
	case "filter":
		filter := p.filter(nil, true)
		return &filterNode{t.line, filter, p.callBody("endfilter")}
	case "with":
		return p.with()
	case "generation":
		p.generations = true
		return &generationNode{p.callBody("endgeneration")}
	case "autoescape":
		p.expression()
		return &scopeNode{body: p.callBody("endautoescape")}
	case "block":
		p.expect(nameToken, "the name of the block")
		p.endBlock()
		body := p.statements("endblock")
		p.next()
		if p.peek().kind == nameToken {
			p.next()
		}
		p.endBlock()
		return &scopeNode{body: body}
	case "break", "continue":
		if p.loops == 0 {
			p.fail("{%% %s %%} outside of a loop", t.text)
		}
		p.endBlock()
		return &jumpNode{t.text}
	case "extends", "include", "import", "from":
		p.fail("{%% %s %%} needs other templates, which a chat template does not have", t.text)
	}
	p.at--
	p.fail("unknown tag %q", t.text)
	return nil
}

// callBody reads a body that loops cannot be left from.
func (p *parser) callBody(end string) []statement {
	loops := p.loops
	p.loops = 0
	list := p.body(end)
	p.loops = loops
	return list
}

func (p *parser) forLoop(line int) statement {
	n := &forNode{line: line, target: p.target(false)}
	if !p.skipName("in") {
		p.fail("expected %q, not %q", "in", p.peek().text)
	}
	n.over = p.tupleOf(p.or)
	if p.skipName("if") {
		n.filter = p.expression()
	}
	n.recursive = p.skipName("recursive")
	p.endBlock()
	p.loops++
	n.body = p.statements("else", "endfor")
	p.loops--
	if p.next().text == "else" {
		p.endBlock()
		n.otherwise = p.statements("endfor")
		p.next()
	}
	p.endBlock()
	return n
}

func (p *parser) conditional(line int) statement {
	n := &ifNode{line: line}
	for {
		test := p.expression()
		p.endBlock()
		n.branches = append(n.branches, branch{test, p.statements("elif", "else", "endif")})
		end := p.next()
		if end.text == "elif" {
			continue
		}
		p.endBlock()
		if end.text == "else" {
			n.otherwise = p.statements("endif")
			p.next()
			p.endBlock()
		}
		return n
	}
}

func (p *parser) set(line int) statement {
	n := &setNode{line: line, target: p.target(true)}
	if p.skipOp("=") {
		n.value = p.tuple()
		p.endBlock()
		return n
	}
	for p.isOp("|") {
		n.value = p.filter(n.value, false)
	}
	n.block = p.callBody("endset")
	return n
}

func (p *parser) with() statement {
	n := &scopeNode{}
	for p.peek().kind != blockEnd {
		if len(n.targets) > 0 {
			p.expectOp(",")
		}
		n.targets = append(n.targets, p.target(false))
		p.expectOp("=")
		n.values = append(n.values, p.expression())
	}
	n.body = p.body("endwith")
	return n
}

// target reads what is assigned to: a name, names in a row, or, where there may be one, an attribute of a namespace.
func (p *parser) target(attribute bool) target {
	if attribute && p.tokens[min(p.at+1, len(p.tokens)-1)].text == "." {
		name := p.expect(nameToken, "a name")
		p.next()
		return target{name: name.text, attribute: p.expect(nameToken, "an attribute").text}
	}
	return p.targets(false)
}

func (p *parser) targets(inside bool) target {
	defer p.deeper()()
	var all []target
	for several := inside; ; several = true {
		if p.skipOp("(") {
			all = append(all, p.targets(true))
			p.expectOp(")")
		} else {
			name := p.expect(nameToken, "a name")
			switch name.text {
			case "true", "false", "none", "True", "False", "None":
				p.fail("%s cannot be assigned to", name.text)
			}
			all = append(all, target{name: name.text})
		}
		if !p.skipOp(",") {
			if len(all) == 1 && (!several || inside) {
				return all[0]
			}
			return target{several: all}
		}
		if p.peek().kind != nameToken && !p.isOp("(") || p.isName("in") {
			return target{several: all}
		}
	}
}

// macro reads the arguments of a macro, if there are any, and its body, if it has an end here.
func (p *parser) macro(name string, arguments bool, end string) *macro {
	m := &macro{name: name}
	if arguments {
		p.expectOp("(")
		for !p.isOp(")") {
			if len(m.args) > 0 {
				p.expectOp(",")
			}
			arg := parameter{name: p.expect(nameToken, "the name of an argument").text}
			if p.skipOp("=") {
				arg.otherwise = p.expression()
			} else if len(m.args) > 0 && m.args[len(m.args)-1].otherwise != nil {
				p.fail("an argument without a default follows one with a default")
			}
			m.args = append(m.args, arg)
		}
		p.next()
	}
	if end != "" {
		p.macroBody(m, end)
	}
	return m
}

func (p *parser) macroBody(m *macro, end string) {
	around := p.macroAround
	p.macroAround = m
	m.body = p.callBody(end)
	p.macroAround = around
}

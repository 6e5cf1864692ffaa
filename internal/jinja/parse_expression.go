package jinja

// expression reads an expression, a conditional one included.
func (p *parser) expression() expr {
	defer p.deeper()()
	e := p.or()
	for p.isName("if") {
		line := p.next().line
		n := &conditionExpr{line: line, then: e, test: p.or()}
		if p.skipName("else") {
			n.otherwise = p.expression()
		}
		e = n
	}
	return e
}

// tuple reads expressions in a row; one alone is itself.
func (p *parser) tuple() expr { return p.tupleOf(p.expression) }

func (p *parser) tupleOf(one func() expr) expr {
	first := one()
	if !p.isOp(",") {
		return first
	}
	n := &listExpr{items: []expr{first}, tuple: true}
	for p.skipOp(",") && !p.endsTuple() {
		n.items = append(n.items, one())
	}
	return n
}

func (p *parser) endsTuple() bool {
	k := p.peek().kind
	return k == expressionEnd || k == blockEnd || p.isOp(")") || p.isName("in", "if", "recursive")
}

func (p *parser) or() expr {
	e := p.and()
	for p.isName("or") {
		line := p.next().line
		e = &logicExpr{line, false, e, p.and()}
	}
	return e
}

func (p *parser) and() expr {
	e := p.not()
	for p.isName("and") {
		line := p.next().line
		e = &logicExpr{line, true, e, p.not()}
	}
	return e
}

func (p *parser) not() expr {
	if !p.isName("not") {
		return p.compare()
	}
	defer p.deeper()()
	p.next()
	return &notExpr{p.not()}
}

func (p *parser) compare() expr {
	line := p.peek().line
	n := &compareExpr{line: line, first: p.sum()}
	for {
		op := ""
		switch {
		case p.isOp("==", "!=", "<", ">", "<=", ">="):
			op = p.next().text
		case p.isName("in"):
			op = p.next().text
		case p.isName("not") && p.tokens[p.at+1].text == "in" && p.tokens[p.at+1].kind == nameToken:
			p.next()
			p.next()
			op = "not in"
		default:
			if n.ops == nil {
				return n.first
			}
			return n
		}
		n.ops, n.rest = append(n.ops, op), append(n.rest, p.sum())
	}
}

// leftToRight reads operands joined by operators of one rank.
func (p *parser) leftToRight(operand func() expr, ops ...string) expr {
	e := operand()
	for p.isOp(ops...) {
		op := p.next()
		e = &binaryExpr{op.line, op.text, e, operand()}
	}
	return e
}

func (p *parser) sum() expr     { return p.leftToRight(p.concat, "+", "-") }
func (p *parser) concat() expr  { return p.leftToRight(p.product, "~") }
func (p *parser) product() expr { return p.leftToRight(p.power, "*", "/", "//", "%") }
func (p *parser) power() expr {
	return p.leftToRight(func() expr { return p.unary(true) }, "**")
}

func (p *parser) unary(filters bool) expr {
	defer p.deeper()()
	var e expr
	if p.isOp("-", "+") {
		op := p.next()
		e = &signExpr{op.line, op.text, p.unary(false)}
	} else {
		e = p.primary()
	}
	e = p.postfix(e)
	for filters {
		switch {
		case p.isOp("|"):
			e = p.filter(e, false)
		case p.isName("is"):
			e = p.test(e)
		case p.isOp("("):
			e = p.call(e)
		default:
			return e
		}
	}
	return e
}

func (p *parser) primary() expr {
	t := p.peek()
	switch {
	case t.kind == nameToken:
		p.next()
		switch t.text {
		case "true", "True":
			return &constExpr{true}
		case "false", "False":
			return &constExpr{false}
		case "none", "None":
			return &constExpr{nil}
		case "varargs", "kwargs":
			if m := p.macroAround; m != nil {
				m.varargs, m.kwargs = m.varargs || t.text == "varargs", m.kwargs || t.text == "kwargs"
			}
		}
		return &nameExpr{t.line, t.text}
	case t.kind == stringToken:
		text := ""
		for p.peek().kind == stringToken {
			text += p.next().text
		}
		return &constExpr{text}
	case t.kind == integerToken || t.kind == floatToken:
		p.next()
		return &constExpr{t.value}
	case p.skipOp("("):
		if p.skipOp(")") {
			return &listExpr{tuple: true}
		}
		e := p.tuple()
		p.expectOp(")")
		return e
	case p.skipOp("["):
		n := &listExpr{}
		for !p.skipOp("]") {
			if len(n.items) > 0 {
				p.expectOp(",")
				if p.skipOp("]") {
					break
				}
			}
			n.items = append(n.items, p.expression())
		}
		return n
	case p.skipOp("{"):
		return p.dict(t.line)
	}
	p.fail("unexpected %q", t.text)
	return nil
}

func (p *parser) dict(line int) expr {
	n := &dictExpr{line: line}
	for !p.skipOp("}") {
		if len(n.keys) > 0 {
			p.expectOp(",")
			if p.skipOp("}") {
				break
			}
		}
		n.keys = append(n.keys, p.expression())
		p.expectOp(":")
		n.values = append(n.values, p.expression())
	}
	return n
}

func (p *parser) postfix(e expr) expr {
	for {
		switch {
		case p.isOp("."):
			line := p.next().line
			switch t := p.next(); t.kind {
			case nameToken:
				e = &attributeExpr{line, e, t.text}
			case integerToken:
				e = &itemExpr{line, e, &constExpr{t.value}}
			default:
				p.at--
				p.fail("expected an attribute, not %q", t.text)
			}
		case p.isOp("["):
			e = p.subscript(e)
		case p.isOp("("):
			e = p.call(e)
		default:
			return e
		}
	}
}

func (p *parser) subscript(e expr) expr {
	line := p.next().line
	var parts [3]expr
	colons := 0
	for !p.isOp("]") {
		if p.skipOp(":") {
			if colons++; colons > 2 {
				p.fail("a slice has at most two colons")
			}
			continue
		}
		if parts[colons] != nil {
			p.fail("expected %q, not %q", "]", p.peek().text)
		}
		parts[colons] = p.expression()
	}
	p.next()
	switch {
	case colons > 0:
		return &sliceExpr{line, e, parts}
	case parts[0] == nil:
		p.fail("expected a subscript")
	}
	return &itemExpr{line, e, parts[0]}
}

func (p *parser) call(e expr) expr {
	line := p.peek().line
	return &callExpr{line, e, p.arguments()}
}

func (p *parser) arguments() argumentList {
	p.expectOp("(")
	var a argumentList
	for first := true; !p.skipOp(")"); first = false {
		if !first {
			p.expectOp(",")
			if p.skipOp(")") {
				break
			}
		}
		switch {
		case p.skipOp("*"):
			a.rest = p.expression()
		case p.skipOp("**"):
			a.named = p.expression()
		case p.peek().kind == nameToken && p.tokens[p.at+1].text == "=" && p.tokens[p.at+1].kind == operatorToken:
			name := p.next().text
			p.next()
			a.keys, a.values = append(a.keys, name), append(a.values, p.expression())
		case len(a.keys) > 0:
			p.fail("an argument without a name follows one with a name")
		default:
			a.positional = append(a.positional, p.expression())
		}
	}
	return a
}

// filter reads a filter of e, or a chain of them; inTag says that there is no | before the first.
func (p *parser) filter(e expr, inTag bool) expr {
	for inTag || p.isOp("|") {
		if !inTag {
			p.next()
		}
		inTag = false
		name := p.dotted()
		f, ok := filters[name.text]
		if !ok {
			p.at--
			p.fail("no filter is called %q", name.text)
		}
		n := &filterExpr{line: name.line, name: name.text, filter: f, of: e}
		if p.isOp("(") {
			n.args = p.arguments()
		}
		e = n
	}
	return e
}

func (p *parser) dotted() token {
	t := p.expect(nameToken, "a name")
	for p.skipOp(".") {
		t.text += "." + p.expect(nameToken, "a name").text
	}
	return t
}

// test reads `is` and what follows: a name, and perhaps arguments or, without parentheses, one.
func (p *parser) test(e expr) expr {
	line := p.next().line
	negated := p.skipName("not")
	name := p.dotted()
	f, ok := tests[name.text]
	if !ok {
		p.at--
		p.fail("no test is called %q", name.text)
	}
	n := &testExpr{line: line, test: f, of: e}
	switch t := p.peek(); {
	case p.isOp("("):
		n.args = p.arguments()
	case t.kind == stringToken || t.kind == integerToken || t.kind == floatToken || p.isOp("[", "{") ||
		t.kind == nameToken && !p.isName("else", "or", "and", "is", "if", "in", "not", "recursive"):
		n.args.positional = []expr{p.postfix(p.primary())}
	}
	if negated {
		return &notExpr{n}
	}
	return n
}

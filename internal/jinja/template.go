package jinja

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// Limits of what a template may do. Those that are published stay far below.
const (
	maxDepth  = 200      // of nested expressions, statements and calls
	maxSteps  = 2000000  // expressions, statements, and items that they make, in a rendering
	maxSource = 1 << 20  // bytes of a template
	maxOutput = 16 << 20 // bytes
	maxRange  = 100000   // of range(), as in Jinja's sandbox
)

// Template is a parsed template. It is immutable and safe for many goroutines at once.
type Template struct {
	body        []statement
	generations bool
}

// Error is what is wrong with a template, or what went wrong when it was rendered.
type Error struct {
	Line    int // of the template, from 1
	Message string
	Raised  bool // by the template itself, with raise_exception
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Span is a part of the rendered text: bytes from Start up to End.
type Span struct{ Start, End int }

// Rendering is what a template makes of its variables.
type Rendering struct {
	Text        string
	Generations []Span // what the generation blocks wrote
}

// Parse reads a template.
func Parse(source string) (t *Template, err error) {
	defer rescue(&err)
	if len(source) > maxSource {
		return nil, &Error{Line: 1, Message: fmt.Sprintf("the template has more than %d KiB", maxSource>>10)}
	}
	p := parser{tokens: lex(source)}
	body := p.statements()
	if p.peek().kind != endOfTemplate {
		p.fail("unknown tag %q", p.peek().text)
	}
	return &Template{body, p.generations}, nil
}

// HasGenerations reports whether the template marks what the assistant says by generation blocks.
func (t *Template) HasGenerations() bool { return t.generations }

// Render renders the template. Variables are values as [Decode] makes them: nil, bool, int64, float64, string, [List] and
// *[Dict]. The clock is what strftime_now shows.
func (t *Template) Render(variables map[string]Value, clock time.Time) (r Rendering, err error) {
	defer rescue(&err)
	globals := &scope{names: maps.Clone(globalFunctions)}
	globals.names["strftime_now"] = &function{"strftime_now", func(_ *state, a arguments) Value {
		format, ok := a.one("format").(string)
		if !ok {
			panic(problem("strftime_now takes a format"))
		}
		return strftime(clock, format)
	}}
	for name, v := range variables {
		globals.names[name] = v
	}
	var out strings.Builder
	s := &state{out: &out, root: &out, scope: &scope{parent: globals, names: map[string]Value{}}, line: 1}
	defer s.locate()
	s.run(t.body)
	return Rendering{out.String(), s.spans}, nil
}

// problem is what a value cannot do; the place is added where it is known.
type problem string

func problemf(format string, a ...any) problem { return problem(fmt.Sprintf(format, a...)) }

// locate gives a problem that comes up its line.
func (s *state) locate() {
	switch r := recover().(type) {
	case nil:
	case problem:
		panic(&Error{Line: s.line, Message: string(r)})
	default:
		panic(r)
	}
}

// rescue turns an Error that was thrown into one that is returned.
func rescue(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Error:
		*err = r
	default:
		panic(r)
	}
}

package jinja

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	dataToken kind = iota // text between tags
	expressionBegin
	expressionEnd
	blockBegin
	blockEnd
	nameToken
	stringToken
	integerToken
	floatToken
	operatorToken
	endOfTemplate
)

type token struct {
	kind  kind
	text  string // for strings, what they stand for
	value Value  // of numbers
	line  int
}

// lexer cuts a template into tokens by the rules of Jinja's lexer with trim_blocks and lstrip_blocks.
type lexer struct {
	source    string
	at        int
	line      int
	lineBegin bool // what was read last ended in a line feed, or nothing was read
	tokens    []token
}

func lex(source string) []token {
	source = strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	l := lexer{source: strings.TrimSuffix(source, "\n"), line: 1, lineBegin: true}
	for l.at < len(l.source) {
		l.piece()
	}
	l.add(endOfTemplate, "end of template")
	return l.tokens
}

func (l *lexer) fail(format string, a ...any) {
	panic(&Error{Line: l.line, Message: string(problemf(format, a...))})
}

func (l *lexer) add(k kind, text string) {
	l.tokens = append(l.tokens, token{kind: k, text: text, line: l.line})
}

// take goes over the next n bytes.
func (l *lexer) take(n int) string {
	text := l.source[l.at : l.at+n]
	l.line += strings.Count(text, "\n")
	l.at += n
	if n > 0 {
		l.lineBegin = text[n-1] == '\n'
	}
	return text
}

func (l *lexer) rest() string { return l.source[l.at:] }

// piece reads text up to the next tag, and the tag.
func (l *lexer) piece() {
	begin := l.nextTag()
	if begin < 0 {
		l.add(dataToken, l.take(len(l.rest())))
		return
	}
	tag := l.rest()[begin : begin+2]
	sign := signAfter(l.rest()[begin+2:])
	text, line, lineBegin := l.rest()[:begin], l.line, l.lineBegin
	l.take(begin)
	if text = stripBefore(text, sign, tag != "{{", lineBegin); text != "" {
		l.tokens = append(l.tokens, token{kind: dataToken, text: text, line: line})
	}
	if tag == "{%" && l.raw() {
		return
	}
	l.take(2 + len(sign))
	switch tag {
	case "{#":
		end := strings.Index(l.rest(), "#}")
		if end < 0 {
			l.fail("a comment has no end; #} is missing")
		}
		if end > 0 && (l.rest()[end-1] == '-' || l.rest()[end-1] == '+') {
			end--
		}
		l.take(end)
		l.take(endOfTag(l.rest(), "#}", true))
	case "{{":
		l.add(expressionBegin, tag)
		l.inside("}}", expressionEnd)
	default:
		l.add(blockBegin, tag)
		l.inside("%}", blockEnd)
	}
}

// nextTag returns where the next tag begins in the rest, −1 if there is none.
func (l *lexer) nextTag() int {
	rest := l.rest()
	for from := 0; ; from++ {
		i := strings.IndexByte(rest[from:], '{')
		if i < 0 || from+i+1 >= len(rest) {
			return -1
		}
		if from += i; strings.IndexByte("{%#", rest[from+1]) >= 0 {
			return from
		}
	}
}

// signAfter returns the sign that a tag begins with.
func signAfter(text string) string {
	if text != "" && (text[0] == '-' || text[0] == '+') {
		return text[:1]
	}
	return ""
}

// stripBefore drops the white space before a tag that its sign asks for, or that stands alone before a block on its line.
func stripBefore(text, sign string, block, lineBegin bool) string {
	switch {
	case sign == "-":
		return strings.TrimRightFunc(text, isSpace)
	case sign == "" && block:
		line := strings.LastIndexByte(text, '\n') + 1
		if (line > 0 || lineBegin) && strings.TrimLeftFunc(text[line:], isSpace) == "" {
			return text[:line]
		}
	}
	return text
}

// endOfTag returns the length of the end of a tag that text begins with, with the white space that it takes along; 0 if it
// begins with something else. After a block a line feed is taken along.
func endOfTag(text, end string, block bool) int {
	switch {
	case strings.HasPrefix(text, "-"+end):
		return len(text) - len(strings.TrimLeftFunc(text[3:], isSpace))
	case block && strings.HasPrefix(text, "+"+end):
		return 3
	case block && strings.HasPrefix(text, end+"\n"):
		return 3
	case strings.HasPrefix(text, end):
		return 2
	}
	return 0
}

// raw reads a raw block, whose text is data whatever it looks like, and reports whether there is one.
func (l *lexer) raw() bool {
	n := tagOf(l.rest(), "raw", false)
	if n == 0 {
		return false
	}
	line := l.line
	l.take(n)
	for at := 0; ; at++ {
		i := strings.Index(l.rest()[at:], "{%")
		if i < 0 {
			l.line = line
			l.fail("a raw block has no end; {%% endraw %%} is missing")
		}
		at += i
		if n := tagOf(l.rest()[at:], "endraw", true); n > 0 {
			line, lineBegin := l.line, l.lineBegin
			text := stripBefore(l.take(at), signAfter(l.rest()[2:]), true, lineBegin)
			l.tokens = append(l.tokens, token{kind: dataToken, text: text, line: line})
			l.take(n)
			return true
		}
	}
}

// tagOf returns the length of the block tag of just this name that text begins with, 0 if there is none.
func tagOf(text, name string, trim bool) int {
	rest := text[2:]
	rest = strings.TrimLeftFunc(rest[len(signAfter(rest)):], isSpace)
	if !strings.HasPrefix(rest, name) {
		return 0
	}
	rest = strings.TrimLeftFunc(rest[len(name):], isSpace)
	n := endOfTag(rest, "%}", trim)
	if n == 0 {
		return 0
	}
	return len(text) - len(rest) + n
}

// inside reads the tokens of a tag up to its end. Inside of brackets the end is not looked for.
func (l *lexer) inside(end string, k kind) {
	var open []byte
	first := l.line
	for {
		rest := l.rest()
		rest = strings.TrimLeftFunc(rest, isSpace)
		l.take(len(l.rest()) - len(rest))
		if rest == "" {
			l.line = first
			l.fail("a tag has no end; %s is missing", end)
		}
		if len(open) == 0 {
			if n := endOfTag(rest, end, end == "%}"); n > 0 {
				l.add(k, end)
				l.take(n)
				return
			}
		}
		switch c := rest[0]; {
		case c >= '0' && c <= '9':
			l.number()
		case c == '"' || c == '\'':
			l.quoted()
		case c == '_' || c >= utf8.RuneSelf || unicode.IsLetter(rune(c)):
			l.name()
		default:
			open = l.operator(open)
		}
	}
}

func (l *lexer) name() {
	rest := l.rest()
	n := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if n < 0 {
		n = len(rest)
	}
	if n == 0 {
		l.fail("unexpected character %q", []rune(rest)[0])
	}
	l.add(nameToken, rest[:n])
	l.take(n)
}

const brackets = "()[]{}"

func (l *lexer) operator(open []byte) []byte {
	rest := l.rest()
	n := 1
	if len(rest) > 1 {
		switch rest[:2] {
		case "//", "**", "==", "!=", ">=", "<=":
			n = 2
		}
	}
	if n == 1 && strings.IndexByte("+-/*%~[](){}><=.:|,;", rest[0]) < 0 {
		l.fail("unexpected character %q", rest[0])
	}
	switch i := strings.IndexByte(brackets, rest[0]); {
	case i < 0:
	case i%2 == 0:
		open = append(open, brackets[i+1])
	case len(open) == 0 || open[len(open)-1] != rest[0]:
		l.fail("unexpected %q", rest[0])
	default:
		open = open[:len(open)-1]
	}
	l.add(operatorToken, rest[:n])
	l.take(n)
	return open
}

func (l *lexer) number() {
	rest := l.rest()
	digits := func(from int, set string) int {
		for from < len(rest) && (strings.IndexByte(set, rest[from]) >= 0 || rest[from] == '_') {
			from++
		}
		return from
	}
	const decimal = "0123456789"
	n, float := digits(0, decimal), false
	afterDot := len(l.tokens) > 0 && l.tokens[len(l.tokens)-1].text == "." // a part of an attribute, not of a number
	if n+1 < len(rest) && rest[n] == '.' && strings.IndexByte(decimal, rest[n+1]) >= 0 && !afterDot {
		n, float = digits(n+1, decimal), true
	}
	if n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') && !afterDot {
		from := n + 1
		if from < len(rest) && (rest[from] == '+' || rest[from] == '-') {
			from++
		}
		if end := digits(from, decimal); end > from {
			n, float = end, true
		}
	}
	if n == 1 && rest[0] == '0' && len(rest) > 2 && strings.IndexByte("xXoObB", rest[1]) >= 0 {
		n = digits(2, "0123456789abcdefABCDEF")
	}
	t := token{kind: integerToken, text: rest[:n], line: l.line}
	clean, err := strings.ReplaceAll(t.text, "_", ""), error(nil)
	if float {
		t.kind = floatToken
		t.value, err = strconv.ParseFloat(clean, 64)
	} else {
		base := 10
		if len(clean) > 2 && clean[0] == '0' && clean[1] > '9' {
			base = 0
		}
		t.value, err = strconv.ParseInt(clean, base, 64)
	}
	if err != nil {
		l.fail("%q is no number that can be used", t.text)
	}
	l.tokens = append(l.tokens, t)
	l.take(n)
}

// quoted reads a string with Python's escapes.
func (l *lexer) quoted() {
	rest, line := l.rest(), l.line
	var b strings.Builder
	for i := 1; i < len(rest); {
		switch c := rest[i]; c {
		case rest[0]:
			l.take(i + 1)
			l.tokens = append(l.tokens, token{kind: stringToken, text: b.String(), line: line})
			return
		case '\\':
			i += l.escape(&b, rest[i:])
		default:
			b.WriteByte(c)
			i++
		}
	}
	l.fail("a string has no end; %c is missing", rest[0])
}

var escapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// escape writes what the escape that text begins with stands for, and returns its length.
func (l *lexer) escape(b *strings.Builder, text string) int {
	if len(text) < 2 {
		return len(text)
	}
	if s, ok := escapes[text[1]]; ok {
		b.WriteString(s)
		return 2
	}
	length := map[byte]int{'x': 2, 'u': 4, 'U': 8}[text[1]]
	switch c := text[1]; {
	case length > 0:
		code, err := strconv.ParseUint(text[2:min(len(text), 2+length)], 16, 32)
		if err != nil || len(text) < 2+length || code > unicode.MaxRune {
			l.fail("the escape \\%c needs %d hexadecimal digits of a character", c, length)
		}
		b.WriteRune(rune(code))
		return 2 + length
	case c >= '0' && c <= '7':
		n := 2
		for n < min(len(text), 4) && text[n] >= '0' && text[n] <= '7' {
			n++
		}
		code, _ := strconv.ParseUint(text[1:n], 8, 32)
		b.WriteRune(rune(code))
		return n
	}
	b.WriteByte('\\') // it stays, as in Python
	return 1
}

// isSpace is Python's str.isspace of a character.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

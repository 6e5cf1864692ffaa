package jinja

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is a value as it is printed: Python's str, and nothing for what is undefined.
func str(v Value) string {
	switch v := v.(type) {
	case string:
		return v
	case *undefined:
		return ""
	}
	return repr(v)
}

// repr is Python's repr.
func repr(v Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return reprFloat(v)
	case string:
		return quote(v)
	case List:
		return "[" + reprAll(v) + "]"
	case tuple:
		if len(v) == 1 {
			return "(" + repr(v[0]) + ",)"
		}
		return "(" + reprAll(v) + ")"
	case *Dict:
		var b strings.Builder
		for k, value := range v.All() {
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(repr(k) + ": " + repr(value))
		}
		return "{" + b.String() + "}"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "<Namespace>"
	case *function:
		return "<function " + v.name + ">"
	}
	return "<" + typeName(v) + ">"
}

func reprAll(values []Value) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = repr(v)
	}
	return strings.Join(parts, ", ")
}

// reprFloat is the shortest decimal that is read as the same number, as Python prints it.
func reprFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f != 0 && (math.Abs(f) < 1e-4 || math.Abs(f) >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// quote is Python's repr of a string.
func quote(s string) string {
	delimiter := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		delimiter = '"'
	}
	var b strings.Builder
	b.WriteRune(delimiter)
	for _, r := range s {
		switch {
		case r == delimiter || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + hex(r, 2))
		case r < 0x10000:
			b.WriteString(`\u` + hex(r, 4))
		default:
			b.WriteString(`\U` + hex(r, 8))
		}
	}
	b.WriteRune(delimiter)
	return b.String()
}

func hex(r rune, width int) string {
	digits := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", max(0, width-len(digits))) + digits
}

// format is Python's format % values.
func format(f string, v Value) string {
	args, single := []Value{v}, true
	if t, ok := v.(tuple); ok {
		args, single = t, false
	}
	var b strings.Builder
	used := 0
	for i := 0; i < len(f); i++ {
		if f[i] != '%' {
			b.WriteByte(f[i])
			continue
		}
		spec, n := readVerb(f[i+1:])
		if n == 0 {
			panic(problem("incomplete format"))
		}
		i += n
		if spec.verb == '%' {
			b.WriteByte('%')
			continue
		}
		var arg Value
		if d, ok := v.(*Dict); ok && spec.key != "" {
			if arg, ok = d.Get(spec.key); !ok {
				panic(problemf("KeyError: %s", quote(spec.key)))
			}
			single = true
			used = len(args)
		} else {
			if used >= len(args) {
				panic(problem("not enough arguments for format string"))
			}
			arg = args[used]
			used++
		}
		b.WriteString(spec.format(arg))
	}
	if _, mapping := v.(*Dict); used < len(args) && !(single && mapping) {
		panic(problem("not all arguments converted during string formatting"))
	}
	return b.String()
}

// verb is one conversion of a format.
type verb struct {
	key              string
	flags            string
	width, precision int // −1: none
	verb             byte
}

// readVerb reads what follows a % sign and returns its length, 0 if it is not complete.
func readVerb(s string) (v verb, n int) {
	v.width, v.precision = -1, -1
	if strings.HasPrefix(s, "(") {
		end := strings.IndexByte(s, ')')
		if end < 0 {
			return v, 0
		}
		v.key, n = s[1:end], end+1
	}
	for n < len(s) && strings.IndexByte("-+ #0", s[n]) >= 0 {
		v.flags += s[n : n+1]
		n++
	}
	n += leadingInt(s[n:], &v.width)
	if n < len(s) && s[n] == '.' {
		v.precision = 0
		n += 1 + leadingInt(s[n+1:], &v.precision)
	}
	if n >= len(s) {
		return v, 0
	}
	v.verb = s[n]
	return v, n + 1
}

func leadingInt(s string, to *int) (n int) {
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	if n > 0 {
		i, err := strconv.Atoi(s[:n])
		if err != nil || i > 1000 {
			panic(problemf("a width of %s is too large", s[:n]))
		}
		*to = i
	}
	return n
}

func (v verb) format(arg Value) string {
	var text string
	numeral := true
	switch v.verb {
	case 's', 'r':
		numeral = false
		if text = str(arg); v.verb == 'r' {
			text = repr(arg)
		}
		if v.precision >= 0 {
			text = slice(text, nil, int64(v.precision), nil).(string)
		}
	case 'd', 'i', 'u', 'x', 'X', 'o':
		n, ok := numeric(arg)
		if !ok {
			panic(problemf("%%%c format: a real number is required, not %s", v.verb, typeName(arg)))
		}
		base := 10
		switch v.verb {
		case 'x', 'X':
			base = 16
		case 'o':
			base = 8
		}
		text = strconv.FormatInt(toInt(n), base)
		if v.verb == 'X' {
			text = strings.ToUpper(text)
		}
	case 'f', 'F', 'e', 'E', 'g', 'G':
		n, ok := numeric(arg)
		if !ok {
			panic(problem("must be real number, not " + typeName(arg)))
		}
		precision := v.precision
		if precision < 0 {
			precision = 6
		}
		lower := v.verb | 0x20
		if lower == 'g' {
			precision = max(precision, 1)
		}
		text = strconv.FormatFloat(floatOf(n), lower, precision, 64)
		if v.verb < 'a' {
			text = strings.ToUpper(text)
		}
	default:
		panic(problemf("unsupported format character '%c'", v.verb))
	}
	return v.pad(text, numeral)
}

func (v verb) pad(text string, numeral bool) string {
	sign := ""
	if numeral {
		switch {
		case strings.HasPrefix(text, "-"):
			sign, text = "-", text[1:]
		case strings.Contains(v.flags, "+"):
			sign = "+"
		case strings.Contains(v.flags, " "):
			sign = " "
		}
	}
	fill := max(0, v.width-utf8.RuneCountInString(sign+text))
	switch {
	case strings.Contains(v.flags, "-"):
		return sign + text + strings.Repeat(" ", fill)
	case numeral && strings.Contains(v.flags, "0"):
		return sign + strings.Repeat("0", fill) + text
	}
	return strings.Repeat(" ", fill) + sign + text
}

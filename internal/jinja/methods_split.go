package jinja

import (
	"strconv"
	"strings"
)

// limit is how often split may cut, −1 for any number.
func limit(a arguments) int { return int(max(-1, min(a.integer(1, "maxsplit", -1), 1<<31))) }

func listOf(s *state, parts []string) Value {
	s.spend(len(parts))
	list := make(List, len(parts))
	for i, p := range parts {
		list[i] = p
	}
	return list
}

func separator(a arguments) (string, bool) {
	v := a.get(0, "sep", nil)
	if v == nil {
		return "", false
	}
	sep, ok := must(v).(string)
	if !ok {
		panic(problemf("must be str or None, not %s", typeName(v)))
	}
	if sep == "" {
		panic(problem("empty separator"))
	}
	return sep, true
}

func split(s *state, t string, a arguments) Value {
	n := limit(a)
	if sep, ok := separator(a); ok {
		if n >= 0 {
			n++
		}
		return listOf(s, strings.SplitN(t, sep, n))
	}
	var parts []string
	for rest := strings.TrimLeftFunc(t, isSpace); rest != ""; {
		end := strings.IndexFunc(rest, isSpace)
		if end < 0 || n >= 0 && len(parts) == n {
			parts = append(parts, strings.TrimRightFunc(rest, isSpace))
			if end >= 0 {
				parts[len(parts)-1] = rest
			}
			break
		}
		parts = append(parts, rest[:end])
		rest = strings.TrimLeftFunc(rest[end:], isSpace)
	}
	return listOf(s, parts)
}

func rsplit(s *state, t string, a arguments) Value {
	n := limit(a)
	sep, given := separator(a)
	if n < 0 {
		return split(s, t, a)
	}
	var back []string // from the last
	for rest := t; ; {
		if !given {
			rest = strings.TrimRightFunc(rest, isSpace)
		}
		at, size := strings.LastIndex(rest, sep), len(sep)
		if !given {
			at, size = strings.LastIndexFunc(rest, isSpace), 0
			if at >= 0 {
				size = len(rest[at:]) - len(strings.TrimLeftFunc(rest[at:], isSpace))
			}
		}
		if at < 0 || len(back) == n {
			if given || rest != "" {
				back = append(back, rest)
			}
			break
		}
		back, rest = append(back, rest[at+size:]), rest[:at]
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return listOf(s, back)
}

// splitLines cuts after every end of a line that Python knows.
func splitLines(s *state, t string, a arguments) Value {
	keep := a.flag(0, "keepends", false)
	var lines []string
	for t != "" {
		end := strings.IndexAny(t, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if end < 0 {
			lines = append(lines, t)
			break
		}
		next := end + 1
		switch {
		case strings.HasPrefix(t[end:], "\r\n"), strings.HasPrefix(t[end:], "\u0085"):
			next = end + 2
		case strings.HasPrefix(t[end:], "\u2028"), strings.HasPrefix(t[end:], "\u2029"):
			next = end + 3
		}
		if keep {
			end = next
		}
		lines, t = append(lines, t[:end]), t[next:]
	}
	return listOf(s, lines)
}

func joinAll(s *state, t string, a arguments) Value {
	var parts []string
	total := 0
	for i, v := range items(must(a.one("iterable"))) {
		part, ok := v.(string)
		if !ok {
			panic(problemf("sequence item %d: expected str instance, %s found", i, typeName(v)))
		}
		parts = append(parts, part)
		if total += len(part) + len(t); total > maxOutput {
			panic(problem("a joined text grows too large"))
		}
	}
	s.spend(len(parts))
	return s.made(strings.Join(parts, t))
}

// formatBraces is str.format with {}, {0} and {name}; conversions after a colon are not known.
func formatBraces(s *state, t string, a arguments) Value {
	var b strings.Builder
	next, manual := 0, false
	for i := 0; i < len(t); i++ {
		switch {
		case strings.HasPrefix(t[i:], "{{"), strings.HasPrefix(t[i:], "}}"):
			b.WriteByte(t[i])
			i++
		case t[i] == '{':
			end := strings.IndexByte(t[i:], '}')
			if end < 0 {
				panic(problem("expected '}' before end of string"))
			}
			field := t[i+1 : i+end]
			switch _, err := strconv.Atoi(field); {
			case field == "" && manual, err == nil && next > 0:
				panic(problem("automatic and manual numbering of fields do not mix"))
			case field == "":
				field = strconv.Itoa(next)
				next++
			case err == nil:
				manual = true
			}
			b.WriteString(str(a.field(field)))
			i += end
		case t[i] == '}':
			panic(problem("Single '}' encountered in format string"))
		default:
			b.WriteByte(t[i])
		}
	}
	return s.made(b.String())
}

func (a arguments) field(name string) Value {
	if i, err := strconv.Atoi(name); err == nil {
		if i < 0 || i >= len(a.positional) {
			panic(problem("Replacement index " + name + " out of range for positional args tuple"))
		}
		return a.positional[i]
	}
	v, ok := a.named(name)
	if !ok {
		panic(problemf("format knows no field %s", quote(name)))
	}
	return v
}

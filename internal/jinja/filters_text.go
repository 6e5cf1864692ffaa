package jinja

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// onText makes a filter of a function of the printed value.
func onText(f func(string) string) filter {
	return func(s *state, v Value, _ arguments) Value { return s.made(f(str(v))) }
}

// method makes a filter of a method of strings.
func method(name string) filter {
	return func(s *state, v Value, a arguments) Value { return stringMethods[name](s, str(v), a) }
}

func upper(t string) string { return cases.Upper(language.Und).String(t) }
func lower(t string) string { return cases.Lower(language.Und).String(t) }

func capitalize(t string) string {
	if t == "" {
		return t
	}
	_, n := utf8.DecodeRuneInString(t)
	return cases.Title(language.Und, cases.NoLower).String(t[:n]) + lower(t[n:])
}

// title is the filter: words begin after white space, hyphens and opening brackets. (The method knows others.)
func title(t string) string {
	var b strings.Builder
	for t != "" {
		end := strings.IndexFunc(t, func(r rune) bool { return isSpace(r) || strings.ContainsRune("-({[<", r) })
		if end < 0 {
			end = len(t)
		}
		if word := t[:end]; word != "" {
			_, n := utf8.DecodeRuneInString(word)
			b.WriteString(upper(word[:n]) + lower(word[n:]))
		}
		if end == len(t) {
			break
		}
		_, n := utf8.DecodeRuneInString(t[end:])
		b.WriteString(t[end : end+n])
		t = t[end+n:]
	}
	return b.String()
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

func escapeHTML(t string) string { return htmlEscapes.Replace(t) }

func urlEncode(t string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(t), "+", "%20"), "%2F", "/")
}

func trim(_ *state, v Value, a arguments) Value {
	return stripped(str(v), a.get(0, "chars", nil), true, true)
}

func replace(s *state, v Value, a arguments) Value {
	old, with, n := str(a.need(0, "old")), str(a.need(1, "new")), int64(-1)
	if a.get(2, "count", nil) != nil {
		n = a.integer(2, "count", -1)
	}
	return s.replaced(str(v), old, with, n)
}

// replaced replaces the first n occurrences, all if n is negative.
func (s *state) replaced(text, old, with string, n int64) string {
	times := int64(strings.Count(text, old))
	if n >= 0 {
		times = min(times, n)
	}
	if times*int64(len(with)) > maxOutput {
		panic(problem("a replacement grows too large"))
	}
	return s.made(strings.Replace(text, old, with, int(times)))
}

func join(s *state, v Value, a arguments) Value {
	all, between, attribute := items(v), a.text(0, "d", ""), a.get(1, "attribute", nil)
	var b strings.Builder
	for i, one := range all {
		s.spend(1)
		if attribute != nil {
			one = path(one, attribute)
		}
		if i > 0 {
			b.WriteString(between)
		}
		b.WriteString(str(one))
		if b.Len() > maxOutput {
			panic(problem("a joined text grows too large"))
		}
	}
	return s.made(b.String())
}

func formatText(s *state, v Value, a arguments) Value {
	if len(a.names) > 0 {
		return s.made(format(str(v), dictOf(arguments{names: a.names, values: a.values})))
	}
	return s.made(format(str(v), tuple(a.positional)))
}

func indent(s *state, v Value, a arguments) Value {
	by, ok := a.get(0, "width", int64(4)).(string)
	if !ok {
		by = strings.Repeat(" ", int(min(max(0, a.integer(0, "width", 4)), 1000)))
	}
	firstToo, blankToo := a.flag(1, "first", false), a.flag(2, "blank", false)
	lines := strings.Split(str(v), "\n")
	for i, line := range lines {
		if (i > 0 || firstToo) && (line != "" || blankToo) {
			lines[i] = by + line
		}
	}
	s.spend(len(lines))
	return s.made(strings.Join(lines, "\n"))
}

func truncate(s *state, v Value, a arguments) Value {
	text := str(v)
	most, end, leeway := a.integer(0, "length", 255), a.text(2, "end", "..."), a.integer(3, "leeway", 5)
	if int64(utf8.RuneCountInString(text)) <= most+leeway {
		return text
	}
	kept := slice(text, nil, max(0, most-int64(utf8.RuneCountInString(end))), nil).(string)
	if !a.flag(1, "killwords", false) {
		if i := strings.LastIndexByte(kept, ' '); i >= 0 {
			kept = kept[:i]
		}
	}
	return s.made(kept + end)
}

func wordCount(_ *state, v Value, _ arguments) Value {
	return int64(len(strings.FieldsFunc(str(v), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' })))
}

// wordWrap breaks lines at spaces so that none is longer than a width.
func wordWrap(s *state, v Value, a arguments) Value {
	width, breakLong, wrap := int(a.integer(0, "width", 79)), a.flag(1, "break_long_words", true), a.text(2, "wrapstring", "\n")
	if width < 1 {
		panic(problem("a width of less than one"))
	}
	var lines []string
	for line := range strings.SplitSeq(str(v), "\n") {
		var now []rune
		for word := range strings.SplitSeq(line, " ") {
			rest := []rune(word)
			if len(now) > 0 && len(now)+1+len(rest) > width {
				lines, now = append(lines, string(now)), nil
			} else if len(now) > 0 {
				now = append(now, ' ')
			}
			for breakLong && len(rest) > width {
				lines, rest = append(lines, string(rest[:width])), rest[width:]
			}
			now = append(now, rest...)
		}
		lines = append(lines, string(now))
	}
	return s.made(strings.Join(lines, wrap))
}

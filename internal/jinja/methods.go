package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// changers are the methods that would change a value, which the sandbox refuses.
var changers = map[string]bool{
	"list.append": true, "list.clear": true, "list.extend": true, "list.insert": true, "list.pop": true, "list.remove": true,
	"list.reverse": true, "list.sort": true, "dict.clear": true, "dict.pop": true, "dict.popitem": true, "dict.setdefault": true, "dict.update": true,
}

// partOf returns what belongs to a value under a name: a method, a variable of a namespace, the state of a loop.
func partOf(v Value, name string) (Value, bool) {
	if full := typeName(v) + "." + name; changers[full] {
		return &undefined{"access to attribute " + quote(name) + " of " + quote(typeName(v)) + " object is unsafe."}, true
	}
	switch v := v.(type) {
	case *namespace:
		found, ok := v.values[name]
		return found, ok
	case *loop:
		return v.attribute(name)
	case *function:
		if name == "name" {
			return v.name, true
		}
	case string:
		if f := stringMethods[name]; f != nil {
			return &function{name, func(s *state, a arguments) Value { return f(s, v, a) }}, true
		}
	case *Dict:
		return dictPart(v, name)
	case List:
		return listPart(v, name)
	case tuple:
		return listPart(v, name)
	}
	return nil, false
}

func dictPart(d *Dict, name string) (Value, bool) {
	var f func(a arguments) Value
	switch name {
	case "get":
		f = func(a arguments) Value {
			if v, ok := d.Get(a.one("key")); ok {
				return v
			}
			return a.get(1, "default", nil)
		}
	case "items":
		f = func(arguments) Value { return d.pairs() }
	case "keys":
		f = func(arguments) Value { return List(d.keys) }
	case "values":
		f = func(arguments) Value { return List(d.values) }
	case "copy":
		f = func(arguments) Value { return d }
	default:
		return nil, false
	}
	return &function{name, func(s *state, a arguments) Value {
		s.spend(d.Len())
		return f(a)
	}}, true
}

func listPart(all []Value, name string) (Value, bool) {
	switch name {
	case "count":
		return &function{name, func(s *state, a arguments) Value {
			s.spend(len(all))
			n := int64(0)
			for _, v := range all {
				n += number(equal(v, a.one("value")))
			}
			return n
		}}, true
	case "index":
		return &function{name, func(s *state, a arguments) Value {
			s.spend(len(all))
			for i, v := range all {
				if equal(v, a.one("value")) {
					return int64(i)
				}
			}
			panic(problemf("%s is not in list", repr(a.one("value"))))
		}}, true
	case "copy":
		return &function{name, func(*state, arguments) Value { return List(all) }}, true
	}
	return nil, false
}

// stripped drops characters at the ends: white space, or those in chars.
func stripped(text string, chars Value, left, right bool) string {
	drop := isSpace
	if chars != nil {
		set := str(chars)
		drop = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		text = strings.TrimLeftFunc(text, drop)
	}
	if right {
		text = strings.TrimRightFunc(text, drop)
	}
	return text
}

func strip(left, right bool) func(*state, string, arguments) Value {
	return func(_ *state, t string, a arguments) Value { return stripped(t, a.get(0, "chars", nil), left, right) }
}

func plain(f func(string) string) func(*state, string, arguments) Value {
	return func(s *state, t string, _ arguments) Value { return s.made(f(t)) }
}

// isAll makes a method that asks whether all characters, of which there is at least one, are such.
func isAll(f func(rune) bool) func(*state, string, arguments) Value {
	return func(_ *state, t string, _ arguments) Value {
		return t != "" && !strings.ContainsFunc(t, func(r rune) bool { return !f(r) })
	}
}

// anyOf makes a method that asks for a beginning or an end, or for one of several.
func anyOf(has func(text, part string) bool) func(*state, string, arguments) Value {
	return func(_ *state, t string, a arguments) Value {
		parts, ok := a.one("prefix").(tuple)
		if !ok {
			parts = tuple{a.one("prefix")}
		}
		for _, p := range parts {
			part, ok := p.(string)
			if !ok {
				panic(problemf("first arg must be str or a tuple of str, not %s", typeName(p)))
			}
			if has(t, part) {
				return true
			}
		}
		return false
	}
}

// place makes find and its kin: where a text occurs, in characters, −1 if it does not.
func place(index func(text, part string) int) func(*state, string, arguments) Value {
	return func(_ *state, t string, a arguments) Value {
		i := index(t, str(a.one("sub")))
		if i < 0 {
			return int64(-1)
		}
		return int64(utf8.RuneCountInString(t[:i]))
	}
}

// cut makes partition and rpartition.
func cut(index func(text, part string) int, whole int) func(*state, string, arguments) Value {
	return func(_ *state, t string, a arguments) Value {
		sep := str(a.one("sep"))
		if sep == "" {
			panic(problem("empty separator"))
		}
		if i := index(t, sep); i >= 0 {
			return tuple{t[:i], sep, t[i+len(sep):]}
		}
		parts := tuple{"", "", ""}
		parts[whole] = t
		return parts
	}
}

// align makes ljust, rjust and center; share is the part of the fill that goes left, in halves.
func align(share int) func(*state, string, arguments) Value {
	return func(s *state, t string, a arguments) Value {
		width, fill := a.integer(0, "width", 80), a.text(1, "fillchar", " ")
		n := int(min(width, 10000)) - utf8.RuneCountInString(t)
		if n <= 0 {
			return t
		}
		left := n * share / 2
		if share == 1 && n%2 == 1 && width%2 == 1 { // as Python rounds
			left++
		}
		return s.made(strings.Repeat(fill, left) + t + strings.Repeat(fill, n-left))
	}
}

// titleCase is Python's str.title: words begin after whatever is no letter.
func titleCase(t string) string {
	var b strings.Builder
	inside := false
	for _, r := range t {
		if inside {
			b.WriteString(lower(string(r)))
		} else {
			b.WriteString(capitalize(string(r)))
		}
		inside = unicode.IsLetter(r)
	}
	return b.String()
}

var stringMethods map[string]func(*state, string, arguments) Value

func init() { // format calls str, which knows all values
	stringMethods = map[string]func(*state, string, arguments) Value{
		"strip": strip(true, true), "lstrip": strip(true, false), "rstrip": strip(false, true),
		"upper": plain(upper), "lower": plain(lower), "casefold": plain(lower), "capitalize": plain(capitalize), "title": plain(titleCase),
		"swapcase": plain(func(t string) string {
			return strings.Map(func(r rune) rune {
				if unicode.IsUpper(r) {
					return unicode.ToLower(r)
				}
				return unicode.ToUpper(r)
			}, t)
		}),
		"startswith": anyOf(strings.HasPrefix), "endswith": anyOf(strings.HasSuffix),
		"find": place(strings.Index), "rfind": place(strings.LastIndex), "index": found(strings.Index), "rindex": found(strings.LastIndex),
		"partition": cut(strings.Index, 0), "rpartition": cut(strings.LastIndex, 2),
		"ljust": align(0), "center": align(1), "rjust": align(2),
		"split": split, "rsplit": rsplit, "splitlines": splitLines, "join": joinAll, "format": formatBraces,
		"replace": func(s *state, t string, a arguments) Value {
			return s.replaced(t, str(a.need(0, "old")), str(a.need(1, "new")), a.integer(2, "count", -1))
		},
		"count":        func(_ *state, t string, a arguments) Value { return int64(strings.Count(t, str(a.one("sub")))) },
		"removeprefix": func(_ *state, t string, a arguments) Value { return strings.TrimPrefix(t, str(a.one("prefix"))) },
		"removesuffix": func(_ *state, t string, a arguments) Value { return strings.TrimSuffix(t, str(a.one("suffix"))) },
		"zfill": func(s *state, t string, a arguments) Value {
			v := verb{width: int(min(a.integer(0, "width", 0), 10000)), flags: "0"}
			if strings.HasPrefix(t, "+") {
				v.flags, t = "0+", t[1:]
			}
			return s.made(v.pad(t, true))
		},
		"isdigit": isAll(unicode.IsDigit), "isnumeric": isAll(unicode.IsNumber), "isdecimal": isAll(unicode.IsDigit), "isalpha": isAll(unicode.IsLetter),
		"isalnum": isAll(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }), "isspace": isAll(isSpace),
		"isupper": func(_ *state, t string, _ arguments) Value { return hasCase(t, unicode.IsUpper, unicode.IsLower) },
		"islower": func(_ *state, t string, _ arguments) Value { return hasCase(t, unicode.IsLower, unicode.IsUpper) },
		"isascii": func(_ *state, t string, _ arguments) Value {
			return !strings.ContainsFunc(t, func(r rune) bool { return r > unicode.MaxASCII })
		},
	}
}

// found makes index and rindex, which find and insist.
func found(index func(text, part string) int) func(*state, string, arguments) Value {
	find := place(index)
	return func(s *state, t string, a arguments) Value {
		at := find(s, t, a)
		if at == int64(-1) {
			panic(problem("substring not found"))
		}
		return at
	}
}

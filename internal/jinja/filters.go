package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// filter computes v|name(args).
type filter func(s *state, v Value, a arguments) Value

// filters are those of Jinja that make sense in a prompt. HTML's are not here, but for escape.
var filters map[string]filter

func init() { // filters call each other by name
	filters = map[string]filter{
		"abs": absolute, "attr": attr, "batch": batch, "capitalize": onText(capitalize), "center": method("center"),
		"count": size, "d": orDefault, "default": orDefault, "dictsort": dictSort, "e": onText(escapeHTML), "escape": onText(escapeHTML),
		"first": first, "float": toFloat, "forceescape": onText(escapeHTML), "format": formatText, "groupby": groupBy, "indent": indent,
		"int": toInteger, "items": pairsOf, "join": join, "last": last, "length": size, "list": list, "lower": onText(lower), "map": mapAll,
		"max": extreme(1), "min": extreme(-1), "reject": choose(false, false), "rejectattr": choose(false, true), "replace": replace,
		"reverse": reverse, "round": round, "safe": onText(func(t string) string { return t }), "select": choose(true, false),
		"selectattr": choose(true, true), "slice": slices3, "sort": sortAll, "string": onText(func(t string) string { return t }), "sum": sum,
		"title": onText(title), "tojson": toJSON, "trim": trim, "truncate": truncate, "unique": unique, "upper": onText(upper),
		"urlencode": onText(urlEncode), "wordcount": wordCount, "wordwrap": wordWrap,
	}
}

func absolute(_ *state, v Value, _ arguments) Value {
	n, ok := numeric(must(v))
	if !ok {
		panic(problemf("bad operand type for abs(): '%s'", typeName(v)))
	}
	if compare(n, int64(0), "<") < 0 {
		return arithmetic("*", n, int64(-1))
	}
	return n
}

func attr(_ *state, v Value, a arguments) Value {
	name := str(a.one("name"))
	if found, ok := partOf(must(v), name); ok {
		return found
	}
	return &undefined{missing(v, name)}
}

func size(_ *state, v Value, _ arguments) Value { return int64(length(v)) }

func orDefault(_ *state, v Value, a arguments) Value {
	if _, missing := v.(*undefined); missing || a.flag(1, "boolean", false) && !truth(v) {
		return a.get(0, "default_value", "")
	}
	return v
}

func first(_ *state, v Value, _ arguments) Value {
	if all := items(v); len(all) > 0 {
		return all[0]
	}
	return &undefined{"No first item, sequence was empty."}
}

func last(_ *state, v Value, _ arguments) Value {
	if all := items(v); len(all) > 0 {
		return all[len(all)-1]
	}
	return &undefined{"No last item, sequence was empty."}
}

func list(s *state, v Value, _ arguments) Value {
	all := items(v)
	s.spend(len(all))
	return List(slices.Clone(all))
}

func pairsOf(_ *state, v Value, _ arguments) Value {
	switch v := v.(type) {
	case *undefined:
		return List{}
	case *Dict:
		return v.pairs()
	}
	panic(problem("Can only get item pairs from a mapping."))
}

func reverse(s *state, v Value, _ arguments) Value {
	if text, ok := v.(string); ok {
		return slice(text, nil, nil, int64(-1))
	}
	all := slices.Clone(items(v))
	s.spend(len(all))
	slices.Reverse(all)
	return List(all)
}

// path looks up an attribute with dots, whose parts may be indices.
func path(v Value, name Value) Value {
	text, ok := name.(string)
	if !ok {
		return item(v, name)
	}
	for part := range strings.SplitSeq(text, ".") {
		if i, err := strconv.ParseInt(part, 10, 64); err == nil {
			v = item(v, i)
		} else {
			v = item(v, part)
		}
	}
	return v
}

// key is what sort, unique, min, max and groupby compare of an item.
func key(v Value, attribute Value, caseSensitive bool) Value {
	if attribute != nil {
		v = path(v, attribute)
	}
	if text, ok := v.(string); ok && !caseSensitive {
		return lower(text)
	}
	return v
}

func sortAll(s *state, v Value, a arguments) Value {
	all := slices.Clone(items(v))
	sign, sensitive := 1, a.flag(1, "case_sensitive", false)
	if a.flag(0, "reverse", false) {
		sign = -1
	}
	by := []Value{a.get(2, "attribute", nil)}
	if text, ok := by[0].(string); ok {
		by = nil
		for one := range strings.SplitSeq(text, ",") {
			by = append(by, one)
		}
	}
	slices.SortStableFunc(all, func(x, y Value) int {
		for _, attribute := range by {
			s.spend(1)
			if c := compare(key(x, attribute, sensitive), key(y, attribute, sensitive), "<"); c != 0 {
				return sign * c
			}
		}
		return 0
	})
	return List(all)
}

func unique(s *state, v Value, a arguments) Value {
	seen, kept := &Dict{}, List{}
	for _, one := range items(v) {
		s.spend(1)
		k := key(one, a.get(1, "attribute", nil), a.flag(0, "case_sensitive", false))
		if _, ok := seen.Get(k); !ok {
			seen.Set(k, nil)
			kept = append(kept, one)
		}
	}
	return kept
}

func extreme(sign int) filter {
	return func(s *state, v Value, a arguments) Value {
		all := items(v)
		if len(all) == 0 {
			return &undefined{"No aggregated item, sequence was empty."}
		}
		best, sensitive, attribute := all[0], a.flag(0, "case_sensitive", false), a.get(1, "attribute", nil)
		for _, one := range all[1:] {
			s.spend(1)
			if sign*compare(key(one, attribute, sensitive), key(best, attribute, sensitive), "<") > 0 {
				best = one
			}
		}
		return best
	}
}

func sum(s *state, v Value, a arguments) Value {
	total := a.get(1, "start", int64(0))
	for _, one := range items(v) {
		if attribute := a.get(0, "attribute", nil); attribute != nil {
			one = path(one, attribute)
		}
		total = s.binary("+", total, one)
	}
	return total
}

func mapAll(s *state, v Value, a arguments) Value {
	out := List{}
	attribute, byAttribute := a.named("attribute")
	var f filter
	if !byAttribute {
		name := str(a.one("filter"))
		if f = filters[name]; f == nil {
			panic(problemf("No filter named %s.", quote(name)))
		}
	}
	rest := arguments{names: a.names, values: a.values}
	if len(a.positional) > 0 {
		rest.positional = a.positional[1:]
	}
	for _, one := range items(v) {
		s.spend(1)
		if !byAttribute {
			out = append(out, f(s, one, rest))
			continue
		}
		found := path(one, attribute)
		if _, ok := found.(*undefined); ok {
			found = a.get(len(a.positional), "default", found)
		}
		out = append(out, found)
	}
	return out
}

// choose keeps the items that pass a test, or those that fail it: of themselves or of an attribute.
func choose(keep, byAttribute bool) filter {
	return func(s *state, v Value, a arguments) Value {
		var attribute Value
		if byAttribute {
			attribute = a.one("attribute")
			a.positional = a.positional[1:]
		}
		pass := func(_ *state, v Value, _ arguments) bool { return truth(v) }
		if len(a.positional) > 0 {
			name := str(a.positional[0])
			if pass = tests[name]; pass == nil {
				panic(problemf("No test named %s.", quote(name)))
			}
			a.positional = a.positional[1:]
		}
		kept := List{}
		for _, one := range items(v) {
			s.spend(1)
			judged := one
			if byAttribute {
				judged = path(one, attribute)
			}
			if pass(s, judged, a) == keep {
				kept = append(kept, one)
			}
		}
		return kept
	}
}

func groupBy(s *state, v Value, a arguments) Value {
	attribute, sensitive := a.one("attribute"), a.flag(2, "case_sensitive", false)
	sorted := sortAll(s, v, arguments{names: []string{"attribute", "case_sensitive"}, values: []Value{attribute, sensitive}}).(List)
	groups := List{}
	var group List
	for i, one := range sorted {
		group = append(group, one)
		if i+1 == len(sorted) || !equal(key(one, attribute, sensitive), key(sorted[i+1], attribute, sensitive)) {
			groups = append(groups, tuple{path(group[0], attribute), group})
			group = nil
		}
	}
	return groups
}

func dictSort(s *state, v Value, a arguments) Value {
	d, ok := must(v).(*Dict)
	if !ok {
		panic(problem("dictsort sorts a dict"))
	}
	by := int64(0)
	if a.text(1, "by", "key") == "value" {
		by = 1
	}
	return sortAll(s, d.pairs(), arguments{
		names:  []string{"attribute", "case_sensitive", "reverse"},
		values: []Value{by, a.flag(0, "case_sensitive", false), a.flag(2, "reverse", false)},
	})
}

func batch(s *state, v Value, a arguments) Value {
	size, fill := int(a.integer(0, "linecount", 0)), a.get(1, "fill_with", nil)
	if size < 1 || size > maxRange {
		panic(problemf("batches of %d items", size))
	}
	out := List{}
	for part := range slices.Chunk(items(v), size) {
		part := List(slices.Clone(part))
		for fill != nil && len(part) < size {
			part = append(part, fill)
		}
		s.spend(len(part))
		out = append(out, part)
	}
	return out
}

// slices3 is Jinja's slice: so many lists of nearly the same length.
func slices3(s *state, v Value, a arguments) Value {
	n, fill, all := int(a.integer(0, "slices", 0)), a.get(1, "fill_with", nil), items(v)
	if n < 1 || n > maxRange {
		panic(problemf("%d slices", n))
	}
	s.spend(n + len(all))
	out := List{}
	for i, from := 0, 0; i < n; i++ {
		to := from + len(all)/n
		if i < len(all)%n {
			to++
		}
		part := List(slices.Clone(all[from:to]))
		if fill != nil && i >= len(all)%n {
			part = append(part, fill)
		}
		out, from = append(out, part), to
	}
	return out
}

func toInteger(_ *state, v Value, a arguments) Value {
	otherwise := a.get(0, "default", int64(0))
	if n, ok := numeric(v); ok {
		return toInt(n)
	}
	text, ok := must(v).(string)
	if !ok {
		return otherwise
	}
	text = strings.ReplaceAll(strings.TrimFunc(text, isSpace), "_", "")
	base := int(a.integer(1, "base", 10))
	if base != 10 {
		text = strings.TrimLeft(strings.ToLower(text), "0xob")
	}
	if base < 2 || base > 36 {
		panic(problemf("integers of base %d", base))
	}
	if i, err := strconv.ParseInt(text, base, 64); err == nil {
		return i
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(f) < 1<<62 {
		return int64(f)
	}
	return otherwise
}

func toFloat(_ *state, v Value, a arguments) Value {
	if n, ok := numeric(v); ok {
		return floatOf(n)
	}
	if text, ok := must(v).(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimFunc(text, isSpace), 64); err == nil {
			return f
		}
	}
	return a.get(0, "default", 0.0)
}

func round(_ *state, v Value, a arguments) Value {
	n, ok := numeric(must(v))
	if !ok {
		panic(problemf("type %s doesn't define __round__ method", typeName(v)))
	}
	x, places := floatOf(n), a.integer(0, "precision", 0)
	scale := math.Pow(10, float64(places))
	switch how := a.text(1, "method", "common"); how {
	case "common":
		if i, ok := n.(int64); ok && places >= 0 {
			return i
		}
		if places >= 0 && places < 300 {
			rounded, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'f', int(places), 64), 64)
			return rounded
		}
		return math.RoundToEven(x*scale) / scale
	case "ceil":
		return math.Ceil(x*scale) / scale
	case "floor":
		return math.Floor(x*scale) / scale
	default:
		panic(problem("method must be common, ceil or floor"))
	}
}

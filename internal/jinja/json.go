package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// maxJSONDepth bounds how deep what [Decode] reads is nested.
const maxJSONDepth = 100

// Decode reads a JSON text as a value: whole numbers become int64, others float64, and objects keep the order of their keys.
func Decode(text []byte) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decode(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows after the JSON value")
	}
	return v, nil
}

func decode(d *json.Decoder, depth int) (Value, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("JSON is nested more than %d deep", maxJSONDepth)
	}
	t, err := d.Token()
	if errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		if i, err := t.Int64(); err == nil {
			return i, nil
		}
		return t.Float64()
	case json.Delim:
		if t == '[' {
			return decodeList(d, depth)
		}
		return decodeDict(d, depth)
	}
	return t, nil
}

func decodeList(d *json.Decoder, depth int) (Value, error) {
	list := List{}
	for d.More() {
		v, err := decode(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

func decodeDict(d *json.Decoder, depth int) (Value, error) {
	dict := &Dict{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := decode(d, depth+1)
		if err != nil {
			return nil, err
		}
		dict.Set(key, v)
	}
	_, err := d.Token()
	return dict, err
}

// jsonWriter writes values as Python's json.dumps does.
type jsonWriter struct {
	b             strings.Builder
	indent        string // "" if none
	lines         bool   // each item on a line
	comma, colon  string
	ascii, sorted bool
	depth         int
}

func (w *jsonWriter) write(v Value) {
	switch v := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		fmt.Fprint(&w.b, v)
	case int64:
		fmt.Fprint(&w.b, v)
	case float64:
		w.b.WriteString(jsonFloat(v))
	case string:
		w.quote(v)
	case List:
		w.many('[', ']', len(v), func(i int) { w.write(v[i]) })
	case tuple:
		w.many('[', ']', len(v), func(i int) { w.write(v[i]) })
	case *Dict:
		w.dict(v)
	default:
		panic(problemf("Object of type %s is not JSON serializable", typeName(v)))
	}
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return reprFloat(f)
}

func (w *jsonWriter) dict(d *Dict) {
	order := make([]int, d.Len())
	for i := range order {
		order[i] = i
	}
	if w.sorted {
		slices.SortStableFunc(order, func(i, j int) int { return compare(d.keys[i], d.keys[j], "<") })
	}
	w.many('{', '}', len(order), func(i int) {
		switch k := d.keys[order[i]].(type) {
		case string:
			w.quote(k)
		case nil, bool, int64, float64:
			inner := jsonWriter{}
			inner.write(k)
			w.quote(inner.b.String())
		default:
			panic(problemf("keys must be str, int, float, bool or None, not %s", typeName(k)))
		}
		w.b.WriteString(w.colon)
		w.write(d.values[order[i]])
	})
}

func (w *jsonWriter) many(open, end byte, n int, one func(int)) {
	w.b.WriteByte(open)
	w.depth++
	for i := range n {
		if i > 0 {
			w.b.WriteString(w.comma)
		}
		w.newline()
		one(i)
	}
	w.depth--
	if n > 0 {
		w.newline()
	}
	w.b.WriteByte(end)
}

func (w *jsonWriter) newline() {
	if w.lines {
		w.b.WriteString("\n" + strings.Repeat(w.indent, w.depth))
	}
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

func (w *jsonWriter) quote(s string) {
	w.b.WriteByte('"')
	for _, r := range s {
		escaped, ok := jsonEscapes[r]
		switch {
		case ok:
			w.b.WriteString(escaped)
		case r > 0xffff && w.ascii:
			r -= 0x10000
			w.b.WriteString(`\u` + hex(0xd800+r>>10, 4) + `\u` + hex(0xdc00+r&0x3ff, 4))
		case r < ' ' || r > '~' && w.ascii:
			w.b.WriteString(`\u` + hex(r, 4))
		default:
			w.b.WriteRune(r)
		}
	}
	w.b.WriteByte('"')
}

// toJSON is the filter tojson as transformers defines it.
func toJSON(s *state, v Value, a arguments) Value {
	w := jsonWriter{comma: ", ", colon: ": ", ascii: a.flag(0, "ensure_ascii", false), sorted: a.flag(3, "sort_keys", false)}
	switch indent := a.get(1, "indent", nil).(type) {
	case nil:
	case string:
		w.lines, w.indent, w.comma = true, indent, ","
	default:
		n, ok := numeric(indent)
		if !ok || toInt(n) > 100 {
			panic(problem("indent must be a small number or a string"))
		}
		w.lines, w.indent, w.comma = true, strings.Repeat(" ", int(max(0, toInt(n)))), ","
	}
	if separators := a.get(2, "separators", nil); separators != nil {
		pair := items(separators)
		if len(pair) != 2 {
			panic(problem("separators are two strings"))
		}
		w.comma, w.colon = str(pair[0]), str(pair[1])
	}
	w.write(must(v))
	return s.made(w.b.String())
}

// Encode writes a value as JSON.
func Encode(v Value) (text []byte, err error) {
	defer rescue(&err)
	defer (&state{}).locate()
	w := jsonWriter{comma: ", ", colon: ": "}
	w.write(v)
	return []byte(w.b.String()), nil
}

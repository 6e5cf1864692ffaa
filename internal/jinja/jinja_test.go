package jinja

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// reference is testdata/cases.json, which make_cases.py writes with Jinja itself.
func reference(t testing.TB) (variables map[string]Value, now time.Time, cases [][2]*string) {
	t.Helper()
	text, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Variables json.RawMessage
		Now       string
		Cases     [][2]*string
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	v, err := Decode(file.Variables)
	if err != nil {
		t.Fatal(err)
	}
	variables = map[string]Value{}
	for name, value := range v.(*Dict).All() {
		variables[name.(string)] = value
	}
	if now, err = time.Parse("2006-01-02T15:04:05", file.Now); err != nil {
		t.Fatal(err)
	}
	return variables, now, file.Cases
}

func TestRendersAsJinjaDoes(t *testing.T) {
	variables, now, cases := reference(t)
	for _, c := range cases {
		source, want := *c[0], c[1]
		var got Rendering
		tmpl, err := Parse(source)
		if err == nil {
			got, err = tmpl.Render(variables, now)
		}
		switch {
		case want == nil && err == nil:
			t.Errorf("%s\nrendered %q; Jinja refuses it", source, got.Text)
		case want != nil && err != nil:
			t.Errorf("%s\nfails: %v; Jinja renders %q", source, err, *want)
		case want != nil && got.Text != *want:
			t.Errorf("%s\n got %q\nwant %q", source, got.Text, *want)
		}
	}
}

func TestGenerationBlocksAreFound(t *testing.T) {
	tmpl, err := Parse("é{% generation %}\nabc\n{% endgeneration %}\n-{% generation %}{% endgeneration %}{% generation %}x{% endgeneration %}")
	if err != nil || !tmpl.HasGenerations() {
		t.Fatal(err)
	}
	r, err := tmpl.Render(nil, time.Time{})
	if want := "éabc\n-x"; err != nil || r.Text != want {
		t.Fatalf("%q, %v; want %q", r.Text, err, want)
	}
	if want := []Span{{2, 6}, {7, 7}, {7, 8}}; !slices.Equal(r.Generations, want) {
		t.Errorf("spans %v, want %v", r.Generations, want)
	}
}

func TestErrorsNameTheirLine(t *testing.T) {
	for source, want := range map[string]string{
		"a\n{{ x.y }}": "line 2: 'x' is undefined",
		"a\n\n{% if 1 %}\n{{ none + 1 }}{% endif %}": "line 4: unsupported operand type(s) for +: 'NoneType' and 'int'",
		"{{ 1\n+ }}":                    `line 2: unexpected "}}"`,
		"\n{% for x in y %}":            "line 2: the template ends where {% endfor %} is missing",
		"{% set x = 1 %}\n{{ x|what }}": `line 2: no filter is called "what"`,
		"\n{{ raise_exception('no') }}": "line 2: no",
		"{{ 9223372036854775807 + 1 }}": "line 1: an integer grows beyond 64 bits",
	} {
		tmpl, err := Parse(source)
		if err == nil {
			_, err = tmpl.Render(nil, time.Time{})
		}
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", source, err, want)
		}
	}
}

// A template that nobody vouches for must not take a machine along.
func TestTemplatesCannotRunAway(t *testing.T) {
	for _, source := range []string{
		"{% for i in range(99999) %}{% for i in range(99999) %}{% for i in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
		"{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
		"{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(100) }}",
		"{{ 'a' * 1000000000000 }}", "{{ [1] * 1000000000 }}", "{{ 'a' * 10000000 * 100 }}", "{{ 10 ** 10 ** 10 }}",
		"{% set ns = namespace(x='aaaaaaaaaa') %}{% for i in range(99999) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
		"{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "{{ ('a' * 1000000)|replace('a', 'b' * 1000) }}", "{{ ''.rjust(10 ** 18)|length / 0 }}",
		"{{ '%99999999d' % 1 }}", strings.Repeat("{% if 1 %}", 1000), "{{ " + strings.Repeat("(", 100000), "{{ " + strings.Repeat("-", 100000) + "1 }}", "{{ " + strings.Repeat("not ", 10000) + "1 }}",
		strings.Repeat("x", 2<<20), "{% set " + strings.Repeat("(", 10000) + "x", "{{ x" + strings.Repeat("[0", 10000),
	} {
		tmpl, err := Parse(source)
		if err == nil {
			_, err = tmpl.Render(nil, time.Time{})
		}
		if err == nil {
			t.Errorf("%.60s comes to an end", source)
		}
	}
}

func TestManyGoroutinesRenderOneTemplate(t *testing.T) {
	variables, now, cases := reference(t)
	tmpl, err := Parse("{% macro m(x) %}{{ x|tojson }}{% endmacro %}{% for m in messages %}{{ m.role ~ loop.index }}{% endfor %}{{ m(words|sort) }}")
	if err != nil || len(cases) == 0 {
		t.Fatal(err)
	}
	want, _ := tmpl.Render(variables, now)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if got, err := tmpl.Render(variables, now); err != nil || got.Text != want.Text {
					t.Errorf("%q, %v", got.Text, err)
				}
			}
		})
	}
	all.Wait()
}

func FuzzTemplate(f *testing.F) {
	variables, now, cases := reference(f)
	for _, c := range cases {
		f.Add(*c[0])
	}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := Parse(source)
		if err != nil {
			return
		}
		if r, err := tmpl.Render(variables, now); err == nil && len(r.Text) > maxOutput {
			t.Errorf("%d bytes", len(r.Text))
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"a": [1, 2.5, null, "é", {"b": true}], "a": 1e400}`))
	f.Add([]byte(strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, text []byte) {
		if v, err := Decode(text); err == nil && !json.Valid(text) {
			t.Errorf("%q is read as %v", text, v)
		}
	})
}

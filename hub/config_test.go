package hub

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestConfigErrorsNameFileAndKey(t *testing.T) {
	c, err := ParseConfig("config.json", []byte(`{"d_model":"x","layers":1.5,"neg":-1,"big":1e300,"flag":1,"name":2,"eos":[1,"a"],"nil":null,
		"list":[`+strings.Repeat("1,", 100)+`1]}`))
	if err != nil {
		t.Fatal(err)
	}
	type decoded struct {
		Flag bool `json:"flag"`
	}
	_, dModel := c.Int("d_model", 1, 1<<20)
	_, layers := c.Int("layers", 1, 1000)
	_, neg := c.Int("neg", 0, math.MaxInt)
	_, big := c.IntOr("big", 0, math.MaxInt, 3)
	_, missing := c.Int("heads", 1, 8)
	_, null := c.Int("nil", 1, 8)
	_, flag := c.BoolOr("flag", true)
	_, name := c.StringOr("name", "")
	_, rate := c.FloatOr("d_model", 0)
	_, eos := c.Ints("eos")
	_, list := c.Int("list", 0, 1)
	for _, e := range []struct {
		err  error
		want string
	}{
		{dModel, `config.json: d_model must be a whole number from 1 to 1048576, not "x"`},
		{layers, `config.json: layers must be a whole number from 1 to 1000, not 1.5`},
		{neg, `config.json: neg must be a whole number of at least 0, not -1`},
		{big, `config.json: big must be a whole number of at least 0, not 1e300`},
		{missing, `config.json: heads is missing; it must be a whole number from 1 to 8`},
		{null, `config.json: nil must be a whole number from 1 to 8, not null`},
		{flag, `config.json: flag must be true or false, not 1`},
		{name, `config.json: name must be a string, not 2`},
		{rate, `config.json: d_model must be a number, not "x"`},
		{eos, `config.json: eos must be a whole number or a list of them, not [1,"a"]`},
		{list, `config.json: list must be a whole number from 0 to 1, not [` + strings.Repeat("1,", 29) + `1…`},
		{c.Decode(&decoded{}), `config.json: flag must be a value of type bool, not 1`},
	} {
		if e.err == nil || e.err.Error() != e.want {
			t.Errorf("got %v\nwant %s", e.err, e.want)
		}
	}
}

func TestConfigKeepsUnknownKeys(t *testing.T) {
	c, err := ParseConfig("c", []byte(`{"zeta":{"deep":[1,2]},"d_model":64,"eos":[1,2],"pad":3,"rate":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Merge(struct {
		Width int `json:"d_model"`
	}{128}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.json")
	if err := c.Save(path); err != nil {
		t.Fatal(err)
	}
	back, err := ReadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"d_model", "eos", "pad", "rate", "zeta"}; !slices.Equal(back.Keys(), want) {
		t.Errorf("keys %v", back.Keys())
	}
	if width, err := back.Int("d_model", 1, 1000); err != nil || width != 128 {
		t.Errorf("d_model %d, %v", width, err)
	}
	if eos, _ := back.Ints("eos"); !slices.Equal(eos, []int{1, 2}) {
		t.Errorf("eos %v", eos)
	}
	if pad, _ := back.Ints("pad"); !slices.Equal(pad, []int{3}) {
		t.Errorf("pad %v", pad)
	}
	if rate, err := back.FloatOr("rate", 0.5); err != nil || rate != 0.5 {
		t.Errorf("a null does not count as absent: %g, %v", rate, err)
	}
}

func TestBrokenConfigsAreErrorsWithALine(t *testing.T) {
	for text, want := range map[string]string{
		"": "c: must be a JSON object", "null": "not null", "[1]": "must be a JSON object", "{\n\"a\":1,\n\"b\":}": "line 3",
		strings.Repeat("[", 100_000): "must be a JSON object",
	} {
		if _, err := ParseConfig("c", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "config.json")
	mustWrite(t, path, "")
	if err := os.Truncate(path, maxJSON+1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a huge file: %v", err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"d_model":64,"eos_token_id":[1,2],"x":{"y":null}}`), "d_model")
	f.Add([]byte(`{"a":1e999,"a":"\ud800"}`), "a")
	f.Fuzz(func(t *testing.T, data []byte, key string) {
		c, err := ParseConfig("c", data)
		if err != nil {
			return
		}
		c.IntOr(key, 0, 10, 0)
		c.FloatOr(key, 0)
		c.BoolOr(key, false)
		c.StringOr(key, "")
		c.Ints(key)
		if _, err := ParseConfig("c", c.Bytes()); err != nil {
			t.Fatalf("what was written does not read: %v", err)
		}
	})
}

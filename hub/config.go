package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
)

// maxJSON bounds the configuration files that are read, in bytes; published ones have a few thousand.
const maxJSON = 16 << 20

// Config is a JSON object such as config.json or generation_config.json, with every key kept, known or not. The typed
// accessors' errors name file and key. A key whose value is null counts as absent.
type Config struct {
	path   string
	fields map[string]json.RawMessage
}

// NewConfig returns an empty configuration; path is only used in errors.
func NewConfig(path string) *Config {
	return &Config{path: path, fields: map[string]json.RawMessage{}}
}

// ReadConfig reads a JSON object from a file.
func ReadConfig(path string) (*Config, error) {
	data, err := readBounded(path, maxJSON)
	if err != nil {
		return nil, err
	}
	return ParseConfig(path, data)
}

// ParseConfig reads a JSON object from memory; path is only used in errors.
func ParseConfig(path string, data []byte) (*Config, error) {
	c := NewConfig(path)
	if err := json.Unmarshal(data, &c.fields); err != nil {
		return nil, fmt.Errorf("%s: must be a JSON object: %w", path, locate(data, err))
	}
	if c.fields == nil {
		return nil, fmt.Errorf("%s: must be a JSON object, not null", path)
	}
	return c, nil
}

// readBounded reads a whole file, unless it is larger than limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: larger than the %d bytes that such a file may have", path, limit)
	}
	return data, nil
}

// locate adds the line to an error of encoding/json, where it knows the place.
func locate(data []byte, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset <= int64(len(data)) {
		return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:syntax.Offset], []byte("\n")), err)
	}
	return err
}

// Path returns the file that the configuration came from.
func (c *Config) Path() string { return c.path }

// Has says whether key is present and not null.
func (c *Config) Has(key string) bool {
	raw, ok := c.fields[key]
	return ok && string(raw) != "null"
}

// isNull says whether key is present with the value null.
func (c *Config) isNull(key string) bool {
	raw, ok := c.fields[key]
	return ok && string(raw) == "null"
}

// without returns the configuration as it is but for one key.
func (c *Config) without(key string) *Config {
	fields := maps.Clone(c.fields)
	delete(fields, key)
	return &Config{path: c.path, fields: fields}
}

// Keys returns all keys, sorted.
func (c *Config) Keys() []string {
	keys := make([]string, 0, len(c.fields))
	for key := range c.fields {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Set stores a value that encoding/json can marshal.
func (c *Config) Set(key string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", c.path, key, err)
	}
	c.fields[key] = raw
	return nil
}

// errorf builds "PATH: KEY must be WANT, not VALUE", with a long value cut short.
func (c *Config) errorf(key, want string) error {
	raw, ok := c.fields[key]
	if !ok {
		return fmt.Errorf("%s: %s is missing; it must be %s", c.path, key, want)
	}
	var oneLine bytes.Buffer
	if err := json.Compact(&oneLine, raw); err != nil {
		panic("hub: " + err.Error()) // every field was checked when it was read or set
	}
	got := oneLine.String()
	if len(got) > 60 {
		got = strings.ToValidUTF8(got[:60], "") + "…"
	}
	return fmt.Errorf("%s: %s must be %s, not %s", c.path, key, want, got)
}

// Int returns a whole number in [low, high].
func (c *Config) Int(key string, low, high int) (int, error) {
	want := fmt.Sprintf("a whole number from %d to %d", low, high)
	if high == math.MaxInt {
		want = fmt.Sprintf("a whole number of at least %d", low)
	}
	var number float64
	if !c.Has(key) || json.Unmarshal(c.fields[key], &number) != nil || number != math.Trunc(number) ||
		number < float64(low) || number > float64(high) || math.Abs(number) > 1<<53 {
		return 0, c.errorf(key, want)
	}
	return int(number), nil
}

// IntOr is [Config.Int], with a value for an absent key.
func (c *Config) IntOr(key string, low, high, absent int) (int, error) {
	if !c.Has(key) {
		return absent, nil
	}
	return c.Int(key, low, high)
}

// FloatOr returns a finite number, or absent where there is no such key.
func (c *Config) FloatOr(key string, absent float64) (float64, error) {
	if !c.Has(key) {
		return absent, nil
	}
	var number float64
	if json.Unmarshal(c.fields[key], &number) != nil {
		return 0, c.errorf(key, "a number")
	}
	return number, nil
}

// BoolOr returns true or false, or absent where there is no such key.
func (c *Config) BoolOr(key string, absent bool) (bool, error) {
	if !c.Has(key) {
		return absent, nil
	}
	var value bool
	if json.Unmarshal(c.fields[key], &value) != nil {
		return false, c.errorf(key, "true or false")
	}
	return value, nil
}

// StringOr returns a string, or absent where there is no such key.
func (c *Config) StringOr(key, absent string) (string, error) {
	if !c.Has(key) {
		return absent, nil
	}
	var value string
	if json.Unmarshal(c.fields[key], &value) != nil {
		return "", c.errorf(key, "a string")
	}
	return value, nil
}

// Ints returns what may be spelled as one whole number or as a list of them (eos_token_id is published both ways);
// nil where there is no such key.
func (c *Config) Ints(key string) ([]int, error) {
	if !c.Has(key) {
		return nil, nil
	}
	var list []int
	if json.Unmarshal(c.fields[key], &list) == nil {
		return list, nil
	}
	var one int
	if json.Unmarshal(c.fields[key], &one) != nil {
		return nil, c.errorf(key, "a whole number or a list of them")
	}
	return []int{one}, nil
}

// Decode fills a struct with json tags from the keys it knows and leaves its other fields as they are. A value of the
// wrong type is an error naming the key.
func (c *Config) Decode(into any) error {
	present := make(map[string]json.RawMessage, len(c.fields))
	for key, raw := range c.fields {
		if string(raw) != "null" {
			present[key] = raw
		}
	}
	data, err := json.Marshal(present)
	if err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	err = json.Unmarshal(data, into)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		key, _, _ := strings.Cut(mismatch.Field, ".")
		return c.errorf(key, "a value of type "+mismatch.Type.String())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	return nil
}

// Merge sets every key that the struct (or map) marshals to, keeping the other keys.
func (c *Config) Merge(from any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	for key, raw := range fields {
		c.fields[key] = raw
	}
	return nil
}

// Bytes returns the object as transformers writes it: keys sorted, two spaces of indentation, a newline at the end.
func (c *Config) Bytes() []byte {
	compact := appendJSON(nil, c.fields)
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		panic("hub: " + err.Error()) // every field was checked when it was read or set
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// Save writes the object as [WriteFileAtomic] does.
func (c *Config) Save(path string) error { return WriteBytesAtomic(path, c.Bytes()) }

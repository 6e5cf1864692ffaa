package hub

import (
	"fmt"
	"slices"
)

// The accessors below read a metadata value. Their errors name the file, the key, and what was expected.

func (g *ggufFile) errorf(key, want string) error {
	value, ok := g.values[key]
	switch v := value.(type) {
	case []string:
		value = fmt.Sprintf("a list of %d strings", len(v))
	case ggufArray:
		value = "a list of numbers"
	case string:
		value = fmt.Sprintf("%.60q", v)
	}
	if !ok {
		return fmt.Errorf("%s: %s is missing; it must be %s", g.path, key, want)
	}
	return fmt.Errorf("%s: %s must be %s, not %v", g.path, key, want, value)
}

func (g *ggufFile) has(key string) bool {
	_, ok := g.values[key]
	return ok
}

// int returns a whole number in [low, high].
func (g *ggufFile) int(key string, low, high int64) (int64, error) {
	v, ok := g.values[key].(int64)
	if !ok || v < low || v > high {
		return 0, g.errorf(key, fmt.Sprintf("a whole number from %d to %d", low, high))
	}
	return v, nil
}

// float returns a number.
func (g *ggufFile) float(key string) (float64, error) {
	switch v := g.values[key].(type) {
	case float64:
		return v, nil
	case int64:
		return float64(v), nil
	}
	return 0, g.errorf(key, "a number")
}

// floatOr is float, with a value for an absent key.
func (g *ggufFile) floatOr(key string, absent float64) (float64, error) {
	if !g.has(key) {
		return absent, nil
	}
	return g.float(key)
}

// boolOr returns a truth value, or what is given for an absent key.
func (g *ggufFile) boolOr(key string, absent bool) (bool, error) {
	if !g.has(key) {
		return absent, nil
	}
	v, ok := g.values[key].(bool)
	if !ok {
		return false, g.errorf(key, "true or false")
	}
	return v, nil
}

// text returns a string.
func (g *ggufFile) text(key string) (string, error) {
	v, ok := g.values[key].(string)
	if !ok {
		return "", g.errorf(key, "a string")
	}
	return v, nil
}

// textOr is text, with a value for an absent key.
func (g *ggufFile) textOr(key, absent string) (string, error) {
	if !g.has(key) {
		return absent, nil
	}
	return g.text(key)
}

// texts returns a list of strings.
func (g *ggufFile) texts(key string) ([]string, error) {
	v, ok := g.values[key].([]string)
	if !ok {
		return nil, g.errorf(key, "a list of strings")
	}
	return v, nil
}

// ints returns a list of whole numbers of 32 bits.
func (g *ggufFile) ints(key string) ([]int32, error) {
	v, ok := g.values[key].(ggufArray)
	if !ok || !slices.Contains([]ggufKind{ggufInt32, ggufUint32}, v.kind) {
		return nil, g.errorf(key, "a list of whole numbers of 32 bits")
	}
	list := make([]int32, 0, len(v.raw)/4)
	for raw := v.raw; len(raw) > 0; raw = raw[4:] {
		list = append(list, int32(v.kind.number(raw).(int64)))
	}
	return list, nil
}

// floats returns a list of numbers in single precision; llama.cpp takes whole ones too.
func (g *ggufFile) floats(key string) ([]float32, error) {
	v, ok := g.values[key].(ggufArray)
	if !ok || v.kind != ggufFloat32 && v.kind != ggufInt32 {
		return nil, g.errorf(key, "a list of numbers in single precision")
	}
	list := make([]float32, 0, len(v.raw)/4)
	for raw := v.raw; len(raw) > 0; raw = raw[4:] {
		switch n := v.kind.number(raw).(type) {
		case float64:
			list = append(list, float32(n))
		case int64:
			list = append(list, float32(n))
		}
	}
	return list, nil
}

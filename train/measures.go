package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
)

// Measure is a number that an objective has a name for, such as its accuracy.
type Measure struct {
	Name  string
	Value float64
}

// Measures are shown in their order, and are an object in JSON.
type Measures []Measure

// Of returns the measure of a name, NaN where there is none.
func (m Measures) Of(name string) float64 {
	for _, one := range m {
		if one.Name == name {
			return one.Value
		}
	}
	return math.NaN()
}

// append writes the object with so many digits, −1 for all, without allocating.
func (m Measures) append(b []byte, digits int) []byte {
	b = append(b, '{')
	for i, one := range m {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, one.Name...) // names are the program's own
		b = appendDigits(append(b, `":`...), one.Value, digits)
	}
	return append(b, '}')
}

// MarshalJSON writes an object, from which the same numbers are read; what JSON cannot say is null.
func (m Measures) MarshalJSON() ([]byte, error) { return m.append(nil, -1), nil }

// UnmarshalJSON reads an object, in its order.
func (m *Measures) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(err, errors.New("measures must be an object of numbers"))
	}
	*m = (*m)[:0]
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value *float64
		if err := d.Decode(&value); err != nil {
			return err
		}
		one := Measure{Name: name.(string), Value: math.NaN()}
		if value != nil {
			one.Value = *value
		}
		*m = append(*m, one)
	}
	return nil
}

package train

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Override sets one field by its name in the TOML file, as in Override("train.lr", "0.003"). Text needs no quotes; a
// list is written ["a", "b"] or a,b. An unknown key is an error that names the nearest known one.
func (r *Recipe) Override(key, value string) error {
	field, ok := fieldByKey(reflect.ValueOf(r).Elem(), key)
	if !ok {
		return unknownKey(key)
	}
	if field.Kind() == reflect.String {
		field.SetString(value)
		return nil
	}
	if field.Kind() == reflect.Slice && !strings.HasPrefix(strings.TrimSpace(value), "[") {
		value = listLiteral(value, field.Type().Elem().Kind() == reflect.String)
	}
	holder := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "V", Type: field.Type(), Tag: `toml:"v"`}}))
	if _, err := toml.Decode("v = "+value, holder.Interface()); err != nil {
		return fmt.Errorf("recipe: %s must be %s, not %q", key, kindName(field.Type()), value)
	}
	field.Set(holder.Elem().Field(0))
	return nil
}

// Set is Override for an argument spelled key=value.
func (r *Recipe) Set(assignment string) error {
	key, value, ok := strings.Cut(assignment, "=")
	if !ok {
		return fmt.Errorf("recipe: %q must be written section.key=value", assignment)
	}
	return r.Override(strings.TrimSpace(key), strings.TrimSpace(value))
}

// listLiteral turns a,b into a TOML list.
func listLiteral(value string, quote bool) string {
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		if quote {
			item = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(item) + `"`
		}
		items = append(items, item)
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	}
	return "of type " + t.String()
}

// fieldByKey finds the field that a dotted key names.
func fieldByKey(v reflect.Value, key string) (reflect.Value, bool) {
	name, rest, nested := strings.Cut(key, ".")
	for i := range v.NumField() {
		if keyOf(v.Type().Field(i)) != name {
			continue
		}
		if field := v.Field(i); nested && field.Kind() == reflect.Struct {
			return fieldByKey(field, rest)
		} else if !nested && field.Kind() != reflect.Struct {
			return field, true
		}
	}
	return reflect.Value{}, false
}

// Keys returns the names of all fields, in the order of the file.
func Keys() []string { return keysOf(reflect.TypeFor[Recipe](), "") }

func keysOf(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		if name := prefix + keyOf(f); f.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(f.Type, name+".")...)
		} else {
			keys = append(keys, name)
		}
	}
	return keys
}

// keyOf returns the name that a field has in the file.
func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	return name
}

func unknownKey(key string) error {
	if !strings.Contains(key, ".") { // a section, or a key whose section was forgotten
		var known []string
		for _, k := range Keys() {
			section, name, nested := strings.Cut(k, ".")
			if known = append(known, section); nested && name == key {
				return fmt.Errorf("recipe: there is no key %q (did you mean %q?)", key, k)
			}
		}
		return fmt.Errorf("recipe: there is no key %q%s", key, didYouMean(key, known))
	}
	return fmt.Errorf("recipe: there is no key %q%s", key, didYouMean(key, Keys()))
}

// didYouMean names the known word that is nearest to a wrong one, or nothing where none is near.
func didYouMean(wrong string, known []string) string {
	best, distance := "", max(2, len(wrong)/2)
	for _, k := range known {
		if d := editDistance(strings.ToLower(wrong), strings.ToLower(k)); d < distance || d == distance && best == "" {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance is the distance of Levenshtein.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = slices.Min([]int{cost, row[j] + 1, diagonal + 1})
		}
	}
	return row[len(b)]
}

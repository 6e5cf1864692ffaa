package train

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/parley-lm/parley/recipes"
)

// Recipes returns the names of the recipes that come with the program, sorted.
func Recipes() []string {
	var names []string
	entries, _ := fs.ReadDir(recipes.Files, ".")
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".toml"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// LoadRecipe reads a recipe: a name among [Recipes], or the path of a TOML file. It is not validated yet, so that fields
// can be overridden first.
func LoadRecipe(nameOrPath string) (Recipe, error) {
	if isPath := strings.HasSuffix(nameOrPath, ".toml") || strings.ContainsAny(nameOrPath, `/\`); isPath {
		text, err := os.ReadFile(nameOrPath)
		if err != nil {
			return Recipe{}, fmt.Errorf("recipe: %w", err)
		}
		return ParseRecipe(nameOrPath, string(text))
	}
	text, err := recipes.Files.ReadFile(nameOrPath + ".toml")
	if err != nil {
		return Recipe{}, fmt.Errorf("no recipe is called %q%s; there are %s, and any path of a .toml file",
			nameOrPath, didYouMean(nameOrPath, Recipes()), strings.Join(Recipes(), ", "))
	}
	return ParseRecipe(path.Join("recipes", nameOrPath+".toml"), string(text))
}

// ParseRecipe reads a recipe from TOML text; file is used in errors. An unknown key is an error.
func ParseRecipe(file, text string) (Recipe, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	var head struct{ Objective struct{ Kind string } }
	toml.Decode(text, &head) // an error comes up again below
	r := defaultsFor(head.Objective.Kind)
	meta, err := toml.Decode(text, &r)
	var syntax toml.ParseError
	if errors.As(err, &syntax) {
		return Recipe{}, fmt.Errorf("%s:%d: %s", file, syntax.Position.Line, syntax.Message)
	}
	if err != nil {
		return Recipe{}, fmt.Errorf("%s: %w", file, err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return Recipe{}, fmt.Errorf("%s: %w", file, unknownKey(unknown[0].String()))
	}
	return r, nil
}

// TOML returns the recipe as a file, with every field; those that one objective alone has are left out where they are 0, unless it would
// then be read as something else. [ParseRecipe] reads the same recipe from it.
func (r Recipe) TOML() []byte {
	var b bytes.Buffer
	e := toml.NewEncoder(&b)
	e.Indent = ""
	if err := e.Encode(r); err != nil {
		panic("train: recipe: " + err.Error())
	}
	text := b.Bytes()
	defaults := defaultsFor(r.Objective.Kind)
	for _, key := range Keys() {
		own, _ := fieldByKey(reflect.ValueOf(&r).Elem(), key)
		usual, _ := fieldByKey(reflect.ValueOf(&defaults).Elem(), key)
		if own.IsZero() && !usual.IsZero() {
			text = withZero(text, key, own)
		}
	}
	return text
}

// withZero adds a key of a section with the value 0, "" or false, if it is not there.
func withZero(text []byte, key string, zero reflect.Value) []byte {
	section, name, nested := strings.Cut(key, ".")
	if !nested {
		return text // all of those are always written
	}
	head := []byte("[" + section + "]\n")
	at := bytes.Index(text, append([]byte("\n"), head...)) + 1
	if at == 0 {
		text = slices.Concat(text, []byte("\n"), head)
		at = len(text) - len(head)
	}
	at += len(head)
	rest := text[at:]
	if end := bytes.Index(rest, []byte("\n[")); end >= 0 {
		rest = rest[:end]
	}
	if bytes.HasPrefix(rest, []byte(name+" = ")) || bytes.Contains(rest, []byte("\n"+name+" = ")) {
		return text
	}
	value := fmt.Sprint(zero)
	switch zero.Kind() {
	case reflect.String:
		value = `""`
	case reflect.Float64:
		value = "0.0"
	}
	return slices.Insert(text, at, fmt.Appendf(nil, "%s = %s\n", name, value)...)
}

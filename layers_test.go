package parley_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/parley-lm/parley"

// layers are the rooms from the ground up. A package may import what lies below it, and nothing beside or above it.
var layers = [][]string{
	{"internal/mmap", "internal/memory", "internal/harmless", "internal/jinja", "internal/figure"},
	{"chat"},
	{"internal/kernel", "tokenizer", "corpus", "eval", "loss", "rl", "recipes"},
	{"tensor"},
	{"grad"},
	{"nn"},
	{"model"},
	{"hub"},
	{"decode", "score", "judge"},
	{"train"},
	{"sandbox", "inspect", "feedback"},
	{"."},
	{"rank", "compare"},
	{"quickstart", "bench"},
	{"cmd/parley"},
}

// ignorant says what a room must not even reach through others: what its package comment says that it does not know.
var ignorant = map[string][]string{
	"chat":    {"internal/kernel", "tokenizer", "model"},
	"corpus":  {"internal/kernel", "tokenizer", "model"},
	"model":   {"tokenizer", "corpus", "eval"},
	"decode":  {"tokenizer", "corpus", "eval", "hub"},
	"score":   {"tokenizer", "corpus", "eval", "hub"},
	"inspect": {"train", "corpus"},
	"sandbox": {"internal/kernel", "tokenizer", "corpus", "train"},
	".":       {"train", "corpus"},
}

func TestImportsGoDownwardsOnly(t *testing.T) {
	imports := importsOfRooms(t)
	layer := make(map[string]int)
	for i, rooms := range layers {
		for _, room := range rooms {
			layer[room] = i
			if _, ok := imports[room]; !ok {
				t.Errorf("the layers name %q, and there is no such package", room)
			}
		}
	}
	for room, below := range imports {
		at, ok := layer[room]
		if !ok {
			t.Errorf("package %q has no layer; say where it belongs in the table above", room)
			continue
		}
		for _, other := range below {
			if l, ok := layer[other]; ok && l >= at {
				t.Errorf("package %q imports %q, which is not below it", room, other)
			}
		}
	}
}

func TestRoomsDoNotReachWhatTheyDoNotKnow(t *testing.T) {
	imports := importsOfRooms(t)
	for room, unknown := range ignorant {
		reached := reach(imports, room)
		for _, u := range unknown {
			if slices.Contains(reached, u) {
				t.Errorf("package %q reaches %q, of which it should know nothing", room, u)
			}
		}
	}
}

// reach lists the rooms that a room imports, directly or through others.
func reach(imports map[string][]string, room string) []string {
	found := slices.Clone(imports[room])
	for i := 0; i < len(found); i++ {
		for _, next := range imports[found[i]] {
			if !slices.Contains(found, next) {
				found = append(found, next)
			}
		}
	}
	return found
}

// importsOfRooms returns the module's packages, by their path in it, with those that each imports; tests do not count.
func importsOfRooms(t *testing.T) map[string][]string {
	t.Helper()
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go command is not here to list packages")
	}
	if _, err := os.Stat("go.mod"); err != nil {
		t.Skip("the source of the module is not here")
	}
	var problems bytes.Buffer
	list := exec.Command(goCommand, "list", "-json=ImportPath,Imports", "./...")
	list.Stderr = &problems
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, problems.String())
	}
	imports := make(map[string][]string)
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return imports
		} else if err != nil {
			t.Fatal(err)
		}
		own := []string{}
		for _, i := range p.Imports {
			if i == "C" {
				t.Errorf("%s uses cgo", p.ImportPath)
			}
			if i == module || strings.HasPrefix(i, module+"/") {
				own = append(own, roomOf(i))
			}
		}
		imports[roomOf(p.ImportPath)] = own
	}
}

// roomOf is an import path as the table has it: "nn", "cmd/parley", and "." for the module's root.
func roomOf(importPath string) string {
	return path.Clean(strings.TrimPrefix(importPath[len(module):], "/"))
}

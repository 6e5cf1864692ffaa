package train

import (
	"os"
	"path/filepath"
	"testing"
)

func TestATestMayHaveSeveralSets(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"train": "a\nb\nc\n", "val": "d\n", "test_2016": "e\nf\n", "test_2017": "g\n"} {
		for _, language := range []string{"en", "fr"} {
			if err := os.WriteFile(filepath.Join(dir, name+"."+language), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := DefaultRecipe()
	r.Data.Dir = dir
	r.Data.Train, r.Data.Validation = []string{"train.en", "train.fr"}, []string{"val.en", "val.fr"}
	r.Data.Test = []string{"test_2016.en", "test_2016.fr", "test_2017.en", "test_2017.fr"}
	if err := r.Resolve(); err != nil {
		t.Fatal(err)
	}
	sets, err := r.Data.load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(sets.tests) != 2 || sets.tests[0].name != "test_2016" || sets.tests[0].pairs.Len() != 2 || sets.tests[1].name != "test_2017" || sets.tests[1].pairs.Len() != 1 {
		t.Errorf("the sets are %+v", sets.tests)
	}
	r.Data.Test = r.Data.Test[:3]
	if err := r.Validate(); err == nil {
		t.Error("three files make one and a half sets of two, and nobody objects")
	}
}

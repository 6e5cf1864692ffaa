package corpus

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// told spells preferences in a line for each prompt.
func told(p *Preferences) string {
	var lines []string
	for _, one := range p.Prompts {
		line := one.Prompt
		for _, m := range one.Messages {
			line += m.Role + "=" + m.Content + ";"
		}
		for _, c := range one.Comparisons {
			sign := ">"
			if c.Tied {
				sign = "="
			}
			line += " " + one.Answers[c.Better] + sign + one.Answers[c.Worse]
			if c.Margin != 0 {
				line += fmt.Sprintf("(%g)", c.Margin)
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "|")
}

func TestPreferencesOfEveryForm(t *testing.T) {
	dir := t.TempDir()
	for i, c := range []struct {
		text  string
		files PreferenceFiles
		want  string
	}{
		{`{"prompt": "p", "chosen": "a", "rejected": "b", "margin": 2}`, PreferenceFiles{}, "p a>b(2)"},
		{`{"q": "p", "chosen": "a", "rejected": "b"}`, PreferenceFiles{Prompt: "q"}, "p a>b"},
		{`{"prompt": "p", "answers": ["a", {"text": "b", "model": "m"}, "c"], "ranks": [2, 1, 2], "rater": "ann"}`, PreferenceFiles{}, "p b>a a=c b>c"},
		{`{"prompt": [{"role": "user", "content": "p"}], "chosen": [{"role": "assistant", "content": "a"}], "rejected": "b"}`, PreferenceFiles{}, "user=p; a>b"},
		{`{"chosen": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}], "rejected": [{"content": "p", "role": "user"}, {"role": "assistant", "content": "b"}]}`, PreferenceFiles{}, ""},
		{`{"chosen": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}], "rejected": [{"role":"user", "content": "p"}, {"role": "assistant", "content": "b"}]}`, PreferenceFiles{}, "user=p; a>b"},
		{"{\"prompt\": \"p\", \"chosen\": \"a\", \"rejected\": \"b\"}\n\n{\"prompt\": \"q\", \"chosen\": \"a\", \"rejected\": \"b\"}\n{\"prompt\": \"p\", \"chosen\": \"c\", \"rejected\": \"a\"}", PreferenceFiles{}, "p a>b c>a|q a>b"},
	} {
		path := writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.jsonl", i)), c.text)
		p, err := c.files.Read([]string{path})
		if c.want == "" {
			if err == nil || !strings.Contains(err.Error(), path+":1") {
				t.Errorf("%s: %v", c.text, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		} else if told(p) != c.want {
			t.Errorf("%s: %s, want %s", c.text, told(p), c.want)
		}
	}
}

func TestOddPreferencesAreCounted(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "a.jsonl"), `{"prompt": "p", "chosen": "a", "rejected": "a"}
{"prompt": "p", "chosen": "a", "rejected": " "}
{"prompt": "p", "chosen": "a", "rejected": "b"}
{"prompt": "p", "chosen": "b", "rejected": "a"}
{"prompt": "p", "answers": ["c", "d"]}
{"prompt": "p", "answers": ["c", "d"], "cannot_judge": true}
{"prompt": "p", "answers": ["a", "b", "c"], "ranks": [1, 1, 2]}
`)
	p, err := PreferenceFiles{}.Read([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	if p.Identical != 1 || p.Empty != 1 || p.Contradicted != 1 || p.Unjudged != 2 || p.Ties != 1 || p.Comparisons != 5 {
		t.Errorf("%+v", p)
	}
	notes := strings.Join(p.Notes(), "\n")
	for _, want := range []string{path + ":1, " + path + ":2, " + path + ":4", "1 comparisons of an answer with itself", "say the opposite"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q: %s", want, notes)
		}
	}
}

func TestPreferencesAreHeldOutByPromptAndGroup(t *testing.T) {
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, "{\"prompt\": \"p%d\", \"topic\": \"t%d_yes\", \"chosen\": \"a%d\", \"rejected\": \"b\"}\n", i/4, i/40, i)
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "a.jsonl"), b.String())
	p, err := PreferenceFiles{}.Read([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	train, held := p.HoldOut(1, 0.2)
	if len(p.Prompts) != 100 || len(held.Prompts) < 8 || len(held.Prompts) > 35 || train.Comparisons+held.Comparisons != 400 {
		t.Errorf("%d prompts, %d held out, %d and %d comparisons", len(p.Prompts), len(held.Prompts), train.Comparisons, held.Comparisons)
	}
	if p, err = (PreferenceFiles{Group: "topic", GroupUntil: "_"}).Read([]string{path}); err != nil {
		t.Fatal(err)
	}
	if groups := p.Groups(); len(groups) != 10 || groups[3] != "t3" {
		t.Errorf("groups %q", groups)
	}
	train, held = p.HoldOutGroups([]string{"t3"})
	if len(held.Prompts) != 10 || held.Comparisons != 40 || len(train.Prompts) != 90 {
		t.Errorf("%d prompts of the group, %d others", len(held.Prompts), len(train.Prompts))
	}
	_, held = p.HoldOut(1, 0.5)
	of := map[string]int{}
	for _, one := range held.Prompts {
		of[one.Group]++
	}
	for group, n := range of {
		if n != 10 {
			t.Errorf("%d of 10 prompts of %s are held out", n, group)
		}
	}
	if got := p.LongestWins(); got != 1 {
		t.Errorf("the longer answer wins %g", got)
	}
}

func TestPreferencesThatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		`{"prompt": "p"}`:                                        "neither",
		`{"prompt": "p", "chosen": "a"}`:                         "go together",
		`{"prompt": "p", "chosen": 3, "rejected": "a"}`:          "answer 1 must be",
		`{"prompt": 3, "chosen": "b", "rejected": "a"}`:          `"prompt" must be`,
		`{"prompt": [], "chosen": "b", "rejected": "a"}`:         `"prompt" must be`,
		`{"chosen": "b", "rejected": "a"}`:                       `no "prompt"`,
		`{"answers": ["b"], "ranks": [1]}`:                       "data.prompt_field",
		`{"prompt": "p", "answers": ["b"], "ranks": [1, 2]}`:     "2 ranks for 1 answers",
		`{"prompt":"p","chosen":"b","rejected":"a","margin":-1}`: "the margin is -1",
		`{"prompt": "p", "chosen": "a", "rejected": "a"}`:        "judged; 1 comparisons of an answer with itself are left out; the first of these comparisons: ",
		`[1]`: "must be a JSON object",
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "a.jsonl"), text)
		if _, err := (PreferenceFiles{}).Read([]string{path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", text, err, want)
		}
	}
}

func FuzzPreferences(f *testing.F) {
	f.Add([]byte(`{"prompt": "p", "chosen": "a", "rejected": "b", "margin": 2}`))
	f.Add([]byte(`{"prompt": [{"role": "user", "content": "p"}], "answers": ["a", "b", "a"], "ranks": [2, 1, 1]}`))
	f.Add([]byte(`{"chosen": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}], "rejected": []}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := writeFile(t, filepath.Join(t.TempDir(), "a.jsonl"), string(data))
		p, err := PreferenceFiles{Unjudged: true}.Read([]string{path})
		if err != nil {
			return
		}
		for _, one := range p.Prompts {
			for _, c := range one.Comparisons {
				if one.Answers[c.Better] == one.Answers[c.Worse] {
					t.Errorf("%q is compared with itself", one.Answers[c.Better])
				}
			}
		}
	})
}

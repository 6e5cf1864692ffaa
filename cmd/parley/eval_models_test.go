package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
)

var storyteller = filepath.Join("..", "..", "testdata", "storyteller")

func TestEvalPerplexityComparesModels(t *testing.T) {
	text, other := write(t, "story.txt", "Once upon a time, there was a little girl named Lily."), untrainedDecoder(t, "1")
	out := succeed(t, "", "eval", "perplexity", "-m", storyteller, "-m", other, text)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "model ") || !strings.Contains(lines[1], " 15 ") || !strings.HasSuffix(lines[1], "<s>") || !strings.HasSuffix(lines[2], "nothing") {
		t.Errorf("the table is\n%s", out)
	}
	type row struct {
		Model         string
		Perplexity    float64
		BitsPerByte   float64 `json:"bits_per_byte"`
		Tokens, Bytes int
		Documents     int
		Window        int
		Stride        int
		Begin         string
	}
	rows := func(in string, args ...string) (list []row) {
		decode(t, succeed(t, in, append([]string{"eval", "perplexity", "--quiet", "--json"}, args...)...), &list)
		return list
	}
	all := rows("", "-m", storyteller, "-m", other, "--window", "40", "--bos", "always", text)
	if len(all) != 2 || all[0].Model != storyteller || all[0].Tokens != 15 || all[0].Bytes != 53 || all[0].Documents != 1 || all[1].Window != 40 || all[1].Stride != 20 || all[1].Begin != "<s>" {
		t.Fatalf("%+v", all)
	}
	if want := all[0].BitsPerByte * math.Ln2 * 53 / 15; math.Abs(math.Log(all[0].Perplexity)-want) > 1e-9 || all[0].BitsPerByte >= all[1].BitsPerByte {
		t.Errorf("%+v", all)
	}
	// Standard input, several documents in it, and files of another format.
	two := rows("Once upon a time\n---\nThe cat", "-m", storyteller, "--separator", "---", "-")
	jsonl := rows("", "-m", storyteller, "--field", "story", write(t, "two.jsonl", `{"story": "Once upon a time"}`+"\n"+`{"story": "The cat"}`+"\n"))
	if two[0] != jsonl[0] || two[0].Documents != 2 {
		t.Errorf("%+v from standard input, %+v from a file", two, jsonl)
	}
	if threads := rows("", "-m", storyteller, "--threads", "1", text); threads[0] != rows("", "-m", storyteller, "--threads", "3", text)[0] {
		t.Error("the number of threads changes the score")
	}
	fail(t, 2, []string{"eval", "perplexity", text}, "model", "not set")
	fail(t, 2, []string{"eval", "perplexity", "-m", storyteller}, "requires at least 1 arg")
	fail(t, 2, []string{"eval", "perplexity", "-m", storyteller, "-m", other, "-"}, "only once")
	fail(t, 2, []string{"eval", "perplexity", "-m", storyteller, "--bos", "maybe", text}, "maybe", "never")
	fail(t, 2, []string{"eval", "perplexity", "-m", storyteller, "--stride", "9", "--window", "8", text}, "--window 8 --stride 9")
	fail(t, 2, []string{"eval", "perplexity", "-m", storyteller, "--format", "xml", text}, "xml", "jsonl")
	fail(t, 1, []string{"eval", "perplexity", "-m", storyteller, "--window", "5000", text}, "5000", "context is 512")
	fail(t, 1, []string{"eval", "perplexity", "-m", storyteller, "no-such-file"}, "no-such-file")
	fail(t, 1, []string{"eval", "perplexity", "-m", storyteller, "-m", "no-such-model", text}, "no-such-model: no such model directory")
	fail(t, 1, []string{"eval", "perplexity", "-m", storyteller, write(t, "latin1.txt", "a\nb\xe9\n")}, "latin1.txt:2", "UTF-8")
	fail(t, 1, []string{"eval", "perplexity", "-m", storyteller, write(t, "empty.txt", " \n")}, "no token to predict")
	fail(t, 1, []string{"eval", "perplexity", "-m", randomModel(t), text}, "encoder–decoder", "parley eval bleu")
}

func TestEvalChoiceCountsRightAnswers(t *testing.T) {
	questions := `{"query": "Once upon a time, there was a little", "choices": ["girl", "banana tree"], "gold": 0}
{"question": "Lily was very", "choices": ["sad and angry at the dog", "happy", "blue"], "answer": [1, 2]}
{"query": "Once upon a", "choices": ["time", "hippopotamus"], "label": "hippopotamus"}
`
	path, other := write(t, "q.jsonl", questions), untrainedDecoder(t, "1")
	var rows []struct {
		Model     string
		Questions int
		Acc       struct {
			Value    float64
			StdErr   float64
			Interval [2]float64
			Right    int
			Of       int
		}
		Norm  struct{ Of int } `json:"acc_norm"`
		Token struct{ Of int } `json:"acc_token"`
	}
	decode(t, succeed(t, questions, "eval", "choice", "--json", "-m", storyteller, "-"), &rows)
	if len(rows) != 1 || rows[0].Questions != 3 || rows[0].Acc.Right != 2 || rows[0].Acc.Of != 3 || rows[0].Norm.Of != 3 || rows[0].Token.Of != 3 || rows[0].Acc.Interval[0] > 0.3 {
		t.Errorf("%+v", rows)
	}
	out := succeed(t, "", "eval", "choice", "-m", storyteller, "-m", other, path)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "acc_norm") || !strings.Contains(lines[1], "0.6667 [0.21, 0.94]") || !strings.HasPrefix(lines[2], other) {
		t.Errorf("the table is\n%s", out)
	}
	fail(t, 1, []string{"eval", "choice", "-m", storyteller, write(t, "bad.jsonl", "\n"+`{"query": "a", "choices": ["b", "c"], "gold": 2}`)}, "bad.jsonl:2", "from 0 to 1")
	fail(t, 1, []string{"eval", "choice", "-m", storyteller, write(t, "none.jsonl", "\n")}, "none.jsonl", "no question")
	fail(t, 1, []string{"eval", "choice", "-m", randomModel(t), path}, "encoder–decoder")
	fail(t, 2, []string{"eval", "choice", "-m", storyteller, "-m", other, "-"}, "only once")
}

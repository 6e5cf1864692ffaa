package main

import (
	"strings"
	"testing"
)

const (
	referenceText = "the old cat sleeps in the house\na red bird sings in the tree\nthe two children eat the cheese\n"
	betterText    = "the old cat sleeps in the house\na red bird sings in the tree\nthe children eat the cheese\n"
	worseText     = "the cat sleeps in a house\nred bird sings in tree\nchildren eat cheese\n"
)

func TestEvalPrintsALineForEachScore(t *testing.T) {
	ref, better := write(t, "ref", referenceText), write(t, "better", betterText)
	if out := succeed(t, "", "eval", "bleu", "--ref", ref, ref); !strings.HasPrefix(out, "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:") || !strings.Contains(out, "= 100.00 ") {
		t.Errorf("the references score %q against themselves", out)
	}
	out := succeed(t, "", "eval", "all", "--ref", ref, better)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "BLEU|") || !strings.HasPrefix(lines[1], "chrF2|") || !strings.HasPrefix(lines[2], "TER|") {
		t.Errorf("eval all prints %q", out)
	}
	if out := succeed(t, "", "eval", "chrf", "--words", "2", "--ref", ref, better); !strings.HasPrefix(out, "chrF2++|") {
		t.Errorf("chrF++ prints %q", out)
	}
	// The same text as Windows writes it, and from standard input, scores the same.
	windows := "\ufeff" + strings.ReplaceAll(betterText, "\n", "\r\n")
	if got, want := succeed(t, windows, "eval", "bleu", "--ref", ref, "-"), succeed(t, "", "eval", "bleu", "--ref", ref, better); got != want {
		t.Errorf("CR LF and a byte order mark change the score: %q, want %q", got, want)
	}
}

func TestEvalComparesSystems(t *testing.T) {
	ref, better, worse := write(t, "ref", referenceText), write(t, "better", betterText), write(t, "worse", worseText)
	out := succeed(t, "", "eval", "bleu", "--samples", "100", "--ref", ref, worse, better)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], worse+": BLEU|") || !strings.HasPrefix(lines[1], better+": BLEU|") || !strings.Contains(lines[1], "(p = ") {
		t.Errorf("two systems print %q", out)
	}
	var compared []struct {
		System string
		Scores []map[string]any
	}
	decode(t, succeed(t, "", "eval", "all", "--json", "--samples", "100", "--test", "randomization", "--ref", ref, worse, better), &compared)
	if len(compared) != 2 || compared[1].System != better || len(compared[1].Scores) != 3 {
		t.Errorf("--json says %+v", compared)
	}
}

func TestEvalNamesFilesThatDoNotMatch(t *testing.T) {
	ref, short := write(t, "ref", referenceText), write(t, "short", "the old cat\n")
	fail(t, 1, []string{"eval", "bleu", "--ref", ref, short}, ref, "3 lines", short, "1")
	fail(t, 1, []string{"eval", "bleu", "--ref", ref, "--ref", short, ref}, ref, "3 lines", short, "1")
	fail(t, 1, []string{"eval", "bleu", "--ref", ref, "no-such-file"}, "no-such-file")
	fail(t, 1, []string{"eval", "bleu", "--ref", ref, write(t, "empty", "")}, "empty")
	fail(t, 1, []string{"eval", "bleu", "--tokenize", "13b", "--ref", ref, ref}, "13b", "13a")
	latin1 := write(t, "latin1", "a\nb\ncaf\xe9\n")
	fail(t, 1, []string{"eval", "ter", "--ref", ref, latin1}, latin1+":3", "UTF-8")
}

func TestEvalTakesDifferentNumbersOfReferences(t *testing.T) {
	output := write(t, "output", "the old cat sleeps in the house\na red bird sings in tree\nchildren eat the cheese now\n")
	ref := write(t, "ref", "the old cat sleeps in the house\na red bird sings in the tree\ta bird that is red sings in a tree\t\tthe red bird sang\nthe two children eat the cheese\tthe children are eating cheese\n")
	out := succeed(t, "", "eval", "all", "--ref-tabs", "--ref", ref, output)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "BLEU|nrefs:var|") || !strings.Contains(lines[0], "= 80.73 ") || !strings.Contains(lines[1], "= 85.76") || !strings.Contains(lines[2], "= 20.87") {
		t.Errorf("eval all prints %q", out)
	}
	first := write(t, "first", "the old cat sleeps in the house\na red bird sings in the tree\nthe two children eat the cheese\n")
	same := succeed(t, "", "eval", "bleu", "--ref-tabs", "--ref", first, output)
	if plain := succeed(t, "", "eval", "bleu", "--ref", first, output); same != plain || !strings.HasPrefix(same, "BLEU|nrefs:1|") {
		t.Errorf("without a tab it prints %q, want %q", same, plain)
	}
}

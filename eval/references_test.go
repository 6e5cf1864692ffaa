package eval_test

import (
	"math"
	"strings"
	"testing"

	"github.com/parley-lm/parley/eval"
)

func TestSentencesWithDifferentNumbersOfReferencesScoreAsInSacrebleu(t *testing.T) {
	hypotheses := []string{"the old cat sleeps in the house", "a red bird sings in tree", "children eat the cheese now"}
	references := eval.Streams([][]string{
		{"the old cat sleeps in the house"},
		{"a red bird sings in the tree", "a bird that is red sings in a tree", "the red bird sang"},
		{"the two children eat the cheese", "the children are eating cheese"},
	})
	if len(references) != 3 || references[1][0] != eval.NoReference || references[2][1] != "the red bird sang" {
		t.Fatalf("the streams are %q", references)
	}
	for _, c := range []struct {
		metric interface {
			eval.Metric
			Corpus(hyps []string, refs [][]string) (eval.Score, error)
		}
		want float64 // of sacrebleu 2.6.0, with None where there is no reference
	}{
		{eval.BLEU{}, 80.7324676621152}, {eval.CHRF{}, 85.75608485025677}, {eval.CHRF{WordOrder: 2}, 84.94915159110398}, {eval.TER{}, 20.869565217391305},
	} {
		s, err := c.metric.Corpus(hypotheses, references)
		if err != nil || math.Abs(s.Value-c.want) > 1e-9 || !strings.HasPrefix(s.Signature, "nrefs:var|") {
			t.Errorf("%s: %v, %v, want %g", c.metric.Name(), s, err, c.want)
		}
		resampled, err := eval.Bootstrap(c.metric, hypotheses, references, 20, 1)
		if err != nil || resampled.Value != s.Value || !strings.HasPrefix(resampled.Signature, "nrefs:var|bs:20|") {
			t.Errorf("%s resampled: %v, %v", c.metric.Name(), resampled, err)
		}
	}
	two := eval.Streams([][]string{{"a b", "a c"}, {"d e", "d f"}})
	if s, err := (eval.BLEU{}).Corpus([]string{"a b", "d e"}, two); err != nil || !strings.HasPrefix(s.Signature, "nrefs:2|") {
		t.Errorf("two references each: %v, %v", s, err)
	}
	if _, err := (eval.BLEU{}).Corpus([]string{"a", "b"}, eval.Streams([][]string{{"a"}, nil})); err == nil || !strings.Contains(err.Error(), "sentence 2 has no reference") {
		t.Errorf("a sentence without a reference: %v", err)
	}
}

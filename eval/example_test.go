package eval_test

import (
	"fmt"

	"github.com/parley-lm/parley/eval"
)

func ExampleBLEU() {
	hypotheses := []string{"The ferry leaves at noon.", "She has two older brothers."}
	references := []string{"The ferry leaves at midday.", "She has two elder brothers."}

	score, err := eval.BLEU{}.Corpus(hypotheses, [][]string{references})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(score)
	// Output:
	// BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0 = 42.04 83.3/60.0/37.5/16.7 (BP = 1.000 ratio = 1.000 hyp_len = 12 ref_len = 12)
}

func ExamplePairedBootstrap() {
	references := [][]string{{"one red square", "two green stars", "a blue circle", "three white lines"}}
	systems := []eval.System{
		{Name: "baseline", Hypotheses: []string{"one square", "two stars", "a circle", "three lines"}},
		{Name: "new", Hypotheses: []string{"one red square", "two green stars", "a blue circle", "three black lines"}},
	}
	compared, err := eval.PairedBootstrap([]eval.Metric{eval.CHRF{}}, references, systems, 1000, eval.DefaultSeed)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, system := range compared {
		score := system.Scores[0]
		fmt.Printf("%s: %.1f", system.System, score.Value)
		if score.P != nil {
			fmt.Printf(" (p = %.3f)", *score.P)
		}
		fmt.Println()
	}
	// Output:
	// baseline: 42.8
	// new: 80.4 (p = 0.001)
}

package sandbox_test

import (
	"fmt"
	"strings"

	"github.com/parley-lm/parley/sandbox"
)

func ExampleWorld() {
	for _, p := range sandbox.NewWorld(2).Pairs(3) {
		fmt.Println(p.English)
		fmt.Println("  " + p.French)
	}
	// Output:
	// Julie isn't showing the mouse to the boys because it is a quarter past twelve.
	//   Julie ne montre pas la souris aux garçons parce qu'il est douze heures et quart.
	// This cat slept next to her old school.
	//   Ce chat a dormi à côté de sa vieille école.
	// I need the most dangerous cats.
	//   J'ai besoin des chats les plus dangereux.
}

// A score for each phenomenon shows what a translator has learnt and what it has not.
func ExampleSplit() {
	_, _, test, _ := sandbox.Split(1, 1000, 100, 100)
	translate := func(english string) string { return strings.ToUpper(english) } // of a very bad translator
	right, all := map[string]int{}, map[string]int{}
	for _, p := range test {
		for _, tag := range p.Tags {
			all[tag]++
			if translate(p.English) == p.French {
				right[tag]++
			}
		}
	}
	fmt.Printf("negation: %.0f %%\n", 100*float64(right["negation"])/float64(all["negation"]))
	// Output: negation: 0 %
}

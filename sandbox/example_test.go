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
	// The boys rest when I give you all the cheese-warmers.
	//   Les garçons se reposent quand je te donne tous les chauffe-fromage.
	// Will I be less tired than Marie?
	//   Est-ce que je serai moins fatigué que Marie ?
	// I bought this picture in Beartower.
	//   J'ai acheté ce tableau à Tourours.
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

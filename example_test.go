package parley_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"sync"

	"github.com/parley-lm/parley"
)

// Open reads a model directory, or the best model of a run. Translate uses the search that the model was saved with.
func Example() {
	m, err := parley.Open("testdata/translator")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	french, err := m.Translate(context.Background(), "The old cat sleeps.", "The women do not eat the apples.")
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range french {
		fmt.Println(f)
	}
}

func ExampleOpen() {
	m, err := parley.Open("testdata/translator", parley.Threads(2))
	if err != nil {
		log.Fatal(err) // names the file, and the key or tensor in it that does not fit
	}
	defer m.Close()
	fmt.Println(m.Parameters() > 0)
}

func ExampleModel_TranslateWith() {
	m, err := parley.Open("testdata/translator")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	found, err := m.TranslateWith(context.Background(), parley.TranslateOptions{Beams: 4, NBest: 2}, "The old cat sleeps.")
	if err != nil {
		log.Fatal(err)
	}
	best, second := found[0][0], found[0][1]
	fmt.Println(best.Text)
	fmt.Println(best.Score >= second.Score)
}

// A Model is safe for use by many goroutines. What they ask for is computed together, and each gets what it would get
// alone.
func ExampleModel_Translate_goroutines() {
	m, err := parley.Open("testdata/translator")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	english := []string{"The old cat sleeps.", "The cat sleeps.", "The old dog sleeps."}
	french := make([]string, len(english))
	var group sync.WaitGroup
	for i, e := range english {
		group.Go(func() {
			texts, err := m.Translate(context.Background(), e)
			if err != nil {
				log.Print(err)
				return
			}
			french[i] = texts[0]
		})
	}
	group.Wait()
	for _, f := range french {
		fmt.Println(f)
	}
}

// A sentence that cannot be translated leaves an empty string, and an error that says which it is; the others are
// translated all the same.
func ExampleSentenceError() {
	m, err := parley.Open("testdata/translator")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	texts, err := m.Translate(context.Background(), "The old cat sleeps.", strings.Repeat("cat ", 500))
	fmt.Println(texts[0])
	fmt.Println(err)
}

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
	// Output:
	// Le vieux chat dort.
	// Les femmes ne mangent pas les pommes.
}

func ExampleOpen() {
	m, err := parley.Open("testdata/translator", parley.Threads(2))
	if err != nil {
		log.Fatal(err) // names the file, and the key or tensor in it that does not fit
	}
	defer m.Close()
	fmt.Println(m.Parameters() > 0)
	// Output:
	// true
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
	// Output:
	// Le vieux chat dort.
	// true
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
	// Output:
	// Le vieux chat dort.
	// Le chat dort.
	// Le vieux chien dort.
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
	// Output:
	// Le vieux chat dort.
	// sentence 2: the source has 502 tokens, the model reads at most 128; split it
}

// Generate yields tokens as they are chosen; printed at once, the text streams.
func ExampleModel_Generate() {
	m, err := parley.Open("testdata/storyteller")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	fmt.Print("Once upon a time")
	for token, err := range m.Generate(context.Background(), "Once upon a time", parley.GenerateOptions{Stop: []string{" One day"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	// Output:
	// Once upon a time, there was a little girl named Lily. She loved to play outside in the park.
}

// Several answers to one prompt share what the model computes of it. Fields that are pointers are as the model says where they
// are nil.
func ExampleGenerateOptions() {
	m, err := parley.Open("testdata/storyteller")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	o := parley.GenerateOptions{N: 3, Temperature: new(0.8), TopP: new(0.95), Seed: 7, Stop: []string{"\n"}}
	answers := make([]string, o.N)
	for token, err := range m.Generate(context.Background(), "The cat said:", o) {
		if err != nil {
			log.Fatal(err)
		}
		answers[token.Answer] += token.Text
	}
	fmt.Println(len(answers))
	// Output:
	// 3
}

// With choices the model says one of the given texts and nothing else. Leaving the loop would cancel the request.
func ExampleModel_Generate_choices() {
	m, err := parley.Open("testdata/storyteller")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	o := parley.GenerateOptions{Choices: []string{" happy", " sad"}}
	fmt.Print("The old cat was")
	for token, err := range m.Generate(context.Background(), "The old cat was", o) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	// Output:
	// The old cat was sad
}

// A Model says what it is, and so what can be done with it.
func ExampleModel_Architecture() {
	m, err := parley.Open("testdata/storyteller")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if m.Architecture() == parley.EncoderDecoder {
		fmt.Println("ask it to translate")
	} else {
		fmt.Println("ask it to generate")
	}
	// Output:
	// ask it to generate
}

// LogLikelihood says how probable texts are after a prompt: here, which of two endings a model that knows stories expects.
func ExampleModel_LogLikelihood() {
	m, err := parley.Open("testdata/storyteller")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	endings := []string{" happy", " purple"}
	likely, err := m.LogLikelihood(context.Background(), "She got a present and was very", endings...)
	if err != nil {
		log.Fatal(err)
	}
	for i, l := range likely {
		fmt.Printf("%s %.1f\n", endings[i], l.LogProb)
	}
	// Output:
	//  happy -2.2
	//  purple -8.0
}

// Perplexity says how well a model predicts text. Documents may be any number, and of any length if they come in parts.
func ExampleModel_Perplexity() {
	m, err := parley.Open("testdata/storyteller")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	documents := func(yield func(parley.Document, error) bool) {
		yield(parley.Document{Text: "Once upon a time, there was a little girl named Lily."}, nil)
	}
	p, err := m.Perplexity(context.Background(), documents, parley.ScoreOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d tokens, perplexity %.2f, %.2f bits per byte\n", p.Tokens, p.Value(), p.BitsPerByte())
	// Output:
	// 15 tokens, perplexity 1.11, 0.04 bits per byte
}

// Chat answers a dialogue. The answer becomes its next message, and the next turn is read on from there.
func ExampleModel_Chat() {
	m, err := parley.Open("testdata/talker")
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	var talk []parley.Message
	for _, question := range []string{"What comes after four?", "What comes before nine?"} {
		talk = append(talk, parley.Message{Role: "user", Content: question})
		answer := ""
		for token, err := range m.Chat(context.Background(), talk, parley.GenerateOptions{}) {
			if err != nil {
				log.Fatal(err)
			}
			answer += token.Text
		}
		fmt.Println(answer)
		talk = append(talk, parley.Message{Role: "assistant", Content: answer})
	}
	// Output:
	// Five.
	// Eight.
}

package sandbox

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/parley-lm/parley/chat"
)

func asked(t *testing.T, prompt string) *Question {
	t.Helper()
	q, err := ReadQuestion([]chat.Message{{Role: chat.User, Content: prompt}})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

const atSchool = "Paul is in the park. Paul takes the key. Paul goes to the school. "

func TestCheckIsLenientAboutWordsAndStrictAboutFacts(t *testing.T) {
	for _, c := range []struct {
		prompt, answer string
		want           Outcome
	}{
		{"Where is Paul?", "In the school.", Right},
		{"Where is Paul?", "  in the SCHOOL", Right},
		{"Where is Paul?", "He is in the school!", Right},
		{"Where is Paul?", "She is in the school.", Unreadable},
		{"Where is Paul?", "Certainly. Let me think. Paul is in the school. You are welcome.", Right},
		{"Where is Paul?", "In the school. Paul is in the school.", Right},
		{"Where is Paul?", "In the park.", Wrong},
		{"Where is Paul?", "In the park. In the school.", Wrong},
		{"Where is Paul?", "In the school. In the park. In the school.", Wrong},
		{"Where is Paul?", "In the school. I do not know.", Wrong},
		{"Where is Paul?", "In the school park.", Unreadable},
		{"Where is Paul?", "In the school and more", Unreadable},
		{"Where is Paul?", "The key is in the school.", Unreadable},
		{"Where is Paul?", "Sorry. I don't know.", Unsure},
		{"Where is Paul?", "Of course.", Unreadable},
		{"Where is Paul?", "", Unreadable},
		{"Where is the key?", "It is in the school.", Right},
		{"Where is Marie?", "I do not know. The story does not say.", Right},
		{"Where is Marie?", "In the school.", Guess},
		{"Who has the key?", "Paul has it.", Right},
		{"Who has the key?", "Marie has the key.", Wrong},
		{"Marie has two eggs. Marie buys one egg. How many eggs does Marie have?", "three eggs", Right},
		{"Marie has two eggs. Marie buys one egg. How many eggs does Marie have?", "Marie has two eggs.", Wrong},
		{"Marie is taller than Emma. Who is taller, Emma or Marie?", "Marie is taller than Emma.", Right},
		{"Marie is taller than Emma. Who is taller, Emma or Marie?", "Emma is taller than Marie.", Wrong},
		{"Translate into French: Paul has the key.", "Paul a la clé.", Right},
		{"Translate into French: Paul has the key.", "Certainly. Paul a la clé.", Right},
		{"Translate into French: Paul has the key.", "Paul a le clé.", Wrong},
		{"Translate into French: Paul has the key.", "Paul a la clé. Paul a le clé.", Wrong},
	} {
		if v := asked(t, atSchool+c.prompt).Check(c.answer); v.Outcome != c.want {
			t.Errorf("%s %q is %s, want %s", c.prompt, c.answer, v.Outcome, c.want)
		}
	}
	v := asked(t, atSchool+"Where is Paul?").Check("Of course. Paul is in the school. You are welcome.")
	if want := (Verdict{Right, 2, 10, 7}); v != want {
		t.Errorf("verdict %+v, want %+v", v, want)
	}
}

func TestUtilityOrdersAnswersAsTheTasteSays(t *testing.T) {
	known, unknown := asked(t, atSchool+"Where is Paul?"), asked(t, atSchool+"Where is Marie?")
	for q, answers := range map[*Question][]string{
		known: {"Certainly. In the school.", "Certainly. Paul is in the school.", "In the school.", "Paul is in the school.",
			"Let me think. Let me see. I have read the story. Paul is in the school.", "I do not know.", "In the park.", "Paul", "Paul Paul Paul Paul Paul"},
		unknown: {"Sorry. I do not know.", "I do not know.", "Certainly. In the school.", "In the school."},
	} {
		places := Judge{Taste: DefaultTaste}.Rank(q, answers)
		for i := range answers {
			if places[i] != i+1 {
				t.Errorf("%q has place %d, want %d", answers[i], places[i], i+1)
			}
		}
	}
	if places := (Judge{Taste: DefaultTaste}).Rank(known, []string{"In the park.", "In the school.", "In the castle.", "in the school"}); !slices.Equal(places, []int{2, 1, 2, 1}) {
		t.Errorf("ties are ranked %v", places)
	}
}

// differing are answers of six different utilities.
var differing = []string{"Certainly. In the school.", "In the school.", "Paul is in the school.", "Let me see. Paul is in the school.", "I do not know.", "In the park."}

func TestNoiseTurnsTheStatedShareOfPairs(t *testing.T) {
	q := asked(t, atSchool+"Where is Paul?")
	for _, n := range []int{2, 3, 6} {
		for _, flip := range []float64{0, 0.1, 0.3} {
			turned, pairs := 0, 0
			for seed := range uint64(1000) {
				places := Judge{Taste: DefaultTaste, Flip: flip, Seed: seed}.Rank(q, differing[:n])
				for i := range n {
					for k := range i {
						pairs++
						if places[k] > places[i] {
							turned++
						}
					}
				}
			}
			if share := float64(turned) / float64(pairs); math.Abs(share-flip) > 0.025 {
				t.Errorf("of %d answers %.3f of the pairs are turned, want %.1f", n, share, flip)
			}
		}
	}
}

func TestPlackettLucePrefersInProportionToExponentials(t *testing.T) {
	q := asked(t, atSchool+"Where is Paul?")
	judge := Judge{Taste: DefaultTaste, Temperature: 0.5}
	first, times := 0, 5000
	for seed := range uint64(times) {
		judge.Seed = seed
		if judge.Rank(q, differing[:2])[0] == 1 {
			first++
		}
	}
	difference := judge.Utility(q, differing[0]) - judge.Utility(q, differing[1])
	if want, got := 1/(1+math.Exp(-difference/0.5)), float64(first)/float64(times); math.Abs(got-want) > 0.02 {
		t.Errorf("the better of two is preferred %.3f times, want %.3f", got, want)
	}
}

func TestARankingIsAFunctionOfJudgeQuestionAndAnswers(t *testing.T) {
	q := asked(t, atSchool+"Where is Paul?")
	differ := false
	for seed := range uint64(50) {
		judge := Judge{Taste: DefaultTaste, Flip: 0.2, Seed: seed}
		a, b := judge.Rank(q, differing), judge.Rank(q, differing)
		if !slices.Equal(a, b) {
			t.Fatalf("ranked %v and %v", a, b)
		}
		judge.Seed++
		differ = differ || !slices.Equal(a, judge.Rank(q, differing))
	}
	if !differ {
		t.Error("the seed changes nothing")
	}
}

func FuzzCheck(f *testing.F) {
	for _, answer := range differing {
		f.Add(answer)
	}
	f.Add("\x00.?:\xff don't\n")
	questions := []*Question{}
	for i := range 20 {
		questions = append(questions, Village{1, Train}.Question(i))
	}
	f.Fuzz(func(t *testing.T, answer string) {
		for _, q := range questions {
			v := q.Check(answer)
			if u := DefaultTaste.utility(v); math.IsNaN(u) || math.Abs(u) > 2 || v.Excess > v.Words {
				t.Errorf("%q: %+v is worth %g", answer, v, u)
			}
		}
	})
}

func FuzzReadQuestion(f *testing.F) {
	for i := range 20 {
		q := Village{1, Train}.Question(i)
		f.Add(q.Messages[len(q.Messages)-1].Content)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if q, err := ReadQuestion([]chat.Message{{Role: chat.User, Content: text}}); err == nil {
			if v := q.Check(q.Answer()); !v.Right() {
				t.Errorf("%q: the answer %q is %+v", text, q.Answer(), v)
			}
		}
	})
}

func BenchmarkUnseenQuestion(b *testing.B) {
	for i := range b.N {
		Village{1, Unseen}.Question(i)
	}
}

func ExampleReadQuestion() {
	q, err := ReadQuestion([]chat.Message{{Role: chat.User, Content: "Paul is in the park. Paul takes the key. Paul goes to the school. Where is the key?"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	judge := Judge{Taste: DefaultTaste}
	for _, answer := range []string{"Certainly. In the school.", "Let me think. The key is in the school.", "In the park."} {
		fmt.Printf("%-40s %-6s %5.2f\n", answer, q.Check(answer).Outcome, judge.Utility(q, answer))
	}
	// Output:
	// Certainly. In the school.                right   1.25
	// Let me think. The key is in the school.  right   0.70
	// In the park.                             wrong  -1.00
}

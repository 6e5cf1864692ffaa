package sandbox

import (
	"testing"

	"github.com/parley-lm/parley/chat"
)

func TestAQuestionIsEasyWhoseAnswerWasSaidLast(t *testing.T) {
	for _, c := range []struct {
		prompt string
		easy   bool
	}{
		{"Paul is in the park. Marie has the key. Where is Paul?", true},
		{"Paul is in the park. Marie is in the school. Where is Paul?", false},
		{"Paul is in the park. Marie is in the school. Where is Emma?", false},
		{"Marie has the key. Where is Emma?", true},
		{"Paul has the key. Paul gives the key to Marie. Who has the key?", true},
		{"Paul has the key. Marie has the hat. Who has the key?", false},
		{"Paul is in the park. Paul takes the key. Marie has the hat. Who has the key?", false},
		{"Paul has two eggs. Paul buys one egg. How many eggs does Paul have?", true},
		{"Paul has two eggs. Marie has one egg. How many eggs does Paul have?", false},
		{"Paul has two eggs. Marie has one egg. Paul gives one egg to Marie. How many eggs does Paul have?", false},
		{"Paul is taller than Marie. Who is taller, Paul or Marie?", false},
		{"Paul is taller than Marie. Who is older, Paul or Marie?", false},
	} {
		q, err := ReadQuestion([]chat.Message{{Role: chat.User, Content: c.prompt}})
		if err != nil {
			t.Fatal(err)
		}
		if q.easy() != c.easy {
			t.Errorf("%s: easy is %t", c.prompt, q.easy())
		}
	}
}

// What is taught is harder than what is asked by itself.
func TestWhatIsTaughtIsLessOftenEasy(t *testing.T) {
	v := Village{5, Train}
	for _, kind := range []Kind{Where, Who, Count} {
		asked, taught := 0, 0 // that are not easy
		for i := range manyItems {
			b := v.builder(dialogueStream, i)
			q := v.question(b, kind, b.story())
			for q == nil {
				q = v.question(b, kind, b.story())
			}
			if !q.easy() {
				asked++
			}
			if !v.firstToTeach(b, kind).easy() {
				taught++
			}
		}
		if 10*taught < 13*asked {
			t.Errorf("%s: of %d questions %d are not easy, taught %d", kind, manyItems, asked, taught)
		}
	}
}

package quickstart

import (
	"testing"

	"github.com/parley-lm/parley/chat"
	"github.com/parley-lm/parley/sandbox"
	"github.com/parley-lm/parley/train"
)

func TestTheSandboxRewardsWhatIsRight(t *testing.T) {
	for i := range 20 {
		q := sandbox.Village{Seed: 1, Part: sandbox.Train}.Question(i)
		prompt := &train.Prompt{Place: "test:1"}
		for _, m := range q.Messages {
			prompt.Messages = append(prompt.Messages, chat.Message{Role: m.Role, Content: m.Content})
		}
		answers := []train.Answer{{Prompt: prompt, Text: q.Answer()}, {Prompt: prompt, Text: "Blue cheese."}}
		for kind, makes := range Rewards() {
			r, err := makes(train.Recipe{})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float64, 2)
			if err := r.Judge(t.Context(), answers, got); err != nil {
				t.Fatal(err)
			}
			if got[0] != 1 || got[1] > 0 {
				t.Errorf("%s: %q is worth %g, and nonsense %g", kind, q.Answer(), got[0], got[1])
			}
		}
	}
	r, _ := Rewards()["sandbox"](train.Recipe{})
	if err := r.Judge(t.Context(), []train.Answer{{Prompt: &train.Prompt{Text: "What is love?", Place: "p.txt:3"}}}, make([]float64, 1)); err == nil {
		t.Error("a prompt that is no question of the sandbox is judged")
	}
}

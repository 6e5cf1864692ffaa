package quickstart

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// tiny shows the stages, and learns nothing.
var tiny = effort{stories: 300, storyUpdates: 3, dialogues: 60, tuneUpdates: 3, prompts: 8, answers: 3, noise: 0.1, epochs: 1, rollouts: 64, questions: 6}

func TestEveryStageOfAnAssistantRunsAndGoesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	var log bytes.Buffer
	o := Options{Out: filepath.Join(t.TempDir(), "assistant"), Threads: 2, Seed: 1, Log: &log}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&pipeline{Options: o, effort: tiny}).run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled one returns %v", err)
	}
	a, err := (&pipeline{Options: o, effort: tiny}).run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Comparison.Models) != 3 || a.Comparison.Models[2].All.Questions != tiny.questions || a.Rankings == 0 {
		t.Errorf("%+v", a)
	}
	for _, stage := range []string{"1. Pre-training", "2. Fine-tuning", "3. Ranking", "4. Reward model", "5. Reinforcement", "6. Measuring", "parley train ppo -m"} {
		if !strings.Contains(log.String(), stage) {
			t.Errorf("nothing is said of %q", stage)
		}
	}
	again, err := (&pipeline{Options: o, effort: tiny}).run(t.Context()) // only the measuring is done again
	if err != nil || !reflect.DeepEqual(again.Comparison, a.Comparison) {
		t.Errorf("called again: %v\n%+v\n%+v", err, again, a)
	}
}

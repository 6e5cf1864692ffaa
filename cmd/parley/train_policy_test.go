package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// smallPolicy makes reinforcement learning last a moment.
var smallPolicy = []string{
	"--quiet", "--threads", "1", "-m", "../../testdata/storyteller", "--set", "rollout.answers=8", "--set", "rollout.group=4", "--set", "policy.minibatch=8",
	"--set", "rollout.max_tokens=8", "--set", "train.epochs=2", "--set", "validation.limit=4",
}

func policyArgs(recipe string, more ...string) []string {
	return append(append([]string{"train", recipe}, smallPolicy...), more...)
}

func TestAPolicyIsTrainedFromTheCommandLine(t *testing.T) {
	lines := write(t, "prompts.txt", "Once upon a time\nThe dog\nA cat\nLily\n")
	objects := write(t, "prompts.jsonl", `{"prompt": "Once upon a time", "answer": "there was"}
{"messages": [{"role": "user", "content": "Tell me a story."}], "answer": "no"}
{"prompt": [{"role": "user", "content": "And another."}], "answer": "no"}
`)
	for _, c := range []struct {
		name, input string
		args        []string
	}{
		{"lines", "", policyArgs("ppo", "--prompts", lines, "--reward", "contains", "--set", "reward.text=he")},
		{"JSONL", "", policyArgs("grpo", "--prompts", objects, "--reward", "answer")},
		{"standard input", "One\nTwo\nThree\n", policyArgs("grpo", "--prompts", "-", "--reward", "length", "--set", "reward.tokens=5")},
		{"an adapter", "", policyArgs("ppo", "--prompts", lines, "--valid", lines, "--reward", "length", "--set", "reward.tokens=5", "--set", "lora.rank=2")},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			result := succeed(t, c.input, append(c.args, "--out", out)...)
			for _, words := range []string{"model: ", "reward ", "divergence ", "report.html", "parley generate -m " + out} {
				if !strings.Contains(result, words) {
					t.Errorf("the result does not say %q:\n%s", words, result)
				}
			}
			if text := succeed(t, "", "generate", "-m", out, "--prompt", "Once", "--max-tokens", "4"); len(text) < 2 {
				t.Errorf("the model writes %q", text)
			}
		})
	}
	spoken := filepath.Join(t.TempDir(), "run")
	if result := succeed(t, "", policyArgs("grpo", "-m", talker, "--prompts", objects, "--reward", "answer", "--out", spoken)...); !strings.Contains(result, "parley chat -m "+spoken) {
		t.Errorf("of a model that talks it says\n%s", result)
	}
	plan := succeed(t, "", policyArgs("ppo", "--prompts", lines, "--reward", "length", "--set", "reward.tokens=5", "--dry-run")...)
	if !strings.Contains(plan, "3 prompts to learn from, 1 to validate on") {
		t.Errorf("the plan: %s", plan)
	}
}

func TestWhatReinforcementLearningNeedsIsAskedFor(t *testing.T) {
	lines := write(t, "prompts.txt", "Once upon a time\n")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"-m DIR", []string{"train", "ppo", "--prompts", lines, "--reward", "answer"}},
		{"--prompts FILE", policyArgs("ppo", "--reward", "answer")},
		{"--reward DIR", policyArgs("ppo", "--prompts", lines)},
		{"--depth is for new language models", policyArgs("ppo", "--prompts", lines, "--depth", "4")},
		{"--size is for translators", policyArgs("grpo", "--prompts", lines, "--size", "tiny")},
		{"--prompts and --reward are for ppo and grpo", []string{"train", "lm", "--data", lines, "--reward", "answer"}},
	} {
		fail(t, 2, c.args, c.want)
	}
	broken := write(t, "broken.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": 3}\n")
	for want, args := range map[string][]string{
		"broken.jsonl:2: \"prompt\" must be a text": policyArgs("ppo", "--prompts", broken, "--reward", "answer"),
		"no such model directory":                   policyArgs("ppo", "--prompts", lines, "--valid", lines, "--reward", "nowhere"),
		"LlamaForCausalLM":                          policyArgs("ppo", "--prompts", lines, "--valid", lines, "--reward", "../../testdata/storyteller"),
		"the sandbox does not know the sentence":    policyArgs("ppo", "--prompts", lines, "--valid", lines, "--reward", "sandbox"),
	} {
		fail(t, 1, append(args, "--out", filepath.Join(t.TempDir(), "run")), want)
	}
}

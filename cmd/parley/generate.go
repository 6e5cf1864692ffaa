package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/parley-lm/parley"
)

func (a *app) generateCommand() *cobra.Command {
	var (
		model, prompt, promptFile string
		flags                     generateFlags
		precision, arithmetic     precisionFlag
		adapters                  adapterFlag
	)
	c := &cobra.Command{
		Use:   "generate -m DIR",
		Short: "Continue a prompt with a language model, as it writes",
		Long: `Continue a prompt with a language model, as it writes: --prompt, the file of --prompt-file, or the lines of standard
input, each a prompt of its own.

What is printed is what follows the prompt, and a line break after each answer; with --json it is one line for each prompt.
Prompts are answered together and come out in the order in which they went in. One that cannot be continued is reported on
standard error and leaves an empty line; the exit status is then 1.

Options that are not given are as the model's generation_config.json says. If that says nothing, the most probable token is
written each time, until the model ends the text or its context is full.`,
		Example: `  parley generate -m DIR --prompt "Once upon a time"
  parley generate -m DIR --prompt "Once upon a time" --temperature 0.8 --top-p 0.95 --seed 7 --n 3
  parley generate -m DIR --prompt "The answer is" --choices " yes, no" --json --logprobs 5
  parley generate -m DIR --prompt "The answer is" --choices " yes, no, perhaps" --beams 3 --n 3 --json   # in order, scored
  parley generate -m DIR --max-tokens 50 --stop "." < prompts.txt
  parley generate -m DIR --prompt-file chapter.txt --beams 4
  parley generate -m DIR --adapter runs/polite:0.7 --adapter runs/brief --prompt "Dear customer"`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := flags.options(c.Flags(), a.seed)
			if err != nil {
				return err
			}
			if o.LogProbs > 0 && !a.json {
				return usagef("--logprobs %d: add --json, which has a place for them", o.LogProbs)
			}
			g := generation{app: a, options: o, single: true}
			var next func() (string, error)
			switch given := c.Flags().Changed; {
			case given("prompt") && given("prompt-file"):
				return usagef("--prompt and --prompt-file are two prompts; give one of them")
			case given("prompt"):
				next = eachOf([]string{prompt})
			case given("prompt-file"):
				text, err := a.promptFrom(c.Context(), promptFile)
				if err != nil {
					return err
				}
				next = eachOf([]string{text})
			default:
				g.single = false
				next = newLineReader(a.input(c.Context()), longestSentence).next
			}
			if g.model, err = parley.Open(model, append(adapters.options(), parley.Threads(a.threads), precision.option(), parley.WithArithmetic(arithmetic.value))...); err != nil {
				return err
			}
			defer g.model.Close()
			if g.model.Architecture() != parley.DecoderOnly {
				return fmt.Errorf("%s is an %s, which translates: parley translate -m %s", model, g.model.Architecture(), model)
			}
			if !g.single && !a.quiet && isTerminal(a.in) {
				fmt.Fprintln(a.err, "Type a prompt and press Enter; end with Ctrl-D.")
			}
			return g.stream(c.Context(), next)
		},
	}
	f := c.Flags()
	f.StringVarP(&model, "model", "m", "", "model directory, run or GGUF file, or a LoRA adapter that names its base model")
	c.MarkFlagRequired("model")
	f.StringVarP(&prompt, "prompt", "p", "", "text to continue; an empty one begins a text")
	f.StringVar(&promptFile, "prompt-file", "", "file with the text to continue, all of it but a line break at its end; - is standard input")
	flags.define(f)
	precision.define(f)
	arithmetic.defineArithmetic(f)
	adapters.define(f)
	return c
}

// longestPrompt is the most bytes of a file with a prompt: far more than any model reads.
const longestPrompt = 64 << 20

// promptFrom reads a prompt from a file, or from standard input.
func (a *app) promptFrom(ctx context.Context, path string) (string, error) {
	r := a.input
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		r = func(context.Context) io.Reader { return f }
	}
	text, err := io.ReadAll(io.LimitReader(r(ctx), longestPrompt+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("--prompt-file %s: %w", path, err)
	case len(text) > longestPrompt:
		return "", fmt.Errorf("--prompt-file %s: larger than the %d bytes that are read", path, longestPrompt)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
}

// generateFlags are the flags that become options; what is not given is left to the model.
type generateFlags struct {
	o parley.GenerateOptions

	temperature, topP, minP, typicalP, epsilon, eta, repetition, lengthPenalty float64
	topK, noRepeat                                                             int
	bias                                                                       []string
}

func (g *generateFlags) define(f *pflag.FlagSet) {
	g.defineSampling(f)
	f.IntVar(&g.o.MinTokens, "min-tokens", 0, "no end before so many tokens")
	f.IntVar(&g.o.N, "n", 1, "answers to each prompt")
	f.StringArrayVar(&g.bias, "logit-bias", nil, "ID=BIAS: add to the logit of a token; -inf bans it; can be given several times")
	f.IntVar(&g.o.LogProbs, "logprobs", 0, "with --json, tell every token's log-probability and so many alternatives")
	f.IntVar(&g.o.Beams, "beams", 0, "search for the best answers with so many hypotheses (0: as the model says)")
	f.Float64Var(&g.lengthPenalty, "length-penalty", 1, "with beams, scores are divided by length to this power")
	f.StringSliceVar(&g.o.Choices, "choices", nil, "write one of these texts, separated by commas, and nothing else; with --beams the best --n of them in order")
}

// defineSampling defines the flags that say how one answer is drawn.
func (g *generateFlags) defineSampling(f *pflag.FlagSet) {
	f.IntVar(&g.o.MaxTokens, "max-tokens", 0, "most tokens of an answer (default: as the model says, else until its context is full)")
	f.StringArrayVar(&g.o.Stop, "stop", nil, "end before this text; can be given several times")
	f.Float64Var(&g.temperature, "temperature", 0, "divide logits by it; 0 writes the most probable token (default: as the model says)")
	f.IntVar(&g.topK, "top-k", 0, "draw from the k most probable tokens (0: all)")
	f.Float64Var(&g.topP, "top-p", 1, "draw from the most probable tokens whose probabilities reach p")
	f.Float64Var(&g.minP, "min-p", 0, "draw from tokens with so large a share of the largest probability")
	f.Float64Var(&g.typicalP, "typical-p", 1, "draw from the tokens nearest to the expected surprise whose probabilities reach p")
	f.Float64Var(&g.epsilon, "epsilon-cutoff", 0, "draw from tokens of at least this probability")
	f.Float64Var(&g.eta, "eta-cutoff", 0, "the same, lowered where many are probable")
	f.Float64Var(&g.repetition, "repetition-penalty", 1, "divide the logits of tokens that occurred by it")
	f.Float64Var(&g.o.PresencePenalty, "presence-penalty", 0, "take it from the logits of tokens that occurred")
	f.Float64Var(&g.o.FrequencyPenalty, "frequency-penalty", 0, "take it from the logits of tokens for every time that they occurred")
	f.IntVar(&g.noRepeat, "no-repeat-ngram", 0, "never write so many tokens twice in the same order (0: off)")
}

// options returns what the command line asks for.
func (g *generateFlags) options(f *pflag.FlagSet, seed uint64) (parley.GenerateOptions, error) {
	o := g.o
	o.Seed = seed
	for name, set := range map[string]func(){
		"temperature":        func() { o.Temperature = &g.temperature },
		"top-k":              func() { o.TopK = &g.topK },
		"top-p":              func() { o.TopP = &g.topP },
		"min-p":              func() { o.MinP = &g.minP },
		"typical-p":          func() { o.TypicalP = &g.typicalP },
		"epsilon-cutoff":     func() { o.EpsilonCutoff = &g.epsilon },
		"eta-cutoff":         func() { o.EtaCutoff = &g.eta },
		"repetition-penalty": func() { o.RepetitionPenalty = &g.repetition },
		"no-repeat-ngram":    func() { o.NoRepeatNGram = &g.noRepeat },
		"length-penalty":     func() { o.LengthPenalty = &g.lengthPenalty },
	} {
		if f.Changed(name) {
			set()
		}
	}
	if f.Changed("max-tokens") && o.MaxTokens < 1 {
		return o, usagef("--max-tokens %d: must be at least 1; leave it out for no other limit than the model's", o.MaxTokens)
	}
	if f.Changed("choices") && len(o.Choices) == 0 {
		return o, usagef("--choices is empty; leave it out to let the model write what it likes")
	}
	if o.N < 1 {
		return o, usagef("--n %d: must be at least 1", o.N)
	}
	for _, b := range g.bias {
		spelled, value, _ := strings.Cut(b, "=")
		id, err := strconv.ParseInt(spelled, 10, 32)
		add, err2 := strconv.ParseFloat(value, 64)
		if err != nil || err2 != nil {
			return o, usagef("--logit-bias %s: must be the id of a token and a number, ID=BIAS", b)
		}
		if o.LogitBias == nil {
			o.LogitBias = map[int32]float64{}
		}
		o.LogitBias[int32(id)] = add
	}
	if err := o.Check(); err != nil {
		return o, usagef("%w; see parley generate --help", err)
	}
	return o, nil
}

// generation is one use of the generate verb.
type generation struct {
	*app
	model   *parley.Model
	options parley.GenerateOptions
	single  bool // there is one prompt, which needs no number
}

// continuation is one prompt and what comes of it.
type continuation struct {
	prompt string
	events <-chan event // closed after the last
}

// event is the next token of a continuation, or the error that ends it.
type event struct {
	token parley.Token
	err   error
}

// promptsInFlight bounds the prompts that are read ahead of the oldest that is not answered yet.
const promptsInFlight = 64

// stream continues prompt by prompt, as next hands them out. They are continued together, and printed in their order.
func (g generation) stream(ctx context.Context, next func() (string, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begun, read := make(chan continuation, promptsInFlight), make(chan error, 1)
	go func() {
		defer close(begun)
		read <- g.read(ctx, next, begun)
	}()
	w := bufio.NewWriter(g.screen())
	failed, number := 0, 0
	for c := range begun {
		number++
		err, writing := g.print(w, c)
		switch {
		case writing != nil:
			return writing
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && g.single:
			return err
		case err != nil:
			failed++
			fmt.Fprintf(g.err, "parley: prompt %d: %v\n", number, err)
		}
	}
	if err := <-read; err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d prompts could not be continued", failed, number)
	}
	return nil
}

// read starts on each prompt, and queues where its tokens will be.
func (g generation) read(ctx context.Context, next func() (string, error), begun chan<- continuation) error {
	for {
		prompt, err := next()
		if err == io.EOF {
			return nil
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return err
		}
		events := make(chan event, 1)
		select {
		case begun <- continuation{prompt, events}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			events <- event{err: err}
			close(events)
			continue
		}
		go g.answer(ctx, prompt, events)
	}
}

// answer sends the tokens that continue a prompt.
func (g generation) answer(ctx context.Context, prompt string, events chan<- event) {
	defer close(events)
	for token, err := range g.model.Generate(ctx, prompt, g.options) {
		select {
		case events <- event{token, err}:
		case <-ctx.Done():
			return
		}
	}
}

// print writes the answers to one prompt; err is what ended them, writing what became of the output.
func (g generation) print(w *bufio.Writer, c continuation) (err, writing error) {
	if g.json {
		return g.printJSON(w, c)
	}
	waiting := make([]strings.Builder, g.options.N) // text of answers whose turn has not come
	ended := make([]bool, g.options.N)
	turn := 0
	for e := range c.events {
		if e.err != nil {
			err = e.err
			break
		}
		waiting[e.token.Answer].WriteString(e.token.Text)
		ended[e.token.Answer] = e.token.End != ""
		for turn < len(waiting) {
			w.WriteString(waiting[turn].String())
			waiting[turn].Reset()
			if !ended[turn] {
				break
			}
			w.WriteByte('\n')
			turn++
		}
		if len(c.events) == 0 {
			if writing := w.Flush(); writing != nil {
				return nil, writing
			}
		}
	}
	if turn < len(waiting) {
		w.WriteByte('\n')
	}
	return err, w.Flush()
}

// The shape of --json.
type (
	answerJSON struct {
		Text   string      `json:"text"`
		End    parley.End  `json:"end"`
		Tokens int         `json:"tokens"`
		Score  *float64    `json:"score,omitempty"`
		Chosen []tokenJSON `json:"logprobs,omitempty"`
	}
	tokenJSON struct {
		ID           int32             `json:"id"`
		Text         string            `json:"text"`
		LogProb      float64           `json:"log_prob"`
		Alternatives []alternativeJSON `json:"alternatives"`
	}
	alternativeJSON struct {
		ID      int32   `json:"id"`
		Token   string  `json:"token"`
		LogProb float64 `json:"log_prob"`
	}
)

// printJSON writes one line of JSON for one prompt.
func (g generation) printJSON(w *bufio.Writer, c continuation) (err, writing error) {
	v := struct {
		Prompt  string       `json:"prompt"`
		Answers []answerJSON `json:"answers"`
		Error   string       `json:"error,omitempty"`
	}{Prompt: c.prompt, Answers: []answerJSON{}}
	for e := range c.events {
		if err = e.err; err != nil {
			v.Error = err.Error()
			break
		}
		for len(v.Answers) <= e.token.Answer {
			v.Answers = append(v.Answers, answerJSON{})
		}
		v.Answers[e.token.Answer].add(e.token, g.options)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return err, errors.Join(encoder.Encode(v), w.Flush())
}

func (a *answerJSON) add(t parley.Token, o parley.GenerateOptions) {
	a.Text, a.End = a.Text+t.Text, t.End
	a.Tokens++
	if o.Beams > 1 && t.End != "" {
		a.Score = &t.Score
	}
	if o.LogProbs > 0 {
		chosen := tokenJSON{ID: t.ID, Text: t.Text, LogProb: t.LogProb}
		for _, other := range t.Alternatives {
			chosen.Alternatives = append(chosen.Alternatives, alternativeJSON(other))
		}
		a.Chosen = append(a.Chosen, chosen)
	}
}

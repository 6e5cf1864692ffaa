package parley

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parley-lm/parley/decode"
	"github.com/parley-lm/parley/hub"
	"github.com/parley-lm/parley/tokenizer"
)

// GenerateOptions changes how text is generated. In the zero value, and in every field that is nil, it is as the model's
// generation_config.json says; where that says nothing, the most probable token is chosen each time.
type GenerateOptions struct {
	MaxTokens int // most tokens of an answer; 0: as the model says, else until its context is full
	MinTokens int // no end before so many tokens
	// Stop holds strings that end an answer where they first occur. They are not part of it.
	Stop []string
	N    int // answers to the prompt; 0 means 1

	// Choices, if there are any, are all that an answer can be. It is chosen token by token, by the same rules; with Beams the N
	// best of them are searched for, which are all scored exactly where there are as many beams as choices.
	Choices []string

	// Temperature divides logits; 0 chooses the most probable token. Where it is nil, the model does not sample by itself, and
	// one of the six fields after it is given, it is 1.
	Temperature   *float64
	TopK          *int     // draw from the k most probable tokens; 0: from all
	TopP          *float64 // from the fewest most probable ones whose probabilities reach it; 1: from all
	MinP          *float64 // from those with so large a share of the largest probability; 0: from all
	TypicalP      *float64 // from the tokens nearest to the expected surprise whose probabilities reach it; 1: from all
	EpsilonCutoff *float64 // from tokens of at least this probability; 0: from all
	EtaCutoff     *float64 // the same, lowered where many are probable; 0: from all

	RepetitionPenalty *float64          // divides positive logits of tokens that occurred, prompt included, and multiplies others; 1: none
	PresencePenalty   float64           // is taken from the logits of tokens that occurred, prompt included
	FrequencyPenalty  float64           // likewise, times how often
	NoRepeatNGram     *int              // no sequence of so many tokens occurs twice; 0: any may
	LogitBias         map[int32]float64 // is added to the logits of tokens, by id; −Inf bans one

	// Seed starts the random numbers. The same request with the same seed gets the same answers, whatever else is asked for
	// at the time.
	Seed uint64

	LogProbs int // with every token, tell its probability and so many of the most probable ones in its place

	// Beams above 1 search for the N best answers with so many hypotheses. It does not sample and knows no LogProbs; Temperature
	// nil then means 0, and penalties, bias and the like change what hypotheses score. Tokens come when the search has ended,
	// answer by answer.
	Beams         int
	LengthPenalty *float64 // scores of hypotheses are divided by length to this power
}

// Token is the next token of an answer.
type Token struct {
	Answer int // which of the N answers it belongs to, from 0
	ID     int32
	// Text is the text that is complete with this token; it may be empty. It never ends inside a character, nor within what may
	// be a stop string. The texts of an answer's tokens make up the answer, which follows the prompt without a gap.
	Text         string
	LogProb      float64       // natural logarithm of its probability by the model, before any setting; 0 without LogProbs
	Alternatives []Alternative // the most probable tokens in its place, most probable first
	Score        float64       // with Beams, at the end of an answer: log-probability / tokens^LengthPenalty
	End          End           // why the answer ends here
}

// Alternative is a token that could have been chosen.
type Alternative struct {
	ID      int32
	Token   string  // as the vocabulary spells it
	LogProb float64 // natural logarithm of its probability by the model
}

// End says why an answer ends. It is empty for a token that others follow.
type End string

const (
	// EndOfText comes with a token that the model ends texts with.
	EndOfText End = "eos"
	// StopString says that one of Stop follows the text.
	StopString End = "stop"
	// MaxLength says that there are MaxTokens tokens, or that the model's context is full.
	MaxLength End = "length"
	// Chosen says that one of Choices is complete.
	Chosen End = "choice"
)

var ends = [...]End{decode.EndOfText: EndOfText, decode.Length: MaxLength, decode.Chosen: Chosen}

// Generate continues a prompt and yields the tokens of the answers as they are chosen, those of different answers in turn. The
// last token of each answer has an End. What many goroutines ask for is computed together, and everyone gets what they would
// get alone.
//
// An error ends the sequence: that of ctx, one that says what of the prompt or of the options the model cannot do, or what is
// wrong with the model. Leaving the loop early cancels what is left.
func (m *Model) Generate(ctx context.Context, prompt string, o GenerateOptions) iter.Seq2[Token, error] {
	return m.stream(ctx, o, func() (*decode.Request, error) { return m.decoder.continuation(prompt, o) })
}

// stream yields the answers to a request.
func (m *Model) stream(ctx context.Context, o GenerateOptions, request func() (*decode.Request, error)) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		box, err := m.submit(ctx, o, request)
		if err != nil {
			yield(Token{}, err)
			return
		}
		var tokens []Token
		for more := true; more; {
			tokens, more, err = box.take(tokens[:0])
			for _, t := range tokens {
				if !yield(t, nil) {
					return
				}
			}
			switch {
			case err != nil:
				yield(Token{}, err)
			case more:
				select {
				case <-box.wake:
				case <-ctx.Done():
					yield(Token{}, ctx.Err())
					return
				}
			}
		}
	}
}

// submit asks the writer for what a request says.
func (m *Model) submit(ctx context.Context, o GenerateOptions, request func() (*decode.Request, error)) (*mailbox, error) {
	if m.decoder == nil {
		return nil, errNotGenerator
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	r, err := request()
	if err != nil {
		return nil, err
	}
	box := m.decoder.deliver(r, o)
	r.Context = ctx
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writer == nil {
		m.writer = newWriter(m.decoder.Model, m.threads)
	}
	m.writer.submit(r)
	return box, nil
}

// continuation says in ids what is asked for in text.
func (l *languageModel) continuation(prompt string, o GenerateOptions) (*decode.Request, error) {
	ids, err := l.prompt(prompt)
	if err != nil {
		return nil, err
	}
	return l.request(ids, prompt, o)
}

// request asks for what follows some ids, whose text is prompt.
func (l *languageModel) request(ids []int32, prompt string, o GenerateOptions) (r *decode.Request, err error) {
	g := l.Generation
	r = &decode.Request{
		Prompt: ids, Sampling: o.over(l.sampling), Ends: g.EOSIDs, MaxTokens: o.MaxTokens, Answers: max(o.N, 1), LogProbs: o.LogProbs,
		Beams: o.Beams, LengthPenalty: g.LengthPenalty, Early: g.EarlyStopping,
	}
	if r.Beams == 0 {
		r.Beams = g.NumBeams
	}
	if o.LengthPenalty != nil {
		r.LengthPenalty = *o.LengthPenalty
	}
	if r.MaxTokens == 0 {
		if r.MaxTokens, err = l.modelsLimit(len(ids)); err != nil {
			return nil, err
		}
	}
	r.Choices, err = l.choices(prompt, ids, o.Choices)
	return r, err
}

// prompt returns the ids of a prompt as the model is trained to see it.
func (l *languageModel) prompt(text string) ([]int32, error) {
	if err := checkUTF8(text); err != nil {
		return nil, fmt.Errorf("the prompt is %w", err)
	}
	ids := l.tokenizer.Append(slices.Clone(l.tokenizer.Prefix()), text)
	if len(ids) > 0 {
		return ids, nil
	}
	if l.Generation.BOSID == nil {
		return nil, errors.New("the prompt is empty, and the model has no token that begins a text; give it something to continue")
	}
	return []int32{*l.Generation.BOSID}, nil
}

// checkUTF8 says where a text is anything else.
func checkUTF8(text string) error {
	for at, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[at:], string(utf8.RuneError)) {
			return fmt.Errorf("not UTF-8 at byte %d (%#02x); convert it", at+1, text[at])
		}
	}
	return nil
}

// modelsLimit is the most tokens of an answer that the model's own settings allow; 0 if they say nothing.
func (l *languageModel) modelsLimit(prompt int) (int, error) {
	g := l.Generation
	if g.MaxNewTokens > 0 || g.MaxLength == 0 {
		return g.MaxNewTokens, nil
	}
	if prompt >= g.MaxLength {
		return 0, fmt.Errorf("the prompt has %d tokens, and generation_config.json allows a max_length of %d with the answer; say how many tokens the answer may have", prompt, g.MaxLength)
	}
	return g.MaxLength - prompt, nil
}

// choices returns the ids of the strings that an answer can be.
func (l *languageModel) choices(prompt string, ids []int32, texts []string) ([][]int32, error) {
	var choices [][]int32
	after := l.after(ids)
	for _, text := range texts {
		c := choiceIDs(l.tokenizer, prompt, text, after)
		if c == nil {
			return nil, fmt.Errorf("the model's tokens cannot spell the choice %q after this prompt", text)
		}
		choices = append(choices, c)
	}
	return choices, nil
}

// after returns a stream that has told the text of ids.
func (l *languageModel) after(ids []int32) tokenizer.Stream {
	s := *l.tokenizer.Stream(true)
	for _, id := range ids {
		s.Next(id)
	}
	return s
}

// deliver has a request's tokens put into a mailbox, with their text.
func (l *languageModel) deliver(r *decode.Request, o GenerateOptions) *mailbox {
	box, after := newMailbox(r.Answers), l.after(r.Prompt)
	answers := make([]answer, r.Answers)
	for i := range answers {
		answers[i] = answer{stream: after, stops: o.Stop, least: o.MinTokens}
	}
	r.Emit = func(i int, t decode.Token) bool {
		token := Token{Answer: i, ID: t.ID, LogProb: t.LogProb, Score: t.Score, End: ends[t.End]}
		for _, a := range t.Alternatives {
			spelled, _ := l.tokenizer.Token(a.ID)
			token.Alternatives = append(token.Alternatives, Alternative{ID: a.ID, Token: spelled, LogProb: a.LogProb})
		}
		var stopped bool
		if token.Text, stopped = answers[i].next(t.ID, t.End != decode.NotEnded); stopped {
			token.End = StopString
		}
		box.put(token)
		return !stopped
	}
	r.Fail = box.fail
	return box
}

// samplingOf is what generation_config.json says about choosing a token.
func samplingOf(g hub.DecoderGeneration) decode.Sampling {
	s := decode.Sampling{
		RepetitionPenalty: g.RepetitionPenalty, NoRepeatNGram: g.NoRepeatNGram, BadWords: g.BadWords,
		MinLength: g.MinLength, MinTokens: g.MinNewTokens, Suppress: g.Suppress,
		Temperature: g.Temperature, TopK: g.TopK, TopP: g.TopP, MinP: g.MinP, TypicalP: g.TypicalP,
		EpsilonCutoff: g.EpsilonCutoff, EtaCutoff: g.EtaCutoff,
	}
	if !g.DoSample {
		s.Temperature = 0
	}
	return s
}

// Check reports the first option that no model can follow.
func (o *GenerateOptions) Check() error {
	switch {
	case o.MaxTokens < 0 || o.N < 0 || o.Beams < 0 || o.LogProbs < 0:
		return fmt.Errorf("%d tokens of %d answers with %d beams and %d alternatives are asked for; none may be negative", o.MaxTokens, o.N, o.Beams, o.LogProbs)
	case o.Beams > 1 && o.N > o.Beams:
		return fmt.Errorf("%d answers are asked for of %d beams; ask for more beams", o.N, o.Beams)
	case slices.Contains(o.Stop, ""):
		return errors.New("a stop string is empty, which every text contains; leave it out")
	case slices.Contains(o.Choices, ""):
		return errors.New("a choice is empty; leave it out")
	case o.LengthPenalty != nil && (math.IsNaN(*o.LengthPenalty) || math.IsInf(*o.LengthPenalty, 0)):
		return fmt.Errorf("the length penalty is %g; it must be a finite number", *o.LengthPenalty)
	}
	s := o.over(decode.DefaultSampling())
	return s.Check(math.MaxInt32)
}

// over returns a model's settings with what the options change.
func (o *GenerateOptions) over(s decode.Sampling) decode.Sampling {
	drawn := o.TopK != nil
	for _, f := range []struct{ to, from *float64 }{
		{&s.TopP, o.TopP}, {&s.MinP, o.MinP}, {&s.TypicalP, o.TypicalP}, {&s.EpsilonCutoff, o.EpsilonCutoff}, {&s.EtaCutoff, o.EtaCutoff},
	} {
		if f.from != nil {
			*f.to, drawn = *f.from, true
		}
	}
	switch {
	case o.Temperature != nil:
		s.Temperature = *o.Temperature
	case o.Beams > 1:
		s.Temperature = 0
	case drawn && s.Temperature == 0:
		s.Temperature = 1
	}
	if o.TopK != nil {
		s.TopK = *o.TopK
	}
	if o.RepetitionPenalty != nil {
		s.RepetitionPenalty = *o.RepetitionPenalty
	}
	if o.NoRepeatNGram != nil {
		s.NoRepeatNGram = *o.NoRepeatNGram
	}
	s.PresencePenalty, s.FrequencyPenalty, s.Seed = o.PresencePenalty, o.FrequencyPenalty, o.Seed
	if o.MinTokens != 0 {
		s.MinTokens = o.MinTokens
	}
	for _, id := range slices.Sorted(maps.Keys(o.LogitBias)) {
		s.Bias = append(s.Bias, decode.Bias{Tokens: []int32{id}, Add: o.LogitBias[id]})
	}
	return s
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/parley-lm/parley"
	"github.com/parley-lm/parley/feedback"
)

// chatHelp lists the commands of a talk.
const chatHelp = `While talking:
  /retry        another answer to the last question (drawn, with temperature 0.8 unless --temperature says otherwise)
  /rank         two answers to the last question: choose one, and it is kept in --feedback
  /save FILE    append the talk to FILE, as a line of JSONL that parley train sft reads
  /new          begin again; what the system says stays
  /help         this list
  /quit         leave, as Ctrl-D does`

// retryTemperature is that of further answers where nobody says another.
const retryTemperature = 0.8

// talk is one use of the chat verb.
type talk struct {
	*app
	model       *parley.Model
	name        string
	options     parley.GenerateOptions
	drawn       bool // the command line says a temperature
	feedback    string
	interactive bool

	lines    *lineReader
	messages []parley.Message // all of the talk
	unseen   int              // messages that the context has no room for, as was last told
	tries    uint64           // answers that were drawn again
	failed   int

	mu   sync.Mutex
	stop context.CancelFunc // of the answer that is being written; nil: none is
}

// errQuit ends a talk.
var errQuit = errors.New("quit")

// run reads turns and answers them until there are no more.
func (t *talk) run(ctx context.Context) error {
	t.lines = newLineReader(t.input(ctx), longestSentence)
	if t.interactive && !t.quiet {
		fmt.Fprintln(t.err, "Type something and press Enter; /help lists what else there is.")
	}
	for {
		line, err := t.read("> ")
		switch {
		case err == io.EOF:
			return t.end()
		case errors.Is(err, errLongLine):
			t.fail(err)
			continue
		case err != nil:
			return err
		}
		err = t.turn(ctx, strings.TrimSpace(line))
		switch {
		case errors.Is(err, errQuit):
			return t.end()
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			t.fail(err)
		}
	}
}

// end says whether all turns were answered, where nobody has seen that.
func (t *talk) end() error {
	if t.interactive {
		fmt.Fprintln(t.err)
		return nil
	}
	if t.failed > 0 {
		return fmt.Errorf("%d turns could not be answered", t.failed)
	}
	return nil
}

func (t *talk) fail(err error) {
	t.failed++
	fmt.Fprintln(t.err, "parley:", err)
}

// read returns the next line, asked for where somebody types.
func (t *talk) read(prompt string) (string, error) {
	if t.interactive {
		fmt.Fprint(t.err, prompt)
	}
	return t.lines.next()
}

// interrupt stops the answer that is being written, or says how to leave.
func (t *talk) interrupt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stop != nil {
		t.stop()
		return
	}
	fmt.Fprint(t.err, "\n/quit or Ctrl-D leaves\n> ")
}

// turn does what a line says.
func (t *talk) turn(ctx context.Context, line string) error {
	command, argument, _ := strings.Cut(line, " ")
	switch command {
	case "":
		return nil
	case "/quit", "/exit":
		return errQuit
	case "/help":
		fmt.Fprintln(t.err, chatHelp)
		return nil
	case "/new":
		t.messages, t.unseen = slices.DeleteFunc(t.messages, func(m parley.Message) bool { return m.Role != "system" }), 0
		return nil
	case "/save":
		return t.save(strings.TrimSpace(argument))
	case "/retry":
		return t.retry(ctx)
	case "/rank":
		return t.rank(ctx)
	}
	if strings.HasPrefix(line, "/") {
		return fmt.Errorf("there is no command %s; /help lists them", command)
	}
	before := len(t.messages)
	t.messages = append(t.messages, parley.Message{Role: "user", Content: line})
	err := t.answer(ctx, t.options)
	if err != nil {
		t.messages = t.messages[:before]
	}
	return err
}

// window is what of the talk the model sees, and says when that is not all of it any more.
func (t *talk) window() ([]parley.Message, error) {
	seen, err := t.model.Window(t.messages, t.options.MaxTokens)
	if err != nil {
		return nil, err
	}
	if unseen := len(t.messages) - len(seen); unseen != t.unseen {
		if t.unseen = unseen; unseen > 0 && !t.quiet {
			fmt.Fprintf(t.err, "(the context is full: the oldest %d messages of this talk are not seen any more)\n", unseen)
		}
	}
	return seen, nil
}

// answer writes the next message of the assistant, as it comes.
func (t *talk) answer(ctx context.Context, o parley.GenerateOptions) error {
	w := bufio.NewWriter(t.screen())
	text, end, tokens, err := t.write(ctx, o, func(token parley.Token) error {
		if t.json {
			return nil
		}
		w.WriteString(token.Text)
		return w.Flush()
	})
	if err != nil {
		return err
	}
	question := t.messages[len(t.messages)-1].Content
	t.messages = append(t.messages, parley.Message{Role: "assistant", Content: text})
	if t.json {
		encoder := json.NewEncoder(t.out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(struct {
			Question string     `json:"question"`
			Answer   string     `json:"answer"`
			End      parley.End `json:"end"`
			Tokens   int        `json:"tokens"`
		}{question, text, end, tokens})
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// stopped is the end of an answer that somebody stopped.
const stopped parley.End = "stopped"

// write has the model answer and hands each token on. An answer that is stopped is what there was of it.
func (t *talk) write(ctx context.Context, o parley.GenerateOptions, each func(parley.Token) error) (text string, end parley.End, tokens int, err error) {
	seen, err := t.window()
	if err != nil {
		return "", "", 0, err
	}
	answering, stop := context.WithCancel(ctx)
	t.setStop(stop)
	defer t.setStop(nil)
	defer stop()
	var b strings.Builder
	for token, err := range t.model.Chat(answering, seen, o) {
		if err != nil && answering.Err() != nil && ctx.Err() == nil {
			end = stopped
			break
		}
		if err == nil {
			b.WriteString(token.Text)
			tokens, end = tokens+1, token.End
			err = each(token)
		}
		if err != nil {
			return "", "", 0, err
		}
	}
	return b.String(), end, tokens, nil
}

func (t *talk) setStop(stop context.CancelFunc) {
	t.mu.Lock()
	t.stop = stop
	t.mu.Unlock()
}

// again returns the options of a further answer to a question, and takes back the last one.
func (t *talk) again() (o parley.GenerateOptions, last parley.Message, err error) {
	n := len(t.messages)
	if n < 2 || t.messages[n-1].Role != "assistant" {
		return o, last, errors.New("there is no answer yet")
	}
	last, t.messages = t.messages[n-1], t.messages[:n-1]
	o = t.options
	if !t.drawn {
		o.Temperature = new(retryTemperature)
	}
	t.tries++
	o.Seed += t.tries
	return o, last, nil
}

func (t *talk) retry(ctx context.Context) error {
	o, last, err := t.again()
	if err != nil {
		return err
	}
	if err := t.answer(ctx, o); err != nil {
		t.messages = append(t.messages, last)
		return err
	}
	return nil
}

// mostTries is how often /rank asks for a second answer that is not the first.
const mostTries = 4

// rank shows two answers to the last question, of which the person chooses one.
func (t *talk) rank(ctx context.Context) error {
	o, last, err := t.again()
	if err != nil {
		return err
	}
	chosen := last.Content
	defer func() { t.messages = append(t.messages, parley.Message{Role: "assistant", Content: chosen}) }()
	store, err := feedback.Open(ctx, t.feedback) // before anybody chooses in vain
	if err != nil {
		return err
	}
	defer store.Close()
	shown := t.screen()
	if t.json { // whose lines are answers of the talk
		shown = t.err
	}
	var answers []string
	for range mostTries {
		text, end, _, err := t.write(ctx, o, func(parley.Token) error { return nil })
		if err != nil {
			return err
		}
		if end == stopped {
			return errors.New("stopped before there were two answers; nothing is kept")
		}
		if text = strings.TrimSpace(text); text != "" && !slices.Contains(answers, text) {
			answers = append(answers, text)
			fmt.Fprintf(shown, "%d) %s\n", len(answers), text)
		}
		if len(answers) == 2 {
			break
		}
		t.tries++
		o.Seed++
	}
	if len(answers) < 2 {
		return errors.New("the model gives the same answer each time, or none; try a higher --temperature")
	}
	ranks, err := t.choose()
	if err != nil || ranks == nil {
		return err
	}
	chosen = answers[slices.Index(ranks, 1)]
	return t.keep(ctx, store, answers, ranks)
}

// choose asks which of two answers is better; nil ranks say that neither is.
func (t *talk) choose() (ranks []int, err error) {
	for {
		line, err := t.read("which is better? 1, 2, = for as good as each other, Enter for leave it: ")
		if err == io.EOF {
			return nil, errors.New("the input ended before one was chosen; nothing is kept")
		}
		if err != nil {
			return nil, err
		}
		switch strings.TrimSpace(line) {
		case "1":
			return []int{1, 2}, nil
		case "2":
			return []int{2, 1}, nil
		case "=":
			return []int{1, 1}, nil
		case "":
			return nil, nil
		}
	}
}

// keep puts a choice into the database of feedback.
func (t *talk) keep(ctx context.Context, store *feedback.Store, answers []string, ranks []int) error {
	r := feedback.Record{Rater: whoIsHere(), Ranks: ranks, Prompt: feedback.Prompt{Messages: t.messages}}
	for _, text := range answers {
		r.Answers = append(r.Answers, feedback.Answer{Text: text, Model: t.name})
	}
	if _, err := store.Add(ctx, r); err != nil {
		return err
	}
	if !t.quiet {
		fmt.Fprintf(t.err, "(kept in %s; parley rank pairs --feedback %[1]s prints what was kept)\n", t.feedback)
	}
	return nil
}

// save appends the talk to a file, in one write, as a line of its own.
func (t *talk) save(path string) error {
	if path == "" {
		return errors.New("/save FILE: which file?")
	}
	if !slices.ContainsFunc(t.messages, func(m parley.Message) bool { return m.Role == "assistant" }) {
		return errors.New("there is nothing to save yet")
	}
	line, err := json.Marshal(map[string]any{"messages": t.messages})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return err
	}
	if !endsLine(f) {
		line = append([]byte{'\n'}, line...)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Close()); err == nil && !t.quiet {
		fmt.Fprintf(t.err, "(saved to %s)\n", path)
	}
	return err
}

// endsLine reports whether what is appended to a file begins a line.
func endsLine(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return true
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err != nil || last[0] == '\n'
}

package feedback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/parley-lm/parley/internal/harmless"
)

// MostAnswers is the most answers that a person ranks at a time: each has a key of its own, 1 to 9.
const MostAnswers = 9

// KeyHelp says what the keys of a session do.
const KeyHelp = `1-9 the next best answer   = tie with the next   Backspace take back a key   Enter done (what is left shares the last place)
x cannot judge   s skip for now   u undo the last ranking   ? this help   q quit (everything is kept)`

// Session is one person ranking the answers of a store, key by key. Answers are shown in an order that depends on seed, rater
// and prompt, so that their makers cannot be told from it. Every ranking is kept as soon as it is made.
type Session struct {
	Store *Store
	Rater string
	Seed  uint64
	Keys  io.ByteReader // what the person types; the end of it ends the session
	Print func(text string)
	// More waits until prompts may have been added, while somebody adds them; false: no more will come. It may be nil.
	More func(ctx context.Context) (bool, error)

	began   time.Time
	skipped map[string]bool
	done    int
}

var errQuit = errors.New("quit")

// Run shows prompt after prompt until all are judged or the person quits, and returns how many rankings were made and kept.
func (s *Session) Run(ctx context.Context) (int, error) {
	s.began, s.skipped = now(), map[string]bool{}
	s.Print(KeyHelp + "\n")
	for {
		r, ok, err := s.Store.Waiting(ctx, s.Rater, s.skipped)
		if err != nil {
			return s.done, err
		}
		if !ok {
			more := false
			if s.More != nil {
				if more, err = s.More(ctx); err != nil {
					return s.done, err
				}
			}
			if more {
				continue
			}
			return s.done, s.end(ctx)
		}
		switch err := s.judge(ctx, r); {
		case errors.Is(err, errQuit):
			return s.done, s.end(ctx)
		case err != nil:
			return s.done, err
		}
	}
}

// end says what is left.
func (s *Session) end(ctx context.Context) error {
	done, all, err := s.Store.Progress(ctx, s.Rater)
	if err != nil {
		return err
	}
	report, err := s.Store.Report(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("\n%d of %d prompts are judged by %s", done, all, s.Rater)
	for _, r := range report.Raters {
		if r.Name == s.Rater && r.Agreement != nil {
			text += fmt.Sprintf("; other raters judged the same pairs alike in %.0f %% of cases", 100**r.Agreement)
		}
	}
	s.Print(text + ".\n")
	return nil
}

// judge shows one prompt and reads keys until it is judged, skipped or undone.
func (s *Session) judge(ctx context.Context, r Record) error {
	r.Rater = s.Rater
	h := identity(s.Rater, r.Prompt.identity())
	var place uint64
	fmt.Sscanf(h[:16], "%x", &place)
	rand.New(rand.NewPCG(s.Seed, place)).Shuffle(len(r.Answers), func(i, j int) { r.Answers[i], r.Answers[j] = r.Answers[j], r.Answers[i] })
	r.Answers = r.Answers[:min(len(r.Answers), MostAnswers)]
	if err := s.show(ctx, r); err != nil {
		return err
	}
	order := NewOrder(len(r.Answers))
	for {
		key, err := s.key()
		if errors.Is(err, io.EOF) {
			return errQuit
		}
		if err != nil {
			return err
		}
		switch {
		case key >= '1' && key <= '9':
			if !order.Pick(int(key - '1')) {
				continue
			}
		case key == '=':
			order.Tie()
		case key == 8 || key == 127: // Backspace
			order.Back()
		case key == '\r' || key == '\n':
			r.Ranks = order.Ranks()
			if r.Ranks == nil {
				continue // an empty line says nothing
			}
			return s.keep(ctx, r)
		case key == 'x':
			r.CannotJudge = true
			return s.keep(ctx, r)
		case key == 's':
			s.skipped[r.Prompt.Key()] = true
			s.Print("\nskipped; it comes again next time\n")
			return nil
		case key == 'u':
			return s.undo(ctx)
		case key == '?':
			s.Print("\n" + KeyHelp + "\n")
		case key == 'q' || key == 3 || key == 4: // Ctrl-C and Ctrl-D, where the terminal passes them on
			return errQuit
		default:
			continue
		}
		s.Print("\r\033[K> " + order.String())
	}
}

// key returns the next key. Keys that send several bytes, as Delete and the arrows do, mean nothing here and are passed over: ESC
// with "[" or "O", and all up to the letter or tilde that ends them (ECMA-48). The "3" in Delete's is nobody's choice.
func (s *Session) key() (byte, error) {
	key, err := s.Keys.ReadByte()
	for err == nil && key == '\x1b' {
		if key, err = s.Keys.ReadByte(); err != nil || key != '[' && key != 'O' {
			continue // ESC alone, or with it a key that counts
		}
		for key, err = s.Keys.ReadByte(); err == nil && (key < '@' || key > '~'); {
			key, err = s.Keys.ReadByte()
		}
		if err == nil {
			key, err = s.Keys.ReadByte()
		}
	}
	return key, err
}

func (s *Session) show(ctx context.Context, r Record) error {
	done, all, err := s.Store.Progress(ctx, s.Rater)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n── %d of %d ──\n", done+1, all)
	for _, m := range r.Prompt.Messages {
		fmt.Fprintf(&b, "%s: %s\n", m.Role, harmless.Text(m.Content))
	}
	if r.Prompt.Messages == nil {
		b.WriteString(harmless.Text(r.Prompt.Text) + "\n")
	}
	for i, a := range r.Answers {
		fmt.Fprintf(&b, "\n%d  %s\n", i+1, strings.ReplaceAll(harmless.Text(strings.TrimSpace(a.Text)), "\n", "\n   "))
	}
	s.Print(b.String() + "> ")
	return nil
}

func (s *Session) keep(ctx context.Context, r Record) error {
	_, err := s.Store.Add(ctx, r)
	if errors.Is(err, ErrRanked) { // by somebody of the same name, meanwhile
		s.Print("\nthis was ranked meanwhile under the same name; that ranking stays\n")
		return nil
	}
	if err != nil {
		return err
	}
	s.done++
	s.Print("\n")
	return nil
}

func (s *Session) undo(ctx context.Context) error {
	_, ok, err := s.Store.Undo(ctx, s.Rater, s.began)
	switch {
	case err != nil:
		return err
	case !ok:
		s.Print("\nthere is nothing to take back in this session\n")
	default:
		s.done--
		s.Print("\ntaken back\n")
	}
	return nil
}

package feedback

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Waiting returns a prompt whose answers the rater has not judged, the one that was added first, with at least two different
// answers in the order in which they were added; false if there is none. Skipped ones, by [Prompt.Key], are left out.
func (s *Store) Waiting(ctx context.Context, rater string, skipped map[string]bool) (Record, bool, error) {
	var r Record
	found := false
	err := s.transaction(ctx, func(tx *transaction) error {
		ids, err := tx.waiting(rater)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if skipped[id] {
				continue
			}
			found = true
			r, err = tx.unranked(id)
			return err
		}
		return nil
	})
	if err != nil {
		return Record{}, false, s.wrong(err)
	}
	return r, found, nil
}

// AllWaiting returns the keys of all prompts that [Store.Waiting] would return, in their order: for a rater who takes no time to judge,
// and for whom looking for the next one again and again would take the most.
func (s *Store) AllWaiting(ctx context.Context, rater string) (keys []string, err error) {
	err = s.transaction(ctx, func(tx *transaction) error {
		keys, err = tx.waiting(rater)
		return err
	})
	if err != nil {
		return nil, s.wrong(err)
	}
	return keys, nil
}

func (tx *transaction) waiting(rater string) ([]string, error) {
	return tx.strings(`SELECT p.id FROM prompts p WHERE NOT EXISTS (SELECT 1 FROM rankings r WHERE r.prompt = p.id AND r.rater = ?)
		AND (SELECT COUNT(DISTINCT a.text) FROM answers a WHERE a.prompt = p.id) >= 2 ORDER BY p.n`, rater)
}

// Unranked returns a prompt with its different answers in the order in which they were added.
func (s *Store) Unranked(ctx context.Context, key string) (r Record, err error) {
	err = s.transaction(ctx, func(tx *transaction) error {
		r, err = tx.unranked(key)
		return err
	})
	if err != nil {
		return Record{}, s.wrong(err)
	}
	return r, nil
}

// Key names a prompt: two prompts have the same one if they are the same.
func (p Prompt) Key() string { return p.identity() }

// Sampled returns how many answers of a model with these settings a prompt has.
func (s *Store) Sampled(ctx context.Context, p Prompt, model string, settings json.RawMessage) (int, error) {
	n := 0
	err := s.transaction(ctx, func(tx *transaction) error {
		return tx.row(`SELECT COUNT(*) FROM answers WHERE prompt = ? AND model = ? AND settings = ?`, p.identity(), model, string(settings)).Scan(&n)
	})
	if err != nil {
		return 0, s.wrong(err)
	}
	return n, nil
}

// Progress returns how many prompts with at least two different answers the rater has judged, and how many there are.
func (s *Store) Progress(ctx context.Context, rater string) (done, all int, err error) {
	err = s.transaction(ctx, func(tx *transaction) error {
		const judged = `SELECT COUNT(*) FROM prompts p WHERE (SELECT COUNT(DISTINCT a.text) FROM answers a WHERE a.prompt = p.id) >= 2`
		if err := tx.row(judged).Scan(&all); err != nil {
			return err
		}
		return tx.row(judged+` AND EXISTS (SELECT 1 FROM rankings r WHERE r.prompt = p.id AND r.rater = ?)`, rater).Scan(&done)
	})
	if err != nil {
		return 0, 0, s.wrong(err)
	}
	return done, all, nil
}

// Records are all rankings in the order in which they were made, and after them the prompts that nobody has judged, each with
// its answers.
func (s *Store) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var rankings []int64
		var prompts []string
		err := s.transaction(ctx, func(tx *transaction) (err error) {
			if rankings, err = tx.numbers(`SELECT n FROM rankings ORDER BY n`); err != nil {
				return err
			}
			prompts, err = tx.strings(`SELECT p.id FROM prompts p WHERE NOT EXISTS (SELECT 1 FROM rankings r WHERE r.prompt = p.id)
				AND EXISTS (SELECT 1 FROM answers a WHERE a.prompt = p.id) ORDER BY p.n`)
			return err
		})
		if err != nil {
			yield(Record{}, s.wrong(err))
			return
		}
		one := func(read func(tx *transaction) (Record, error)) bool {
			var r Record
			err := s.transaction(ctx, func(tx *transaction) (err error) {
				r, err = read(tx)
				return err
			})
			if errors.Is(err, sql.ErrNoRows) { // taken back meanwhile
				return true
			}
			if err != nil {
				yield(Record{}, s.wrong(err))
				return false
			}
			return yield(r, nil)
		}
		for _, n := range rankings {
			if !one(func(tx *transaction) (Record, error) { return tx.ranking(n) }) {
				return
			}
		}
		for _, id := range prompts {
			if !one(func(tx *transaction) (Record, error) { return tx.unranked(id) }) {
				return
			}
		}
	}
}

// unranked returns a prompt with its answers. One text is one answer, whoever wrote it.
func (t *transaction) unranked(prompt string) (Record, error) {
	var r Record
	err := t.promptInto(&r, prompt)
	if err != nil {
		return r, err
	}
	ids, err := t.strings(`SELECT id FROM answers WHERE prompt = ? ORDER BY n`, prompt)
	if err != nil {
		return r, err
	}
	seen := map[string]bool{}
	for _, id := range ids {
		a, err := t.answer(id)
		if err != nil {
			return r, err
		}
		if !seen[a.Text] {
			r.Answers = append(r.Answers, a)
		}
		seen[a.Text] = true
	}
	return r, nil
}

// ranking returns a ranking, its answers in the order in which they were added.
func (t *transaction) ranking(n int64) (Record, error) {
	var r Record
	var prompt, answers, made string
	err := t.row(`SELECT prompt, rater, answers, cannot_judge, made FROM rankings WHERE n = ?`, n).Scan(&prompt, &r.Rater, &answers, &r.CannotJudge, &made)
	if err != nil {
		return r, err
	}
	if r.Time, err = time.Parse(time.RFC3339Nano, made); err != nil {
		return r, fmt.Errorf("ranking %d has the time %q: %w", n, made, err)
	}
	if err := t.promptInto(&r, prompt); err != nil {
		return r, err
	}
	places, err := t.places(n)
	if err != nil {
		return r, err
	}
	of := strings.Fields(answers)
	ids, err := t.strings(`SELECT id FROM answers WHERE prompt = ? ORDER BY n`, prompt)
	if err != nil {
		return r, err
	}
	for _, id := range ids {
		if !slices.Contains(of, id) {
			continue
		}
		a, err := t.answer(id)
		if err != nil {
			return r, err
		}
		r.Answers = append(r.Answers, a)
		if !r.CannotJudge {
			r.Ranks = append(r.Ranks, places[id])
		}
	}
	return r, nil
}

func (t *transaction) promptInto(r *Record, id string) error {
	var text string
	if err := t.row(`SELECT prompt FROM prompts WHERE id = ?`, id).Scan(&text); err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), &r.Prompt)
}

func (t *transaction) answer(id string) (Answer, error) {
	var a Answer
	var settings string
	err := t.row(`SELECT text, model, settings FROM answers WHERE id = ?`, id).Scan(&a.Text, &a.Model, &settings)
	if settings != "" {
		a.Settings = json.RawMessage(settings)
	}
	return a, err
}

func (t *transaction) strings(query string, args ...any) ([]string, error) {
	return column[string](t, query, args...)
}

func (t *transaction) numbers(query string, args ...any) ([]int64, error) {
	return column[int64](t, query, args...)
}

func column[T any](t *transaction, query string, args ...any) ([]T, error) {
	rows, err := t.rows(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var values []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, rows.Err()
}

package feedback

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrRanked is of a ranking that the same rater has made before, of the same answers, in another order. It changes nothing:
// who thinks better of it takes the first one back (see [Store.Undo]).
var ErrRanked = errors.New("was ranked by the same rater before, differently")

// Added counts what a change has brought in.
type Added struct {
	Prompts  int `json:"prompts"`
	Answers  int `json:"answers"`
	Rankings int `json:"rankings"`
	Known    int `json:"known"`        // rankings that were there already, the same
	Refused  int `json:"contradicted"` // rankings that were there already, in another order by the same rater; the first ones stay
}

// Add keeps a record: prompt and answers where they are not known yet, and the ranking. Adding it again changes nothing. A
// ranking that contradicts the rater's own earlier one is refused with [ErrRanked], its prompt and answers are kept.
func (s *Store) Add(ctx context.Context, r Record) (Added, error) {
	var added Added
	if err := r.check(); err != nil {
		return added, err
	}
	var refused error
	err := s.transaction(ctx, func(tx *transaction) (err error) {
		added, refused, err = tx.add(r)
		return err
	})
	if err != nil {
		return Added{}, s.wrong(err)
	}
	return added, refused
}

// add returns what was new, and separately why the ranking was refused.
func (t *transaction) add(r Record) (added Added, refused, err error) {
	prompt := r.Prompt.identity()
	if added.Prompts, err = t.insert(`INSERT INTO prompts (id, prompt, added) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		prompt, r.Prompt.text(), stamp(now())); err != nil {
		return added, nil, err
	}
	ids := make([]string, len(r.Answers))
	for i, a := range r.Answers {
		ids[i] = identity(prompt, a.Text, a.Model, string(a.Settings))
		n, err := t.insert(`INSERT INTO answers (id, prompt, text, model, settings, added) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			ids[i], prompt, a.Text, a.Model, string(a.Settings), stamp(now()))
		if err != nil {
			return added, nil, err
		}
		added.Answers += n
	}
	if r.Ranks == nil && !r.CannotJudge {
		return added, nil, nil
	}
	when := r.Time
	if when.IsZero() {
		when = now()
	}
	of := slices.Sorted(slices.Values(ids))
	n, err := t.insert(`INSERT INTO rankings (prompt, rater, answers, cannot_judge, made) VALUES (?, ?, ?, ?, ?) ON CONFLICT (prompt, rater, answers) DO NOTHING`,
		prompt, r.Rater, strings.Join(of, " "), r.CannotJudge, stamp(when))
	if err != nil {
		return added, nil, err
	}
	var ranking int64
	var cannot bool
	if err := t.row(`SELECT n, cannot_judge FROM rankings WHERE prompt = ? AND rater = ? AND answers = ?`,
		prompt, r.Rater, strings.Join(of, " ")).Scan(&ranking, &cannot); err != nil {
		return added, nil, err
	}
	places := places(ids, r.Ranks)
	if n == 0 {
		before, err := t.places(ranking)
		if err != nil {
			return added, nil, err
		}
		if cannot == r.CannotJudge && samePlaces(before, places) {
			added.Known++
			return added, nil, nil
		}
		added.Refused++
		return added, ErrRanked, nil
	}
	for answer, place := range places {
		if _, err := t.exec(`INSERT INTO places (ranking, answer, place) VALUES (?, ?, ?)`, ranking, answer, place); err != nil {
			return added, nil, err
		}
	}
	added.Rankings++
	return added, nil, nil
}

func (t *transaction) insert(query string, args ...any) (int, error) {
	result, err := t.exec(query, args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// places counts ranks from 1 without gaps: 10, 30, 10 are places 1, 2, 1.
func places(ids []string, ranks []int) map[string]int {
	levels := slices.Compact(slices.Sorted(slices.Values(ranks)))
	m := make(map[string]int, len(ranks))
	for i, rank := range ranks {
		place, _ := slices.BinarySearch(levels, rank)
		m[ids[i]] = place + 1
	}
	return m
}

func samePlaces(a, b map[string]int) bool {
	if len(a) != len(b) {
		return false
	}
	for id, place := range a {
		if b[id] != place {
			return false
		}
	}
	return true
}

func (t *transaction) places(ranking int64) (map[string]int, error) {
	rows, err := t.rows(`SELECT answer, place FROM places WHERE ranking = ?`, ranking)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	m := map[string]int{}
	for rows.Next() {
		var id string
		var place int
		if err := rows.Scan(&id, &place); err != nil {
			return nil, err
		}
		m[id] = place
	}
	return m, rows.Err()
}

// Undo takes back a rater's newest ranking, no older than since, and returns it; false if there is none.
func (s *Store) Undo(ctx context.Context, rater string, since time.Time) (Record, bool, error) {
	var taken Record
	found := false
	err := s.transaction(ctx, func(tx *transaction) error {
		var n int64
		var made string
		err := tx.row(`SELECT n, made FROM rankings WHERE rater = ? ORDER BY n DESC LIMIT 1`, rater).Scan(&n, &made)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		when, err := time.Parse(time.RFC3339Nano, made)
		if err != nil {
			return fmt.Errorf("ranking %d has the time %q: %w", n, made, err)
		}
		if when.Before(since) {
			return nil
		}
		if taken, err = tx.ranking(n); err != nil {
			return err
		}
		found = true
		if _, err := tx.exec(`DELETE FROM places WHERE ranking = ?`, n); err != nil {
			return err
		}
		_, err = tx.exec(`DELETE FROM rankings WHERE n = ?`, n)
		return err
	})
	if err != nil {
		return Record{}, false, s.wrong(err)
	}
	return taken, found, nil
}

package train

import (
	"fmt"

	"github.com/parley-lm/parley/corpus"
)

// preferenceSets are the preferences of a run, split by prompts, or by groups of prompts.
type preferenceSets struct {
	train, valid *corpus.Preferences
	tests        []*corpus.Preferences
	names        []string // of the tests
	fingerprint  string
}

// readPreferences reads what the recipe names. The prompts of data.test_groups are a test set, and in no other.
func (w *workplace) readPreferences() (s preferenceSets, err error) {
	d := &w.recipe.Data
	if s.train, err = w.readPreferenceFiles("data.train", d.Train); err != nil {
		return s, err
	}
	s.fingerprint = s.train.Fingerprint()
	if len(d.TestGroups) > 0 {
		all := s.train
		var test *corpus.Preferences
		if s.train, test = all.HoldOutGroups(d.TestGroups); len(test.Prompts) == 0 {
			return s, fmt.Errorf("data.test_groups: no prompt is of the groups %q; there are %.300q", d.TestGroups, all.Groups())
		}
		s.tests, s.names = append(s.tests, test), append(s.names, fmt.Sprintf("groups %q", d.TestGroups))
	}
	if len(d.Validation) > 0 {
		if s.valid, err = w.readPreferenceFiles("data.validation", d.Validation); err != nil {
			return s, err
		}
		s.fingerprint += "+" + s.valid.Fingerprint()
	} else if s.train, s.valid = s.train.HoldOut(SplitSeed, d.HeldOutShare); min(len(s.train.Prompts), len(s.valid.Prompts)) == 0 {
		return s, fmt.Errorf("data.held_out_share = %g leaves %d prompts to train on and %d to validate", d.HeldOutShare, len(s.train.Prompts), len(s.valid.Prompts))
	}
	for _, name := range d.Test {
		test, err := w.readPreferenceFiles("data.test", []string{name})
		if err != nil {
			return s, err
		}
		s.tests, s.names = append(s.tests, test), append(s.names, name)
	}
	if !w.resumed {
		w.progress.Note(fmt.Sprintf("%d prompts with %d comparisons to train on, %d with %d to validate, of which always preferring the longer answer gets %.4f right",
			len(s.train.Prompts), s.train.Comparisons, len(s.valid.Prompts), s.valid.Comparisons, s.valid.LongestWins()))
	}
	return s, nil
}

func (w *workplace) readPreferenceFiles(key string, names []string) (*corpus.Preferences, error) {
	d := &w.recipe.Data
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = d.path(name)
	}
	p, err := corpus.PreferenceFiles{Prompt: d.PromptField, Group: d.GroupField, GroupUntil: d.GroupUntil}.Read(paths)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if d.AnswersOnly {
		for _, one := range p.Prompts {
			one.Prompt, one.Messages = "", nil
		}
	}
	if !w.resumed {
		for _, note := range p.Notes() {
			w.progress.Note(key + ": " + note)
		}
	}
	return p, nil
}

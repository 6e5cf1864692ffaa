package train

import "context"

// supervised is embedded by objectives that learn from data which lies ready: it says that there is nothing to make before a
// batch, and nothing to remember but weights and moments.
type supervised struct{}

func (supervised) ready(context.Context, int) error { return nil }
func (supervised) ended() string                    { return "" }
func (supervised) scoresStart() bool                { return false }
func (supervised) saveState(string) error           { return nil }
func (supervised) restoreState(string) error        { return nil }

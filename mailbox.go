package parley

import "sync"

// mailbox takes tokens from the goroutine that decodes to the one that asked, without either waiting for the other.
type mailbox struct {
	wake chan struct{} // has room for one

	mu     sync.Mutex
	tokens []Token
	open   int // answers that have not ended
	err    error
}

func newMailbox(answers int) *mailbox { return &mailbox{wake: make(chan struct{}, 1), open: answers} }

// put delivers a token.
func (b *mailbox) put(t Token) {
	b.mu.Lock()
	b.tokens = append(b.tokens, t)
	if t.End != "" {
		b.open--
	}
	b.mu.Unlock()
	b.ring()
}

// fail says that nothing more will come.
func (b *mailbox) fail(err error) {
	b.mu.Lock()
	b.err = err
	b.mu.Unlock()
	b.ring()
}

func (b *mailbox) ring() {
	select {
	case b.wake <- struct{}{}:
	default: // it rings already
	}
}

// take exchanges the tokens that are there for an empty slice, and reports whether more will come.
func (b *mailbox) take(empty []Token) (tokens []Token, more bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	tokens, b.tokens = b.tokens, empty
	return tokens, b.open > 0 && b.err == nil, b.err
}

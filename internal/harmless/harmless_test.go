package harmless_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/parley-lm/parley/internal/harmless"
)

func TestControlCharactersAreShown(t *testing.T) {
	const text, want = "fine\n\ttabbed 猫\x1b[2J\a\x7f\u009b", "fine\n\ttabbed 猫␛[2J␇··"
	if got := harmless.Text(text + "\r\n"); got != want+"\n" {
		t.Errorf("Text: %q", got)
	}
	var b bytes.Buffer
	w := harmless.NewWriter(&b)
	for i := range len(text) { // characters come in pieces
		if n, err := w.Write([]byte{text[i]}); n != 1 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
	if b.String() != want {
		t.Errorf("written byte by byte: %q", &b)
	}
	b.Reset()
	if _, err := io.WriteString(w, "at once"); err != nil || b.String() != "at once" {
		t.Errorf("%q, %v", &b, err)
	}
}

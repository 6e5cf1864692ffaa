package tokenizer

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// decoder sets up what tokens stand for; without a decoder, for themselves with spaces
// between.
func (f *file) decoder(t *Tokenizer) error {
	var r decoderReader
	if null(f.Decoder) {
		r.add(func(token string, first bool) string {
			if first {
				return token
			}
			return " " + token
		})
	} else if err := r.read(f.Decoder); err != nil {
		return fmt.Errorf("decoder: %w", err)
	}
	t.raw = make([]string, len(t.spelled))
	for id, token := range t.spelled {
		t.raw[id] = r.text(t.decodes(int32(id), token), false)
	}
	if r.byteLevel {
		// In the reference an added token decodes through the byte alphabet, which mangles
		// those with letters such as é; here each decodes to itself.
		for _, a := range f.AddedTokens {
			t.raw[a.ID] = t.decodes(a.ID, a.Content)
		}
		return nil
	}
	t.decoder = decoder{first: func(token string) string { return r.text(token, true) }, strip: r.strip}
	if r.bytes {
		t.decoder.bytes = make([]bool, len(t.spelled))
		for id, token := range t.spelled {
			if b, ok := byteOfToken(token); ok {
				t.raw[id], t.decoder.bytes[id] = string([]byte{b}), true
			}
		}
	}
	return nil
}

// decoderReader collects what decoders do to each token.
type decoderReader struct {
	steps     []func(token string, first bool) string
	byteLevel bool
	bytes     bool
	fused     bool // tokens are one text by now
	strip     strip
}

func (r *decoderReader) text(token string, first bool) string {
	for _, s := range r.steps {
		token = s(token, first)
	}
	return token
}

func (r *decoderReader) add(s func(token string, first bool) string) { r.steps = append(r.steps, s) }

func (r *decoderReader) read(part jsontext.Value) error {
	name, err := kind(part)
	if err != nil {
		return err
	}
	if r.byteLevel || r.fused && name != "Strip" {
		return fmt.Errorf("%s after what makes one text of the tokens is not supported", name)
	}
	switch name {
	case "Sequence":
		return r.readSequence(part)
	case "ByteLevel":
		r.byteLevel = true
		r.add(func(token string, _ bool) string { return unspell(token) })
		err = decode(part, "", &byteLevelFile{})
	case "ByteFallback":
		r.bytes = true
		err = decode(part, "", &typed{})
	case "Fuse":
		r.fused = true
		err = decode(part, "", &typed{})
	case "Replace":
		err = r.readReplace(part)
	case "Strip":
		err = r.readStrip(part)
	case "Metaspace":
		err = r.readMetaspace(part)
	case "WordPiece":
		err = r.readWordPiece(part)
	default:
		return fmt.Errorf("type %q is not supported", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r *decoderReader) readSequence(part jsontext.Value) error {
	var s struct {
		Type     string           `json:"type"`
		Decoders []jsontext.Value `json:"decoders"`
	}
	if err := decode(part, "Sequence", &s); err != nil {
		return err
	}
	for i, p := range s.Decoders {
		if err := r.read(p); err != nil {
			return inSequence(i, err)
		}
	}
	return nil
}

func (r *decoderReader) readReplace(part jsontext.Value) error {
	n, err := readReplace(part)
	if err != nil {
		return err
	}
	r.add(func(token string, _ bool) string { return n.normalize(token) })
	return nil
}

func (r *decoderReader) readStrip(part jsontext.Value) error {
	var s struct {
		Type    string `json:"type"`
		Content string `json:"content"`
		Start   int    `json:"start"`
		Stop    int    `json:"stop"`
	}
	if err := decode(part, "", &s); err != nil {
		return err
	}
	content, width := utf8.DecodeRuneInString(s.Content)
	switch {
	case width != len(s.Content) || width == 0:
		return fmt.Errorf("content: must be one character, not %q", s.Content)
	case s.Stop != 0:
		return errors.New("stop: only 0 is supported")
	case r.fused:
		r.strip = strip{content, s.Start}
	default:
		r.add(func(token string, _ bool) string {
			token, _ = strip{content, s.Start}.left(token)
			return token
		})
	}
	return nil
}

func (r *decoderReader) readMetaspace(part jsontext.Value) error {
	m, _, err := readMetaspaceFile(part)
	if err != nil {
		return err
	}
	r.add(func(token string, first bool) string {
		if first && m.scheme != prefixNever {
			return strings.ReplaceAll(token, m.sign, "")
		}
		return strings.ReplaceAll(token, m.sign, " ")
	})
	return nil
}

// cleanUp is what BERT's decoder changes in each token with a space before it.
var cleanUp = []struct{ old, new string }{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

func (r *decoderReader) readWordPiece(part jsontext.Value) error {
	var w struct {
		Type    string `json:"type"`
		Prefix  string `json:"prefix"`
		Cleanup bool   `json:"cleanup"`
	}
	if err := decode(part, "", &w); err != nil {
		return err
	}
	r.add(func(token string, first bool) string {
		if !first {
			if rest, inside := strings.CutPrefix(token, w.Prefix); inside {
				token = rest
			} else {
				token = " " + token
			}
		}
		if w.Cleanup {
			for _, c := range cleanUp {
				token = strings.ReplaceAll(token, c.old, c.new)
			}
		}
		return token
	})
	return nil
}
